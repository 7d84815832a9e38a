# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Integer net -> one C header and source that firmware/nn runs: constants only, no code.

The arrays are those of `net_layout`; here they only become text. The same net gives the same text, byte
for byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.c_layout import Kernel, kernel_named, padded
from kdp_edge.exporters.licence import c_head
from kdp_edge.exporters.net_layout import AddArrays, BlockArrays, LayerArrays, NetArrays, lay_out
from kdp_edge.quantization.integer_net import IntegerNet

LARGEST_LAYER = 0xFFFF  # sizes are uint16 in kdp_nn.h
NUMBERS_A_LINE = 24


@dataclass(frozen=True)
class CSource:
    """A net for one kernel: its source, which is empty for every other kernel, and what its header says.

    An actor has no strides but `scratch`, for one candidate.
    """

    symbol: str
    net: IntegerNet
    shared_size: int
    kernel: Kernel
    scratch_text: str  # what SYMBOL_SCRATCH(k) expands to
    source: str
    data_bytes: int  # constants in flash
    strides: tuple[int, int, int, int, int, int] | None  # of KDP_SCRATCH, and the size of an activation
    scratch: int = 0

    @property
    def header(self) -> str:
        """Text of `<symbol>.h` for this kernel alone."""
        return header_of([self])

    def scratch_bytes(self, k: int) -> int:
        """Scratch memory for k candidates, bytes: what SYMBOL_SCRATCH(k) expands to."""
        if self.strides is None:
            return self.scratch
        hidden, inner, first, shared, outputs, element = self.strides
        work = max(k * max(inner, first), shared)
        return sum(padded(n, 16) for n in (k * hidden * element, work * element, outputs * 4))


def c_arrays(net: IntegerNet, symbol: str, shared_size: int, kernel: str) -> CSource:
    """Write `net` for a kernel of firmware/nn.

    Args:
        net: a ReLU residual MLP (first, blocks of inner + branch + add, last).
        symbol: C name of the `kdp_net` constant, lower case; macros get it in upper case.
        shared_size: leading inputs that all candidates have in common, 0..input_size - 1.
        kernel: "portable", "m4", "mve" or "dual"; must be what the C compiler will select.
    Raises:
        KdpError: another structure, a bad symbol or shared_size, or sums beyond the kernel's range.
    """
    layout = kernel_named(kernel)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", symbol):
        raise KdpError(f"symbol {symbol!r} is not a lower-case C name")
    if not 0 <= shared_size < net.input_size:
        raise KdpError(f"integer net {net.name}: shared size {shared_size}, expected 0..{net.input_size - 1}")
    if max(net.sizes().values()) > LARGEST_LAYER - 15:
        raise KdpError(f"integer net {net.name}: a layer is wider than {LARGEST_LAYER - 15}")
    return _Writer(net, symbol, shared_size, layout).write()


