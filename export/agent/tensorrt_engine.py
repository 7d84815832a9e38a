# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""TensorRT engines: found by their key, refused when built elsewhere, launched as one CUDA graph."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, KdpError
from kdp_edge.exporters import checksums
from kdp_edge.exporters.agent.cuda import Cuda
from kdp_edge.exporters.agent.spent import Spent
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.plan import IntegerPlanner

FOLDER = "engines"
REBUILD = "build engines on this device: ./build_engine.sh"


def tensorrt() -> ModuleType:
    """NVIDIA's Python package, which JetPack brings."""
    try:
        import tensorrt
    except ImportError:
        raise KdpError(
            "Python package tensorrt is missing; JetPack brings it: sudo apt install python3-libnvinfer "
            "(in a virtual environment: python3 -m venv --system-site-packages)",
            DEVICE_MISSING,
        ) from None
    module: ModuleType = tensorrt
    return module


def engine_name(model: Path, batch: int, version: str, gpu: str) -> str:
    """File name of an engine: it holds everything that an engine is locked to."""
    key = f"trt{version}.{re.sub('[^A-Za-z0-9]+', '-', gpu).strip('-')}.{checksums.sha256(model)[:12]}"
    return f"{model.stem}.k{batch}.{key}.plan"


def find_engine(folder: Path, model: Path, batch: int, version: str, gpu: str) -> Path:
    """The engine for exactly this model, batch, TensorRT and GPU; others are refused, never loaded."""
    wanted = folder / FOLDER / engine_name(model, batch, version, gpu)
    if wanted.is_file():
        return wanted
    others = sorted(p.name for p in (folder / FOLDER).glob(f"{model.stem}.k*.plan"))
    if others:
        raise KdpError(
            f"{folder / FOLDER}: found {', '.join(others)}, expected {wanted.name}: built for another "
            f"TensorRT version, GPU, batch or model, and engines work nowhere else; {REBUILD}",
            DEVICE_MISSING,
        )
    raise KdpError(f"{wanted}: no engine yet; {REBUILD}", DEVICE_MISSING)


def open_engines(folder: Path, planner: IntegerPlanner, models: list[Path]) -> tuple[Engine, ...]:
    """Engines of the planner's nets, built from `models`, for its K candidates."""
    trt, cuda = tensorrt(), Cuda()
    nets = planner.nets
    paths = [find_engine(folder, model, planner.spec.k, trt.__version__, cuda.name()) for model in models]
    return tuple(Engine(trt, cuda, p, net, planner.spec.k) for p, net in zip(paths, nets, strict=True))


class Engine:
    """One net at a fixed batch: int8 in, int8 out, no allocation after the start."""

    def __init__(self, trt: ModuleType, cuda: Cuda, path: Path, net: IntegerNet, batch: int) -> None:
        self._batch = batch
        self._input_scale = np.float32(net.scales[net.input_name])
        self._output_scale = np.float32(net.scales[net.output_name])
        runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        engine = runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise KdpError(f"{path}: TensorRT cannot read this engine; {REBUILD}", DEVICE_MISSING)
        self._keep = (runtime, engine)
        self._context = engine.create_execution_context()
        self._input = cuda.buffer((batch, net.input_size))
        self._output = cuda.buffer((batch, net.output_size))
        self._context.set_input_shape("input", (batch, net.input_size))
        self._context.set_tensor_address("input", self._input.address)
        self._context.set_tensor_address("output", self._output.address)
        self._cuda, self._stream = cuda, cuda.stream()
        self._marks = [cuda.event() for _ in range(4)]
        self._graph = self._record(cuda)

    def _record(self, cuda: Cuda):  # type: ignore[no-untyped-def]
        stream = self._stream
        self._enqueue()  # TensorRT allocates on its first run, which a capture must not
        cuda.synchronize(stream)
        with cuda.capture(stream) as graph:
            self._enqueue()
        return graph

    def _enqueue(self) -> None:
        self._input.upload(self._stream)
        self._execute()
        self._output.download(self._stream)

    def _execute(self) -> None:
        if not self._context.execute_async_v3(self._stream.value):
            raise KdpError(f"TensorRT did not run the engine; {REBUILD}", GATE_FAILED)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """int8 [n, input_size] -> int8 [n, output_size], n up to the engine's batch."""
        count = len(inputs)
        if count > self._batch:
            parts = [self(inputs[i : i + self._batch]) for i in range(0, count, self._batch)]
            return np.concatenate(parts)
        np.multiply(inputs, self._input_scale, out=self._input.host[:count])
        self._graph.launch()
        return np.rint(self._output.host[:count] / self._output_scale).astype(np.int8)

    def timed(self, inputs: np.ndarray, spent: Spent) -> np.ndarray:
        """See `Backend.timed`: the graph's parts one by one, marks between them; n up to the batch."""
        cuda, stream, marks = self._cuda, self._stream, self._marks
        start, count = time.monotonic_ns(), len(inputs)
        np.multiply(inputs, self._input_scale, out=self._input.host[:count])
        begun = time.monotonic_ns()
        cuda.record(marks[0], stream)
        self._input.upload(stream)
        cuda.record(marks[1], stream)
        self._execute()
        cuda.record(marks[2], stream)
        self._output.download(stream)
        cuda.record(marks[3], stream)
        cuda.synchronize(stream)
        ended = time.monotonic_ns()
        outputs = np.rint(self._output.host[:count] / self._output_scale).astype(np.int8)
        done = time.monotonic_ns()
        up, run, down = (cuda.between(a, b) for a, b in pairwise(marks))
        spent.copy += begun - start + up + down + done - ended
        spent.execution += run
        # launching, waiting for the GPU to begin, and noticing that it has ended
        spent.queue += max(ended - begun - up - run - down, 0)
        return outputs
