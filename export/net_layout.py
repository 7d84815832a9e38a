# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An integer net as the arrays that one kernel of firmware/nn reads: numbers only, no text.

The structs of firmware/nn/kdp_nn.h, with arrays where those have pointers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.c_layout import Kernel, Rows, pad_weight, padded
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear, check
from kdp_edge.quantization.reference import (
    ADD_LEFT_SHIFT,
    add_multipliers,
    linear_multipliers,
    multiply_by_quantized_multiplier,
)


@dataclass(frozen=True)
class LayerArrays:
    """kdp_layer: flat int8 weights and int32 rows; inputs and outputs are the padded sizes."""

    weights: np.ndarray
    rows: np.ndarray
    inputs: int
    outputs: int


@dataclass(frozen=True)
class AddArrays:
    """kdp_add: int32 [256] of the branch's value -128..127, then [128] of h in 0..127."""

    tables: np.ndarray
    multiplier: int
    shift: int


@dataclass(frozen=True)
class BlockArrays:
    """kdp_block; inner_size is the unpadded length of its inner activations."""

    inner: LayerArrays
    branch: LayerArrays
    add: AddArrays
    inner_size: int


@dataclass(frozen=True)
class NetArrays:
    """kdp_net; width is the unpadded length of the hidden activations."""

    width: int
    shared: LayerArrays
    first: LayerArrays
    blocks: tuple[BlockArrays, ...]
    last: LayerArrays


def lay_out(net: IntegerNet, shared_size: int, kernel: Kernel) -> NetArrays:
    """The arrays of `net`, whose first `shared_size` inputs all candidates have in common.

    Raises:
        KdpError: another structure than a ReLU residual MLP, or sums beyond the kernel's range.
    """
    check(net)
    first, blocks, last = _structure(net)
    width = len(first.bias)
    hidden, outputs = padded(width, kernel.input_step), padded(width, kernel.row_step)
    rows = _rows(net, first, kernel).padded(outputs)
    shared, column = (
        pad_weight(part, outputs, padded(part.shape[1], kernel.first_step))
        for part in (first.weight[:, :shared_size], first.weight[:, shared_size:])
    )
    return NetArrays(
        width,
        LayerArrays(kernel.shared_weights(shared), kernel.biases(rows.bias), shared.shape[1], outputs),
        LayerArrays(kernel.first_weights(column), kernel.rows(rows), column.shape[1], outputs),
        tuple(_block(net, hidden, kernel, *block) for block in blocks),
        _layer(net, last, hidden, kernel),
    )


def _structure(net: IntegerNet) -> tuple[Linear, list[tuple[Linear, Linear, Add]], Linear]:
    operations: tuple[Any, ...] = net.operations  # of which kind each one is, is what this checks
    first, last, middle = operations[0], operations[-1], operations[1:-1]
    fits = isinstance(first, Linear) and isinstance(last, Linear) and len(operations) >= 2
    fits = fits and len(middle) % 3 == 0
    blocks = list(zip(middle[::3], middle[1::3], middle[2::3], strict=True)) if fits else []
    source = first.output
    for inner, branch, add in blocks:
        fits = fits and isinstance(inner, Linear) and isinstance(branch, Linear) and isinstance(add, Add)
        fits = fits and (inner.relu, branch.relu, add.relu) == (True, False, True)
        fits = fits and (inner.input, branch.input) == (source, inner.output)
        fits = fits and {add.left, add.right} == {source, branch.output}
        source = add.output
    fits = fits and (first.input, first.relu) == (net.input_name, True)
    if not fits or (last.input, last.relu) != (source, False):
        raise KdpError(
            f"integer net {net.name}: not a ReLU residual MLP (first, blocks of inner, branch and add, "
            "last), which is all the C kernels run"
        )
    return first, blocks, last


def _block(
    net: IntegerNet, hidden: int, kernel: Kernel, inner: Linear, branch: Linear, add: Add
) -> BlockArrays:
    size = len(inner.bias)
    return BlockArrays(
        _layer(net, inner, hidden, kernel),
        _layer(net, branch, padded(size, kernel.input_step), kernel),
        _add(net, add, branch.output, kernel),
        size,
    )


def _layer(net: IntegerNet, op: Linear, inputs: int, kernel: Kernel) -> LayerArrays:
    outputs = padded(len(op.bias), kernel.row_step)
    rows = kernel.rows(_rows(net, op, kernel).padded(outputs))
    return LayerArrays(kernel.weights(pad_weight(op.weight, outputs, inputs)), rows, inputs, outputs)


def _rows(net: IntegerNet, op: Linear, kernel: Kernel) -> Rows:
    multiplier, shift = linear_multipliers(net, op)
    rows = Rows(op.bias, multiplier, -shift)
    kernel.check(f"integer net {net.name}: {op.name} ({kernel.name} kernel)", op.weight, rows, op.relu)
    return rows


def _add(net: IntegerNet, add: Add, branch: str, kernel: Kernel) -> AddArrays:
    of_residual, of_branch, of_sum = add_multipliers(net, add)
    if add.left == branch:
        of_residual, of_branch = of_branch, of_residual
    if of_sum[1] >= 0:
        raise KdpError(f"integer net {net.name}: {add.name} amplifies; quantize again")
    tables = np.concatenate(
        [input_table(np.arange(-128, 128), of_branch), input_table(np.arange(128), of_residual)]
    )
    return AddArrays(kernel.table_factor * tables, of_sum[0], -of_sum[1])


def input_table(values: np.ndarray, of: tuple[int, int]) -> np.ndarray:
    """What an addition makes of one int8 input before it sums, int32: kdp_add in kdp_nn.h."""
    return multiply_by_quantized_multiplier(values.astype(np.int64) << ADD_LEFT_SHIFT, *of)