class ArrayTexts:
    """The constants of one net as text, in order; `data_bytes` of them in flash."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.texts: list[str] = []
        self.data_bytes = 0

    def add(self, name: str, ctype: str, values: np.ndarray) -> str:
        """Append a constant and return its name; an empty one becomes NULL."""
        if values.size == 0:
            return "NULL"
        name = f"{self.symbol}_{name}"
        numbers = [str(int(v)) for v in values]
        lines = [", ".join(numbers[i : i + NUMBERS_A_LINE]) for i in range(0, len(numbers), NUMBERS_A_LINE)]
        body = ",\n    ".join(lines)
        self.texts.append(f"KDP_ALIGNED static const {ctype} {name}[{len(numbers)}] = {{\n    {body},\n}};\n")
        self.data_bytes += len(numbers) * (4 if ctype == "int32_t" else 1)
        return name


class _Writer:
    """Collects the arrays and the struct of one net as text."""

    def __init__(self, net: IntegerNet, symbol: str, shared_size: int, kernel: Kernel) -> None:
        self.net, self.symbol, self.shared_size, self.kernel = net, symbol, shared_size, kernel
        self.laid_out = lay_out(net, shared_size, kernel)
        self.arrays = ArrayTexts(symbol)

    def write(self) -> CSource:
        strides = _strides(self.laid_out)
        sizes = ", ".join(f"{s}u" for s in strides)
        scratch = f"KDP_SCRATCH(k, {sizes})"
        struct = self._struct(self.laid_out)
        source = source_text(self.net, self.symbol, self.kernel, [*self.arrays.texts, struct])
        what = (self.symbol, self.net, self.shared_size, self.kernel)
        return CSource(*what, scratch, source, self.arrays.data_bytes, (*strides, self.kernel.element))

    def _struct(self, net: NetArrays) -> str:
        hidden, inner, *_ = _strides(net)
        fields = [
            ("kernel", self.kernel.macro),
            ("block_count", len(net.blocks)),
            ("shared_size", self.shared_size),
            ("column_size", self.net.input_size - self.shared_size),
            ("output_size", self.net.output_size),
            ("hidden_stride", hidden),
            ("inner_stride", inner),
            ("shared", self._layer("shared", net.shared)),
            ("first", self._layer("first", net.first)),
            ("blocks", self._blocks(net.blocks)),
            ("last", self._layer("last", net.last)),
        ]
        lines = [f"    .{field} = {value}," for field, value in fields]
        return "\n".join([f"const kdp_net {self.symbol} = {{", *lines, "};", ""])

    def _blocks(self, blocks: tuple[BlockArrays, ...]) -> str:
        if not blocks:
            return "NULL"
        structs = []
        for number, block in enumerate(blocks):
            inner = self._layer(f"block{number}_inner", block.inner)
            branch = self._layer(f"block{number}_branch", block.branch)
            add = self._add(f"block{number}_add", block.add)
            parts = [f".inner = {inner}", f".branch = {branch}", f".add = {add}"]
            structs.append("    {\n        " + ",\n        ".join(parts) + ",\n    },\n")
        name = f"{self.symbol}_blocks"
        self.arrays.texts.append(
            f"static const kdp_block {name}[{len(structs)}] = {{\n{''.join(structs)}}};\n"
        )
        return name

    def _layer(self, name: str, layer: LayerArrays) -> str:
        weights = self.arrays.add(f"{name}_weights", "int8_t", layer.weights)
        rows = self.arrays.add(f"{name}_rows", "int32_t", layer.rows)
        return f"{{{weights}, {rows}, {layer.inputs}, {layer.outputs}}}"

    def _add(self, name: str, add: AddArrays) -> str:
        tables = self.arrays.add(name, "int32_t", add.tables)
        return f"{{{tables} + 128, {tables} + 256, {add.multiplier}, {1 << (add.shift - 1)}, {add.shift}}}"


def _title(net: IntegerNet) -> str:
    return f"Integer net {net.name!r} for firmware/nn, sha256 {net.sha256()}. Generated."


def header_of(sources: Sequence[CSource]) -> str:
    """Text of `<symbol>.h` of one net that is laid out for several kernels, which says so where it is not."""
    first = sources[0]
    name, net = first.symbol.upper(), first.net
    lines = [
        *c_head(_title(net)),
        f"#ifndef {name}_H",
        f"#define {name}_H",
        "",
        '#include "kdp_nn.h"',
        "",
        f"#define {name}_SHARED {first.shared_size}",
        f"#define {name}_COLUMNS {net.input_size - first.shared_size}",
        f"#define {name}_OUTPUTS {net.output_size}",
        f"#define {name}_MACS {net.macs}",
        "",
    ]
    for i, source in enumerate(sources):
        lines += [
            f"#{'elif' if i else 'if'} KDP_KERNEL == {source.kernel.macro}",
            f"#define {name}_SCRATCH(k) {source.scratch_text}",
        ]
    return "\n".join(
        [
            *lines,
            "#else",
            f'#error "{first.symbol} is not laid out for this kernel: export it again"',
            "#endif",
            "",
            *declared(f"extern const kdp_net {first.symbol};"),
            "",
            "#endif",
            "",
        ]
    )


def declared(*lines: str) -> list[str]:
    """Declarations of C that a C++ program takes as such."""
    return ["#ifdef __cplusplus", 'extern "C" {', "#endif", *lines, "#ifdef __cplusplus", "}", "#endif"]


def source_text(net: IntegerNet, symbol: str, kernel: Kernel, constants: list[str]) -> str:
    """Text of a source that is empty for every other kernel."""
    return "\n".join(
        [
            *c_head(_title(net)),
            f'#include "{symbol}.h"',
            "",
            f"#if KDP_KERNEL == {kernel.macro}",
            "",
            *constants,
            "#endif",
            "",
        ]
    )


def _strides(net: NetArrays) -> tuple[int, int, int, int, int]:
    """Hidden, inner, column and shared inputs and first outputs, padded: arguments of KDP_SCRATCH."""
    inner = max((block.branch.inputs for block in net.blocks), default=0)
    return net.last.inputs, inner, net.first.inputs, net.shared.inputs, net.first.outputs
