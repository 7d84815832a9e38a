# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An actor's integer net as the arrays and places that firmware/nn/kdp_actor.c reads: numbers only, no text.

An activation keeps its place in scratch until it was read for the last time; then another takes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdp_edge.exporters.c_layout import Kernel, Rows, pad_weight, padded
from kdp_edge.exporters.net_layout import input_table
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear, Operation, Table, check
from kdp_edge.quantization.reference import add_multipliers, linear_multipliers

ALIGNMENT = 16


@dataclass(frozen=True)
class OpArrays:
    """kdp_op: what it reads and writes, and the arrays of its kind; empty ones are not of its kind."""

    op: Operation
    from_size: int
    to_size: int
    weights: np.ndarray  # flat int8
    biases: np.ndarray  # int32
    multipliers: np.ndarray  # int32
    shifts: np.ndarray  # uint8
    inputs: int  # padded sizes of a layer
    outputs: int
    sum: tuple[int, int]  # multiplier and shift of an addition
    tables: np.ndarray  # int32 [512] of an addition, int8 [256] of a table


@dataclass(frozen=True)
class ActorArrays:
    """kdp_actor: operations, the place of every activation, and places and sizes of what lies behind."""

    ops: tuple[OpArrays, ...]
    places: dict[str, int]
    work_at: int
    sums_at: int
    scratch: int


def lay_out_actor(net: IntegerNet, kernel: Kernel) -> ActorArrays:
    """The arrays of `net` for one kernel; raises `KdpError` for sums beyond the kernel's range."""
    check(net)
    ops = tuple(_op(net, op, kernel) for op in net.operations)
    places, end = _places(net)
    work = max(op.inputs for op in ops) * kernel.element
    sums_at = end + padded(work, ALIGNMENT)
    scratch = sums_at + padded(4 * max(op.outputs for op in ops), ALIGNMENT)
    return ActorArrays(ops, places, end, sums_at, scratch)


def _places(net: IntegerNet) -> tuple[dict[str, int], int]:
    """Where each activation starts, and where the last one ends; both multiples of 16."""
    last_read = {name: number for number, op in enumerate(net.operations) for name in op.inputs}
    last_read[net.output_name] = len(net.operations)
    sizes, places, end = net.sizes(), {net.input_name: 0}, 0
    for number, op in enumerate(net.operations):
        living = sorted(
            (place, place + padded(sizes[name], ALIGNMENT))
            for name, place in places.items()
            if last_read.get(name, -1) >= number
        )
        at = 0
        for begin, stop in living:
            if at + sizes[op.output] <= begin:
                break
            at = max(at, stop)
        places[op.output] = at
    end = max(place + padded(sizes[name], ALIGNMENT) for name, place in places.items())
    return places, end


def _op(net: IntegerNet, op: Operation, kernel: Kernel) -> OpArrays:
    sizes = net.sizes()
    from_size, to_size = sizes[op.inputs[0]], sizes[op.output]
    nothing = np.zeros(0, np.int32)
    if isinstance(op, Table):
        parts = (nothing, nothing, nothing, nothing, 0, 0, (0, 0), op.table)
    elif isinstance(op, Add):
        of_left, of_right, of_sum = add_multipliers(net, op)
        tables = np.concatenate([input_table(np.arange(-128, 128), of) for of in (of_left, of_right)])
        parts = (*(nothing,) * 4, 0, 0, (of_sum[0], -of_sum[1]), kernel.table_factor * tables)
    else:
        parts = _dense(net, op, kernel)
    return OpArrays(op, from_size, to_size, *parts)


def _dense(net: IntegerNet, op: Linear, kernel: Kernel):  # type: ignore[no-untyped-def]
    multiplier, shift = linear_multipliers(net, op)
    rows = Rows(op.bias, multiplier, -shift)
    kernel.check(f"integer net {net.name}: {op.name} ({kernel.name} kernel)", op.weight, rows, True)
    outputs = padded(len(op.bias), kernel.row_step)
    inputs = padded(op.weight.shape[1], kernel.first_step)
    weights = kernel.shared_weights(pad_weight(op.weight, outputs, inputs))
    biases = kernel.biases(rows.padded(outputs).bias)
    shifts = (-shift).astype(np.uint8)
    return weights, biases, multiplier, shifts, inputs, outputs, (0, 0), np.zeros(0, np.int32)
