# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Target jetson: ONNX for TensorRT (Q/DQ for int8, fp16, fp32), what builds engines on the device, the agent.

TensorRT rounds a layer's sums once, the reference twice, so equality is out of reach. Proven here:
the files keep TensorRT's rules, and ONNX Runtime computes from them what the Q/DQ form means in
exact arithmetic (`onnx_format.run_rounding_once`). Measured here: how far that is from the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save as serialize

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import golden, trt_rules
from kdp_edge.exporters.agent.backends import OnnxRuntime, model_file
from kdp_edge.exporters.agent.selftest import GOLDEN_FILES, PRECISIONS, TOLERANCES
from kdp_edge.exporters.agent_files import check_imports, write_agent
from kdp_edge.exporters.agent_service import write_unit
from kdp_edge.exporters.onnx_float import dequantized, run_float, to_float
from kdp_edge.exporters.onnx_format import IR_VERSION, OPSET, run_rounding_once, to_qdq
from kdp_edge.exporters.verify import Check, close
from kdp_edge.quantization.float_net import Layers
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.plan import IntegerPlanner

# of an output step, against the reference: the rounding of int8 itself costs 0.25 on average
REFERENCE_MEAN_LSB = 0.25
DECIDED = 5e-4  # of an output step; float32 sums of these nets err by 1e-4 at most
MOST_BATCHES = 100


def write(
    planner: IntegerPlanner, folder: Path, trained: Mapping[str, Layers] | None = None
) -> dict[str, Any]:
    """Write models, their own golden vectors, `build_engine.sh` and the agent into `folder`.

    Args:
        trained: the layers of the float models by net; without it those that the integers stand for.
    """
    vectors: dict[str, dict[str, np.ndarray]] = {GOLDEN_FILES[p]: {} for p in PRECISIONS}
    for net in planner.nets:
        layers = trained[net.name] if trained else dequantized(net)
        for precision in PRECISIONS:
            model = to_qdq(net) if precision == "int8" else to_float(net, layers, precision == "fp16")
            (folder / model_file(net, precision)).write_bytes(model)
        inputs = decided_inputs(net)
        vectors[GOLDEN_FILES["int8"]] |= _vectors(net, inputs, run_rounding_once(net, inputs)[0])
        inputs = golden.net_inputs(net)
        answers = np.rint(run_float(net, layers, inputs)).astype(np.int8)
        vectors[GOLDEN_FILES["fp32"]] |= _vectors(net, inputs, answers)
    for name, arrays in vectors.items():
        (folder / name).write_bytes(serialize(arrays))
    write_agent(folder)
    write_unit(folder, gpu=True)
    _write_script(planner, folder / "build_engine.sh")
    return {
        "backend": "tensorrt",
        "opset": OPSET,
        "ir_version": IR_VERSION,
        "batch": planner.spec.k,
        "profile": trt_rules.JETPACK6.name,
        "precisions": list(PRECISIONS),
        "float_layers": "trained" if trained else "of the integers",
        "tolerance_on_device": {name: asdict(tolerance) for name, tolerance in TOLERANCES.items()},
    }


def _vectors(net: IntegerNet, inputs: np.ndarray, outputs: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{net.name}.inputs": inputs, f"{net.name}.outputs": outputs}


def decided_inputs(net: IntegerNet, count: int = golden.RANDOM_INPUTS) -> np.ndarray:
    """Golden inputs, int8 [count, input_size], whose every rounding is beyond doubt in float32.

    One sum on the wrong side of a half changes later layers by several steps, whoever is right; on
    these inputs every correct runtime has one answer.
    """
    kept: list[np.ndarray] = []
    for seed in range(MOST_BATCHES):
        inputs = golden.net_inputs(net) if seed == 0 else golden.random_inputs(net.input_size, seed=seed)
        kept.append(inputs[run_rounding_once(net, inputs)[1] > DECIDED])
        if sum(map(len, kept)) >= count:
            return np.concatenate(kept)[:count]
    found = sum(map(len, kept))
    raise KdpError(
        f"{net.name}: only {found} of {MOST_BATCHES * golden.RANDOM_INPUTS} inputs have roundings that "
        f"float32 decides, expected {count}; the net is too wide or too deep for this check"
    )


def _write_script(planner: IntegerPlanner, path: Path) -> None:
    text = files("kdp_edge.exporters").joinpath("templates/build_engine.sh").read_text(encoding="utf-8")
    builds = "\n".join(f'  build {net.name} {net.input_size} "$precision"' for net in planner.nets)
    text = text.replace("@BUILDS@", builds)
    path.write_text(text.replace("@K@", str(planner.spec.k)), encoding="utf-8")
    path.chmod(0o755)


def verify(folder: Path, planner: IntegerPlanner) -> Sequence[Check]:
    """Rules, ONNX Runtime on the Q/DQ files, distance to the reference, NVIDIA's parser where installed."""
    checks = [check for net in planner.nets for check in _verify_int8(folder, net)]
    for precision in PRECISIONS:
        vectors = load_file(folder / GOLDEN_FILES[precision])
        for net in planner.nets:
            model = (folder / model_file(net, precision)).read_bytes()
            checks.append(_rules(net, model, precision))
            if precision != "int8":
                name, tolerance = f"ONNX Runtime {precision}, {net.name}", TOLERANCES[precision]
                found = OnnxRuntime(model, net)(vectors[f"{net.name}.inputs"])
                expected = vectors[f"{net.name}.outputs"]
                checks += close(name, expected, found, tolerance.share, tolerance.lsb)
            if find_spec("tensorrt_rtx"):
                checks.append(_parser(net, model, planner.spec.k, precision))
    return [*checks, check_imports(folder)]


def _verify_int8(folder: Path, net: IntegerNet) -> list[Check]:
    exact, vectors = golden.load(folder), load_file(folder / GOLDEN_FILES["int8"])
    run = OnnxRuntime((folder / model_file(net)).read_bytes(), net, optimize=False)
    found = run(vectors[f"{net.name}.inputs"])
    return [
        *close(f"ONNX Runtime, {net.name}", vectors[f"{net.name}.outputs"], found),
        _distance(net, exact[f"{net.name}.outputs"], run(exact[f"{net.name}.inputs"])),
    ]


def _rules(net: IntegerNet, model: bytes, precision: str) -> Check:
    findings = trt_rules.check(model, precision=precision)
    note = "; ".join(map(str, findings))
    name = f"TensorRT rules of {precision} broken, {net.name}"
    return Check(name, 0, len(findings), len(trt_rules.RULES), not findings, note)


def _distance(net: IntegerNet, expected: np.ndarray, found: np.ndarray) -> Check:
    gap = np.abs(expected.astype(np.int32) - found)
    share, mean = float((gap != 0).mean()), float(gap.mean())
    note = f"share that differ {share:.4f}, largest {int(gap.max())} LSB"
    return Check(
        f"Q/DQ against the reference, {net.name}: mean difference in LSB",
        REFERENCE_MEAN_LSB,
        round(mean, 6),
        gap.size,
        mean <= REFERENCE_MEAN_LSB,
        note,
    )


def _parser(net: IntegerNet, model: bytes, batch: int, precision: str) -> Check:
    from kdp_edge.exporters.trt_rtx import problems

    found = problems(model, batch)
    return Check(
        f"TensorRT-RTX parser and builder, {net.name} {precision}: problems",
        0,
        len(found),
        1,
        not found,
        "; ".join(found),
    )
