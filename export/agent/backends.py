# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Back ends: the same two integer nets on different runtimes, int8 in and int8 out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.exporters.agent.spent import Spent
from kdp_edge.quantization import reference
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.plan import IntegerPlanner

NAMES = ("onnxruntime", "tensorrt", "reference")


class Runs(Protocol):
    """Runs one net."""

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """int8 [k, input_size] -> int8 [k, output_size]."""


class Backend(Runs, Protocol):
    """Runs one net, and can say what the time went to."""

    def timed(self, inputs: np.ndarray, spent: Spent) -> np.ndarray:
        """The same, what its parts take added to `spent`."""


@dataclass(frozen=True)
class DevicePlanner(IntegerPlanner):
    """The integer planner with its nets evaluated by back ends."""

    generator_backend: Backend
    critic_backend: Backend | None = None

    def run_generator(self, inputs: np.ndarray) -> np.ndarray:
        """See `IntegerPlanner.run_generator`."""
        return self.generator_backend(inputs)

    def run_critic(self, inputs: np.ndarray) -> np.ndarray:
        """See `IntegerPlanner.run_critic`."""
        assert self.critic_backend is not None, "an actor ranks nothing"
        return self.critic_backend(inputs)


def open_planner(
    name: str, folder: Path, planner: IntegerPlanner, exact: bool, precision: str = "int8"
) -> DevicePlanner:
    """The planner of a bundle on back end `name`.

    Args:
        name: one of `NAMES`.
        folder: of the bundle.
        planner: the integer planner inside it.
        exact: whether ONNX Runtime may optimise the models: not those in Q/DQ form.
        precision: int8, or of the layers in a jetson bundle's float files.
    """
    nets = planner.nets
    models = [folder / model_file(net, precision) for net in nets]
    if name == "reference":
        backends: list[Backend] = [Reference(net) for net in nets]
    elif name == "onnxruntime":
        backends = [OnnxRuntime(model, net, optimize=exact) for model, net in zip(models, nets, strict=True)]
    elif name == "tensorrt":
        from kdp_edge.exporters.agent.tensorrt_engine import open_engines

        backends = list(open_engines(folder, planner, models))
    else:
        raise KdpError(f"unknown back end '{name}'; known: {', '.join(NAMES)}")
    return DevicePlanner(planner.generator, planner.critic, planner.spec, *backends)


def model_file(net: IntegerNet, precision: str = "int8") -> str:
    """Name of a net's ONNX file in a bundle."""
    return f"{net.name}.onnx" if precision == "int8" else f"{net.name}.{precision}.onnx"


def runs(planner: IntegerPlanner) -> tuple[tuple[IntegerNet, Runs], ...]:
    """Each net of a planner, and what runs it."""
    return tuple(zip(planner.nets, (planner.run_generator, planner.run_critic), strict=False))


class Reference:
    """The exact integer reference in NumPy."""

    def __init__(self, net: IntegerNet) -> None:
        self._net = net

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return reference.run(self._net, inputs)

    def timed(self, inputs: np.ndarray, spent: Spent) -> np.ndarray:
        """See `Backend.timed`; nothing is copied."""
        start = time.monotonic_ns()
        outputs = self(inputs)
        spent.execution += time.monotonic_ns() - start
        return outputs


class OnnxRuntime:
    """One thread of ONNX Runtime on the CPU."""

    def __init__(self, model: Path | bytes, net: IntegerNet, optimize: bool = True) -> None:
        """Load an ONNX file with the interface of `export.onnx_format`.

        Args:
            model: its path or content.
            net: gives the scales of input and output.
            optimize: without it, operators run as they are written. (With it, ONNX Runtime rounds the
                float biases of the Q/DQ form to int32, which TensorRT does not.)
        """
        try:
            import onnxruntime
        except ImportError:
            raise KdpError("onnxruntime is missing: pip install onnxruntime", DEVICE_MISSING) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if not optimize:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
        )
        self._input_scale = np.float32(net.scales[net.input_name])
        self._output_scale = np.float32(net.scales[net.output_name])

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return self._steps(self._execute(inputs * self._input_scale))

    def timed(self, inputs: np.ndarray, spent: Spent) -> np.ndarray:
        """See `Backend.timed`; nothing waits."""
        start = time.monotonic_ns()
        values = inputs * self._input_scale
        begun = time.monotonic_ns()
        values = self._execute(values)
        ended = time.monotonic_ns()
        outputs = self._steps(values)
        spent.copy += begun - start + time.monotonic_ns() - ended
        spent.execution += ended - begun
        return outputs

    def _execute(self, values: np.ndarray) -> np.ndarray:
        (outputs,) = self._session.run(None, {"input": values})
        return np.asarray(outputs)

    def _steps(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.rint(values / self._output_scale), np.int8)
