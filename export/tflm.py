# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Target tflm: .tflite models and all that plans with them, for your own TFLite-Micro firmware.

generator.tflite ...        the models; model_data.h .cc: the same as C arrays, with their arena sizes
model_ops.h                 the operators to register
main.cc                     a program that plans with them
plan/                       in C: latents, the loop over candidates, gains, choice, fail-safe, self-test;
                            the nets are behind one function, kdp_net_invoke
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.exporters import c_files, c_invoked, c_model, golden
from kdp_edge.exporters.arena import arena_bytes
from kdp_edge.exporters.invoke_library import InvokeLibrary
from kdp_edge.exporters.licence import c_head
from kdp_edge.exporters.rendering import rendered
from kdp_edge.exporters.tflite import OPERATOR_VERSIONS, to_tflite
from kdp_edge.exporters.verify import Check, equal
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear, Table
from kdp_edge.quantization.plan import IntegerPlanner

_RESOLVER_CALLS = {
    "FULLY_CONNECTED": "AddFullyConnected",
    "ADD": "AddAdd",
    "TANH": "AddTanh",
    "ELU": "AddElu",
}
_BYTES_A_LINE = 16
PLAN = "plan"


def write(planner: IntegerPlanner, folder: Path) -> dict[str, Any]:
    """Write the models, `model_data.h/.cc` and `model_ops.h` into `folder`."""
    nets = planner.nets
    models = {net.name: to_tflite(net) for net in nets}
    paths = [folder / f"{name}.tflite" for name in models]
    for path, model in zip(paths, models.values(), strict=True):
        path.write_bytes(model)
    arenas = dict(zip(models, arena_bytes(paths), strict=True))
    ops = sorted({op for net in nets for op in operators(net)})
    (folder / "model_data.h").write_text(_header(models, arenas), encoding="utf-8")
    (folder / "model_data.cc").write_text(_arrays(models), encoding="utf-8")
    (folder / "model_ops.h").write_text(_resolver(ops), encoding="utf-8")
    _write_planner(planner, folder)
    return {
        "arena_bytes": arenas,
        "operators": {op: {"version": OPERATOR_VERSIONS[op]} for op in ops},
        "model_bytes": {name: len(model) for name, model in models.items()},
    }


def _write_planner(planner: IntegerPlanner, folder: Path) -> None:
    room = folder / PLAN
    room.mkdir()
    for path in c_files.invoke_sources():
        shutil.copyfile(path, room / path.name)
    names = []
    for net in planner.nets:
        header, source = c_invoked.c_invoked(net, f"kdp_{net.name}", planner.spec.obs_dim)
        (room / f"kdp_{net.name}.h").write_text(header, encoding="utf-8")
        (room / f"kdp_{net.name}.c").write_text(source, encoding="utf-8")
        names.append(net.name)
    (room / "kdp_model.h").write_text(c_model.header(planner), encoding="utf-8")
    (room / "kdp_model.c").write_text(c_model.source(planner), encoding="utf-8")
    (folder / "main.cc").write_text(rendered("main.cc", names=names), encoding="utf-8")


def verify(folder: Path, planner: IntegerPlanner) -> Sequence[Check]:
    """TFLite-Micro's interpreter equals the integer reference on every output of every golden input."""
    vectors = golden.load(folder)
    checks = []
    for net in planner.nets:
        found = interpret((folder / f"{net.name}.tflite").read_bytes(), vectors[f"{net.name}.inputs"])
        checks.append(equal(f"TFLite-Micro, {net.name}", vectors[f"{net.name}.outputs"], found))
    return [*checks, _whole_plans(folder, planner, vectors)]


