"""Integer net -> one C header and source that firmware/nn runs: constants only, no code.

The same net gives the same text, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.c_layout import Kernel, Rows, kernel_named, pad_weight, padded
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear, Operation, check
from kdp_edge.quantization.reference import (
    ADD_LEFT_SHIFT,
    add_multipliers,
    linear_multipliers,
    multiply_by_quantized_multiplier,
)

LARGEST_LAYER = 0xFFFF  # sizes are uint16 in kdp_nn.h
NUMBERS_A_LINE = 24


@dataclass(frozen=True)
class CSource:
    """Text of `<symbol>.h` and `<symbol>.c`; scratch_bytes(k) is what SYMBOL_SCRATCH(k) expands to."""

    symbol: str
    header: str
    source: str
    data_bytes: int  # constants in flash
    strides: tuple[int, int, int, int, int, int]  # of KDP_SCRATCH, and the size of an activation

    def scratch_bytes(self, k: int) -> int:
        """Scratch memory for k candidates, bytes: KDP_SCRATCH of kdp_nn.h."""
        hidden, inner, first, shared, outputs, element = self.strides
        work = max(k * max(inner, first), shared)
        return sum(padded(n, 16) for n in (k * hidden * element, work * element, outputs * 4))


@dataclass(frozen=True)
class _Block:
    name: str  # C name part; an operation's own name may be any text
    inner: Linear
    branch: Linear
    add: Add


def c_arrays(net: IntegerNet, symbol: str, shared_size: int, kernel: str) -> CSource:
    """Write `net` for a kernel of firmware/nn.

    Args:
        net: a ReLU residual MLP (first, blocks of inner + branch + add, last).
        symbol: C name of the `kdp_net` constant, lower case; macros get it in upper case.
        shared_size: leading inputs that all candidates have in common, 0..input_size - 1.
        kernel: "portable", "m4" or "mve"; must be what the C compiler will select.
    Raises:
        KdpError: another structure, a bad symbol or shared_size, or sums beyond the kernel's range.
    """
    check(net)
    layout = kernel_named(kernel)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", symbol):
        raise KdpError(f"symbol {symbol!r} is not a lower-case C name")
    if not 0 <= shared_size < net.input_size:
        raise KdpError(f"integer net {net.name}: shared size {shared_size}, expected 0..{net.input_size - 1}")
    if max(net.sizes().values()) > LARGEST_LAYER - 15:
        raise KdpError(f"integer net {net.name}: a layer is wider than {LARGEST_LAYER - 15}")
    return _Writer(net, symbol, shared_size, layout).write()


def _structure(net: IntegerNet) -> tuple[Linear, list[_Block], Linear]:
    """Split into first, blocks, last; `KdpError` for a graph the kernels do not cover."""
    first, last, middle = net.operations[0], net.operations[-1], net.operations[1:-1]
    source = first.output
    blocks: list[_Block] = []
    for parts in zip(middle[::3], middle[1::3], middle[2::3], strict=False):
        block = _block(f"block{len(blocks)}", source, *parts)
        if block is None:
            break
        blocks.append(block)
        source = block.add.output
    if (
        len(net.operations) >= 2
        and 3 * len(blocks) == len(middle)
        and isinstance(first, Linear)
        and (first.input, first.relu) == (net.input_name, True)
        and isinstance(last, Linear)
        and (last.input, last.relu) == (source, False)
    ):
        return first, blocks, last
    raise KdpError(
        f"integer net {net.name}: not a ReLU residual MLP (first, blocks of inner, branch and add, "
        "last), which is all the C kernels run"
    )


def _block(name: str, source: str, inner: Operation, branch: Operation, add: Operation) -> _Block | None:
    """`relu(h + branch(relu(inner(h))))` on the tensor `source`, or None when it is something else."""
    if not (isinstance(inner, Linear) and isinstance(branch, Linear) and isinstance(add, Add)):
        return None
    connected = (inner.input, branch.input, {add.left, add.right}) == (
        source,
        inner.output,
        {source, branch.output},
    )
    right_relus = (inner.relu, branch.relu, add.relu) == (True, False, True)
    return _Block(name, inner, branch, add) if connected and right_relus else None


class _Writer:
    """Collects the arrays and the struct of one net."""

    def __init__(self, net: IntegerNet, symbol: str, shared_size: int, kernel: Kernel) -> None:
        self.net, self.symbol, self.shared_size, self.kernel = net, symbol, shared_size, kernel
        self.first, self.blocks, self.last = _structure(net)
        self.width = padded(len(self.first.bias), kernel.input_step)
        inner = max((len(b.inner.bias) for b in self.blocks), default=0)
        self.inner_width = padded(inner, kernel.input_step)
        self.column_inputs = padded(net.input_size - shared_size, kernel.first_step)
        self.shared_inputs = padded(shared_size, kernel.first_step)
        self.arrays: list[str] = []
        self.data_bytes = 0

    def write(self) -> CSource:
        outputs = padded(len(self.first.bias), self.kernel.row_step)
        struct = self._struct()
        strides = (self.width, self.inner_width, self.column_inputs, self.shared_inputs, outputs)
        source = "\n".join(
            [
                f"/* {self._title()} */",
                f'#include "{self.symbol}.h"',
                "",
                f"#if KDP_KERNEL != {self.kernel.macro}",
                f'#error "{self.symbol} is laid out for {self.kernel.macro}; export it for this target"',
                "#endif",
                "",
                *self.arrays,
                struct,
            ]
        )
        header = self._header(strides)
        return CSource(self.symbol, header, source, self.data_bytes, (*strides, self.kernel.element))

    def _title(self) -> str:
        return f"Integer net {self.net.name!r} for firmware/nn, sha256 {self.net.sha256()}. Generated."

    def _header(self, strides: tuple[int, ...]) -> str:
        name = self.symbol.upper()
        sizes = ", ".join(f"{s}u" for s in strides)
        return "\n".join(
            [
                f"/* {self._title()} */",
                f"#ifndef {name}_H",
                f"#define {name}_H",
                "",
                '#include "kdp_nn.h"',
                "",
                f"#define {name}_SHARED {self.shared_size}",
                f"#define {name}_COLUMNS {self.net.input_size - self.shared_size}",
                f"#define {name}_OUTPUTS {self.net.output_size}",
                f"#define {name}_MACS {self.net.macs}",
                f"#define {name}_SCRATCH(k) KDP_SCRATCH(k, {sizes})",
                "",
                f"extern const kdp_net {self.symbol};",
                "",
                "#endif",
                "",
            ]
        )

    def _struct(self) -> str:
        kernel, shared = self.kernel, self.shared_size
        bias_only = Rows(self.first.bias, *[np.zeros_like(self.first.bias)] * 2)
        fields = [
            ("kernel", kernel.macro),
            ("block_count", len(self.blocks)),
            ("shared_size", shared),
            ("column_size", self.net.input_size - shared),
            ("output_size", self.net.output_size),
            ("hidden_stride", self.width),
            ("inner_stride", self.inner_width),
        ]
        outputs = padded(len(self.first.bias), kernel.row_step)
        shared_weight = pad_weight(self.first.weight[:, :shared], outputs, self.shared_inputs)
        column_weight = pad_weight(self.first.weight[:, shared:], outputs, self.column_inputs)
        self._check(self.first)
        rows = self._rows(self.first).padded(outputs)
        weights = kernel.shared_weights(shared_weight)
        biases = kernel.biases(bias_only.padded(outputs).bias)
        fields.append(("shared", self._layer_struct("shared", weights, biases, shared_weight.shape)))
        weights = kernel.first_weights(column_weight)
        fields.append(("first", self._layer_struct("first", weights, kernel.rows(rows), column_weight.shape)))
        fields.append(("blocks", self._blocks()))
        fields.append(("last", self._layer("last", self.last, self.width)))
        lines = [f"    .{field} = {value}," for field, value in fields]
        return "\n".join([f"const kdp_net {self.symbol} = {{", *lines, "};", ""])

    def _blocks(self) -> str:
        if not self.blocks:
            return "NULL"
        structs = []
        for block in self.blocks:
            inner = self._layer(f"{block.name}_inner", block.inner, self.width)
            inputs = padded(len(block.inner.bias), self.kernel.input_step)
            branch = self._layer(f"{block.name}_branch", block.branch, inputs)
            parts = [f".inner = {inner}", f".branch = {branch}", f".add = {self._add(block)}"]
            structs.append("    {\n        " + ",\n        ".join(parts) + ",\n    },\n")
        name = f"{self.symbol}_blocks"
        self.arrays.append(f"static const kdp_block {name}[{len(structs)}] = {{\n{''.join(structs)}}};\n")
        return name

    def _layer(self, name: str, op: Linear, inputs: int) -> str:
        self._check(op)
        outputs = padded(len(op.bias), self.kernel.row_step)
        weight = pad_weight(op.weight, outputs, inputs)
        rows = self.kernel.rows(self._rows(op).padded(outputs))
        return self._layer_struct(name, self.kernel.weights(weight), rows, weight.shape)

    def _check(self, op: Linear) -> None:
        where = f"integer net {self.net.name}: {op.name} ({self.kernel.name} kernel)"
        self.kernel.check(where, op.weight, self._rows(op), op.relu)

    def _rows(self, op: Linear) -> Rows:
        multiplier, shift = linear_multipliers(self.net, op)
        return Rows(op.bias, multiplier, -shift)

    def _layer_struct(self, name: str, weights: np.ndarray, rows: np.ndarray, shape: tuple[int, ...]) -> str:
        weights_name = self._array(f"{name}_weights", "int8_t", weights)
        rows_name = self._array(f"{name}_rows", "int32_t", rows)
        return f"{{{weights_name}, {rows_name}, {shape[1]}, {shape[0]}}}"

    def _add(self, block: _Block) -> str:
        of_left, of_right, of_sum = add_multipliers(self.net, block.add)
        of_residual, of_branch = of_left, of_right
        if block.add.left == block.branch.output:
            of_residual, of_branch = of_right, of_left
        # [256] of the branch's value, whose middle the struct points to, then [128] of h
        parts = _table(np.arange(-128, 128), of_branch), _table(np.arange(128), of_residual)
        tables = self.kernel.table_factor * np.concatenate(parts)
        name = self._array(f"{block.name}_add", "int32_t", tables)
        multiplier, shift = of_sum[0], -of_sum[1]
        if shift < 1:
            raise KdpError(f"integer net {self.net.name}: {block.add.name} amplifies; quantize again")
        return f"{{{name} + 128, {name} + 256, {multiplier}, {1 << (shift - 1)}, {shift}}}"

    def _array(self, name: str, ctype: str, values: np.ndarray) -> str:
        """Append a constant; an empty one (no shared inputs) becomes NULL."""
        if values.size == 0:
            return "NULL"
        name = f"{self.symbol}_{name}"
        numbers = [str(int(v)) for v in values]
        lines = [", ".join(numbers[i : i + NUMBERS_A_LINE]) for i in range(0, len(numbers), NUMBERS_A_LINE)]
        body = ",\n    ".join(lines)
        self.arrays.append(
            f"KDP_ALIGNED static const {ctype} {name}[{len(numbers)}] = {{\n    {body},\n}};\n"
        )
        self.data_bytes += len(numbers) * (4 if ctype == "int32_t" else 1)
        return name


def _table(values: np.ndarray, of: tuple[int, int]) -> np.ndarray:
    """What an addition makes of one int8 input before it sums, int32: kdp_add in kdp_nn.h."""
    return multiply_by_quantized_multiplier(values.astype(np.int64) << ADD_LEFT_SHIFT, *of)
