# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""C constants of the kernel bench: the calls and answers, and the net as plain matrices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kdp_edge.quantization import reference
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear

_LINE = 16


@dataclass(frozen=True)
class Calls:
    """Calls of a net: int8 shared [n, shared_size], columns [n, k, column_size], expected [n, k, outputs]."""

    shared: np.ndarray
    columns: np.ndarray
    expected: np.ndarray

    @property
    def k(self) -> int:
        """Candidates per call."""
        return int(self.columns.shape[1])


def adversarial_inputs(size: int) -> np.ndarray:
    """int8 [n, size]: constants at both ends, alternations, single spikes."""
    rows = [np.full(size, v) for v in (-128, 127, -127, 0, 1, -1)]
    index = np.arange(size)
    rows += [np.where(index % 2 == phase, -128, 127) for phase in (0, 1)]
    rows += [np.where(index % 4 < 2, high, low) for high, low in ((-128, 127), (127, -128))]
    rows += [np.where(index == size - 1, v, 0) for v in (-128, 127)]
    return np.array(rows, np.int8)


def make_calls(net: IntegerNet, shared_size: int, k: int, count: int, seed: int = 0) -> Calls:
    """`count` calls, the adversarial inputs first, then random ones, with the reference's answers."""
    rng = np.random.default_rng(seed)
    hard = adversarial_inputs(net.input_size)
    shared = rng.integers(-128, 128, (count, shared_size), dtype=np.int8)
    columns = rng.integers(-128, 128, (count, k, net.input_size - shared_size), dtype=np.int8)
    n = min(count, len(hard))
    shared[:n] = hard[:n, :shared_size]
    # every call also mixes the patterns among its candidates
    columns[:n] = hard[(np.arange(n)[:, None] + np.arange(k)) % len(hard)][..., shared_size:]
    inputs = np.concatenate([np.repeat(shared[:, None], k, 1), columns], 2)
    expected = reference.run(net, inputs.reshape(count * k, net.input_size))
    return Calls(shared, columns, expected.reshape(count, k, net.output_size))


def header(net: IntegerNet, k: int) -> str:
    """Text of bench_net.h; the net's own header is net.h."""
    widths = [len(op.bias) for op in net.linears[:-1]]
    return "\n".join(
        [
            '#include "net.h"',
            f"#define BENCH_K {k}",
            f"#define BENCH_WIDTH {-(-max(widths) // 4) * 4}",
            f"#define BENCH_LAST_ROWS {-(-net.output_size // 4) * 4}",
            "",
        ]
    )


def calls_source(net: IntegerNet, calls: Calls) -> str:
    """Text of bench_calls.c."""
    blocks = sum(isinstance(op, Add) for op in net.operations)
    return "\n".join(
        [
            '#include "bench.h"',
            '#include "bench_nets.h"',
            '#include "bench_plain.h"',
            f"const int bench_calls = {len(calls.shared)};",
            f"const int bench_blocks = {blocks};",
            array("int8_t", "bench_shared", calls.shared),
            array("int8_t", "bench_columns", calls.columns),
            array("int8_t", "bench_expected", calls.expected),
        ]
    )


def reference_source(net: IntegerNet) -> str:
    """Text of bench_reference_net.c: int8 matrices, row by row, for the reference loop."""
    parts, layers, adds = ['#include "bench_plain.h"'], [], []
    for i, op in enumerate(net.linears):
        multiplier, shift = reference.linear_multipliers(net, op)
        parts += [
            array("int8_t", f"w{i}", op.weight),
            array("int32_t", f"b{i}", op.bias),
            array("int32_t", f"m{i}", multiplier),
            array("int32_t", f"s{i}", shift),
        ]
        layers.append(f"    {{w{i}, b{i}, m{i}, s{i}, {op.weight.shape[1]}, {op.weight.shape[0]}}},")
    for add in (op for op in net.operations if isinstance(op, Add)):
        numbers = ", ".join(f"{{{m}, {s}}}" for m, s in reference.add_multipliers(net, add))
        adds.append(f"    {{{numbers}}},")
    parts += ["const bench_layer bench_layers[] = {", *layers, "};"]
    parts += ["const bench_add bench_adds[] = {", *(adds or ["    {{0, 0}, {0, 0}, {0, 0}},"]), "};", ""]
    return "\n".join(parts)


def float_source(net: IntegerNet, k: int) -> str:
    """Text of bench_float_net.c: the same shapes in float32, outputs padded to fours."""
    rng = np.random.default_rng(0)
    parts, layers = ['#include "bench_plain.h"'], []
    for i, op in enumerate(net.linears):
        weight = _dequantized(op)
        rows = -(-len(weight) // 4) * 4
        parts.append(array("float", f"w{i}", np.pad(weight, ((0, rows - len(weight)), (0, 0)))))
        parts.append(array("float", f"b{i}", np.zeros(rows)))
        layers.append(f"    {{w{i}, b{i}, {weight.shape[1]}, {rows}}},")
    parts += ["const bench_float_layer bench_float_layers[] = {", *layers, "};"]
    parts.append(array("float", "bench_float_input", rng.normal(0, 0.4, (net.input_size, k))))
    return "\n".join(parts)


def _dequantized(op: Linear) -> np.ndarray:
    return np.asarray(op.weight.astype(np.float32) * op.weight_scale[:, None])


def array(ctype: str, name: str, values: np.ndarray) -> str:
    """One C array; those that no header declares are static."""
    numbers: Iterable[str]
    if ctype == "float":
        numbers = (f"{float(np.float32(v))!r}f" for v in values.reshape(-1))
    else:
        numbers = (str(int(v)) for v in values.reshape(-1))
    flat = list(numbers) or ["0"]
    lines = [", ".join(flat[i : i + _LINE]) for i in range(0, len(flat), _LINE)]
    storage = "" if name.startswith("bench_") else "static "
    return f"{storage}const {ctype} {name}[{len(flat)}] = {{\n" + ",\n".join(lines) + ",\n};\n"