def _whole_plans(folder: Path, planner: IntegerPlanner, vectors: dict[str, np.ndarray]) -> Check:
    """TFLite-Micro's interpreter behind the C planner of `plan/`, compiled for this computer."""
    from tflite_micro import runtime

    models = [(folder / f"{net.name}.tflite").read_bytes() for net in planner.nets]
    interpreters = [runtime.Interpreter.from_bytes(model) for model in models]

    def invoke(critic: int, inputs: np.ndarray) -> np.ndarray:
        interpreter = interpreters[critic]
        interpreter.set_input(inputs[None], 0)
        interpreter.invoke()
        return np.asarray(interpreter.get_output(0)[0])

    sizes = [(net.input_size, net.output_size) for net in planner.nets]
    with InvokeLibrary(folder / PLAN, invoke, sizes) as library:
        plans = zip(*(vectors[f"plan.{name}"] for name in ("observation", "episode", "index")), strict=True)
        found = np.array([library.plan_digest(*plan) for plan in plans], np.uint32)
    return equal("TFLite-Micro behind the C planner, digests of whole plans", vectors["plan.digest"], found)


def interpret(model: bytes, inputs: np.ndarray) -> np.ndarray:
    """Run int8 inputs [n, size] one by one through the TFLite-Micro interpreter; int8 [n, outputs]."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model)
    outputs = []
    for row in inputs:
        interpreter.set_input(row[None], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0)[0].copy())
    return np.stack(outputs)


def operators(net: IntegerNet) -> list[str]:
    """TensorFlow Lite's names of the operators in `net`, in execution order."""
    names = {Linear: "FULLY_CONNECTED", Add: "ADD"}
    return [op.kind.upper() if isinstance(op, Table) else names[type(op)] for op in net.operations]


def _header(models: dict[str, bytes], arenas: dict[str, int]) -> str:
    lines = [
        *c_head("Generated."),
        "/* The models as C arrays, 16-byte aligned as TensorFlow Lite for Microcontrollers wants them. */",
        "/* The arena sizes are the smallest that work on a 64-bit host with the reference kernels. A 32-bit",
        " * target needs less for its pointers; optimised kernels may ask for scratch memory on top. */",
        "#ifndef KDP_MODEL_DATA_H_",
        "#define KDP_MODEL_DATA_H_",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
    ]
    for name, model in models.items():
        lines += [
            f"enum {{ kdp_{name}_model_size = {len(model)}, kdp_{name}_arena_size = {arenas[name]} }};",
            f"extern const unsigned char kdp_{name}_model[kdp_{name}_model_size];",
            "",
        ]
    lines += ["#ifdef __cplusplus", "}", "#endif", ""]
    return "\n".join([*lines, "#endif  /* KDP_MODEL_DATA_H_ */", ""])


def _arrays(models: dict[str, bytes]) -> str:
    lines = [*c_head("Generated."), '#include "model_data.h"', ""]
    for name, model in models.items():
        lines.append(f"alignas(16) const unsigned char kdp_{name}_model[kdp_{name}_model_size] = {{")
        for start in range(0, len(model), _BYTES_A_LINE):
            lines.append("    " + " ".join(f"0x{b:02x}," for b in model[start : start + _BYTES_A_LINE]))
        lines += ["};", ""]
    return "\n".join(lines)


def _resolver(ops: list[str]) -> str:
    calls = [f"  TF_LITE_ENSURE_STATUS(resolver.{_RESOLVER_CALLS[op]}());" for op in ops]
    return "\n".join(
        [
            *c_head("Generated."),
            "// Exactly the operators that both models use. Per-channel FULLY_CONNECTED needs a TFLite-Micro",
            "// of September 2024 or later.",
            "#ifndef KDP_MODEL_OPS_H_",
            "#define KDP_MODEL_OPS_H_",
            "",
            '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"',
            "",
            f"using KdpOpResolver = tflite::MicroMutableOpResolver<{len(ops)}>;",
            "",
            "inline TfLiteStatus KdpAddOperators(KdpOpResolver& resolver) {",
            *calls,
            "  return kTfLiteOk;",
            "}",
            "",
            "#endif  // KDP_MODEL_OPS_H_",
            "",
        ]
    )
