# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Target tflm: .tflite models and all that plans with them, for your own TFLite-Micro firmware.

generator.tflite ...        the models; model_data.h .cc: the same as C arrays, with their arena sizes
model_ops.h                 the operators to register (both with the prefix before them, if there is one)
main.cc                     a program that plans with them
plan/                       in C: latents, the loop over candidates, gains, choice, fail-safe, self-test;
                            the nets are behind one function, kdp_net_invoke
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.exporters import c_files, c_invoked, c_model, golden
from kdp_edge.exporters.arena import arena_bytes
from kdp_edge.exporters.firmware import Form
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


def write(planner: IntegerPlanner, folder: Path, form: Form | None = None) -> dict[str, Any]:
    """Write the models, `model_data.h/.cc` and `model_ops.h` into `folder`; of the form the prefix counts."""
    names, nets = _Names((form or Form()).prefix), planner.nets
    models = {net.name: to_tflite(net) for net in nets}
    paths = [folder / f"{name}.tflite" for name in models]
    for path, model in zip(paths, models.values(), strict=True):
        path.write_bytes(model)
    arenas = dict(zip(models, arena_bytes(paths), strict=True))
    ops = sorted({op for net in nets for op in operators(net)})
    (folder / f"{names.data}.h").write_text(_header(models, arenas, names), encoding="utf-8")
    (folder / f"{names.data}.cc").write_text(_arrays(models, names), encoding="utf-8")
    (folder / f"{names.ops}.h").write_text(_resolver(ops, names), encoding="utf-8")
    _write_planner(planner, folder, names)
    return {
        "prefix": names.prefix,
        "arena_bytes": arenas,
        "operators": {op: {"version": OPERATOR_VERSIONS[op]} for op in ops},
        "model_bytes": {name: len(model) for name, model in models.items()},
    }


@dataclass(frozen=True)
class _Names:
    """What is called how: files without a prefix keep the names that TFLite-Micro's users know."""

    prefix: str

    @property
    def data(self) -> str:
        """Of the file with the models as C arrays."""
        return "model_data" if self.prefix == c_model.PREFIX else f"{self.prefix}_model_data"

    @property
    def ops(self) -> str:
        """Of the header with the operators."""
        return "model_ops" if self.prefix == c_model.PREFIX else f"{self.prefix}_model_ops"

    @property
    def type_prefix(self) -> str:
        """What C++ types and functions begin with: left_leg is LeftLeg."""
        return self.prefix.title().replace("_", "")

    def guard(self, file: str) -> str:
        """Of the header `file`."""
        return f"{self.prefix.upper()}_{file.removeprefix(self.prefix + '_').upper()}_H_"


def _write_planner(planner: IntegerPlanner, folder: Path, names: _Names) -> None:
    prefix, room = names.prefix, folder / c_files.PLAN
    room.mkdir()
    for path in c_files.invoke_sources():
        shutil.copyfile(path, room / path.name)
    for net in planner.nets:
        header, source = c_invoked.c_invoked(net, f"{prefix}_{net.name}", planner.spec.obs_dim)
        (room / f"{prefix}_{net.name}.h").write_text(header, encoding="utf-8")
        (room / f"{prefix}_{net.name}.c").write_text(source, encoding="utf-8")
    (room / f"{prefix}_model.h").write_text(c_model.header(planner, prefix), encoding="utf-8")
    (room / f"{prefix}_model.c").write_text(c_model.source(planner, prefix), encoding="utf-8")
    program = rendered("main.cc", nets=[net.name for net in planner.nets], names=names)
    (folder / "main.cc").write_text(program, encoding="utf-8")


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
    with InvokeLibrary(folder, invoke, sizes) as library:
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


def _header(models: dict[str, bytes], arenas: dict[str, int], names: _Names) -> str:
    prefix, guard = names.prefix, names.guard(names.data)
    lines = [
        *c_head("Generated."),
        "/* The models as C arrays, 16-byte aligned as TensorFlow Lite for Microcontrollers wants them. */",
        "/* The arena sizes are the smallest that work on a 64-bit host with the reference kernels. A 32-bit",
        " * target needs less for its pointers; optimised kernels may ask for scratch memory on top. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
    ]
    for name, model in models.items():
        net = f"{prefix}_{name}"
        lines += [
            f"enum {{ {net}_model_size = {len(model)}, {net}_arena_size = {arenas[name]} }};",
            f"extern const unsigned char {net}_model[{net}_model_size];",
            "",
        ]
    lines += ["#ifdef __cplusplus", "}", "#endif", ""]
    return "\n".join([*lines, f"#endif  /* {guard} */", ""])


def _arrays(models: dict[str, bytes], names: _Names) -> str:
    lines = [*c_head("Generated."), f'#include "{names.data}.h"', ""]
    for name, model in models.items():
        symbol = f"{names.prefix}_{name}_model"
        lines.append(f"alignas(16) const unsigned char {symbol}[{symbol}_size] = {{")
        for start in range(0, len(model), _BYTES_A_LINE):
            lines.append("    " + " ".join(f"0x{b:02x}," for b in model[start : start + _BYTES_A_LINE]))
        lines += ["};", ""]
    return "\n".join(lines)


def _resolver(ops: list[str], names: _Names) -> str:
    guard, type_prefix = names.guard(names.ops), names.type_prefix
    calls = [f"  TF_LITE_ENSURE_STATUS(resolver.{_RESOLVER_CALLS[op]}());" for op in ops]
    return "\n".join(
        [
            *c_head("Generated."),
            "// Exactly the operators that both models use. Per-channel FULLY_CONNECTED needs a TFLite-Micro",
            "// of September 2024 or later.",
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"',
            "",
            f"using {type_prefix}OpResolver = tflite::MicroMutableOpResolver<{len(ops)}>;",
            "",
            f"inline TfLiteStatus {type_prefix}AddOperators({type_prefix}OpResolver& resolver) {{",
            *calls,
            "  return kTfLiteOk;",
            "}",
            "",
            f"#endif  // {guard}",
            "",
        ]
    )
