# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How each kernel of firmware/nn wants weights and constants in memory: pure NumPy, no text.

The layouts are described at the head of firmware/nn/kdp_kernel_*.c; the numbers here decide the
loops there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown

# |bias| + 128 * sum |weight| of a row stays below this, so that kernels may double a sum in 32 bits
SUM_LIMIT = 1 << 30


@dataclass(frozen=True)
class Rows:
    """Constants of a layer's outputs, each int32 [outputs]; shift is to the right, >= 0."""

    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray

    def padded(self, outputs: int) -> Rows:
        """Extended by rows whose result is 0."""
        return Rows(*(np.pad(a, (0, outputs - len(a))) for a in (self.bias, self.multiplier, self.shift)))


@dataclass(frozen=True)
class Kernel:
    """Layout of one kernel.

    row_step and input_step: outputs and inputs are padded to multiples of these; first_step: the
    same for the two parts of the first layer, whose inputs are not the result of a layer.
    weights: int8 [outputs, inputs] (padded) -> flat int8; first_weights: the same for the first
    layer's columns, shared_weights for its shared inputs. rows: padded constants -> flat int32; biases:
    the same for the sums of the shared inputs.
    table_factor: of the values in an addition's tables, 1 or 2.
    """

    name: str
    macro: str
    element: int
    row_step: int
    input_step: int
    first_step: int
    weights: Callable[[np.ndarray], np.ndarray]
    first_weights: Callable[[np.ndarray], np.ndarray]
    shared_weights: Callable[[np.ndarray], np.ndarray]
    rows: Callable[[Rows], np.ndarray]
    biases: Callable[[np.ndarray], np.ndarray]
    table_factor: int
    check: Callable[[str, np.ndarray, Rows, bool], None]


def padded(size: int, step: int) -> int:
    """`size` rounded up to a multiple of `step`."""
    return -(-size // step) * step


def pad_weight(weight: np.ndarray, outputs: int, inputs: int) -> np.ndarray:
    """int8 [o, i] -> int8 [outputs, inputs], filled with zeros."""
    return np.pad(weight, ((0, outputs - weight.shape[0]), (0, inputs - weight.shape[1])))


def check_rows(where: str, weight: np.ndarray, rows: Rows, relu: bool) -> None:
    """Raise `KdpError` where a kernel's requantization would not be exact; all kernels rely on this."""
    largest = np.abs(rows.bias.astype(np.int64)) + 128 * np.abs(weight.astype(np.int64)).sum(1)
    if (largest >= SUM_LIMIT).any():
        row = int(largest.argmax())
        raise KdpError(
            f"{where}: output {row} can sum to {largest[row]}, expected below {SUM_LIMIT}; "
            "its bias is far larger than its weights - check training and calibration"
        )
    too_steep = (rows.shift < (0 if relu else 1)) & (rows.multiplier != 0)
    if too_steep.any():
        raise KdpError(
            f"{where}: output {int(too_steep.argmax())} multiplies its sum by 0.5 or more; its range is far "
            "too small for its weights - check training and calibration"
        )


def _row_pairs(weight: np.ndarray) -> np.ndarray:
    outputs, inputs = weight.shape
    return weight.reshape(outputs // 2, 2, inputs).transpose(0, 2, 1).reshape(-1)


def _tile_rows(rows: Rows) -> np.ndarray:
    # a multiplier that was flushed to zero, or padding: any shift above 0 gives 0
    shift = np.where(rows.multiplier == 0, 1, rows.shift)
    rounding = np.where(shift > 0, 1 << np.maximum(shift - 1, 0), 0)
    return np.stack([2 * rows.bias, rows.multiplier, rounding, shift], 1).reshape(-1)


def _twice(bias: np.ndarray) -> np.ndarray:
    return 2 * bias


PORTABLE = Kernel(
    name="portable",
    macro="KDP_KERNEL_PORTABLE",
    element=1,
    row_step=2,
    input_step=4,
    first_step=4,
    weights=_row_pairs,
    first_weights=_row_pairs,
    shared_weights=_row_pairs,
    rows=_tile_rows,
    biases=_twice,
    table_factor=2,
    check=check_rows,
)


def _m4_words(weight: np.ndarray) -> np.ndarray:
    """(256*w1 + w0, 256*w3 + w2) per word: the low bytes unpack to w0, w2 while w1, w3 need no unpacking."""
    outputs, inputs = weight.shape
    halves = weight.astype(np.int32).reshape(outputs, inputs // 2, 2)
    packed = (256 * halves[..., 1] + halves[..., 0]).astype("<i2")
    pairs = packed.reshape(outputs // 2, 2, inputs // 4, 2).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(pairs).reshape(-1).view(np.int8)


def check_m4(where: str, weight: np.ndarray, rows: Rows, relu: bool) -> None:
    """Raise `KdpError` where the M4 kernel's short cuts would not be exact."""
    check_rows(where, weight, rows, relu)
    largest = 127 * np.abs(weight.astype(np.int64)).sum(1)
    if (largest >= 1 << 23).any():
        row = int(largest.argmax())
        raise KdpError(
            f"{where}: output {row} can sum to {largest[row]} before its bias, expected below {1 << 23}; "
            "make the layer narrower or export for the portable kernel"
        )


M4 = Kernel(
    name="m4",
    macro="KDP_KERNEL_M4",
    element=2,
    row_step=2,
    input_step=8,
    first_step=2,
    weights=_m4_words,
    first_weights=_row_pairs,
    shared_weights=_row_pairs,
    rows=_tile_rows,
    biases=_twice,
    table_factor=2,
    check=check_m4,
)


def _mve_weights(weight: np.ndarray) -> np.ndarray:
    outputs, inputs = weight.shape
    return weight.reshape(outputs // 4, 4, inputs // 16, 16).transpose(0, 2, 1, 3).reshape(-1)


def _mve_rows(rows: Rows) -> np.ndarray:
    stacked = np.stack([rows.bias, rows.multiplier, -rows.shift])
    return stacked.reshape(3, -1, 4).transpose(1, 0, 2).reshape(-1)


MVE = Kernel(
    name="mve",
    macro="KDP_KERNEL_MVE",
    element=1,
    row_step=4,
    input_step=16,
    first_step=16,
    weights=_mve_weights,
    first_weights=_mve_weights,
    shared_weights=_mve_weights,
    rows=_mve_rows,
    biases=lambda bias: bias,
    table_factor=1,
    check=check_rows,
)


def _offset(weight: np.ndarray) -> np.ndarray:
    """u = w + 128 as [outputs / 2][inputs / 2][2 outputs][2 inputs]; see firmware/nn/kdp_tile_dual.h."""
    outputs, inputs = weight.shape
    u = (weight.astype(np.int16) + 128).astype(np.uint8)
    return u.reshape(outputs // 2, 2, inputs // 2, 2).transpose(0, 2, 1, 3).reshape(-1).view(np.int8)


DUAL = Kernel(
    name="dual",
    macro="KDP_KERNEL_DUAL",
    element=2,
    row_step=2,
    input_step=8,
    first_step=1,
    weights=_offset,
    first_weights=_row_pairs,
    shared_weights=_row_pairs,
    rows=_tile_rows,
    biases=_twice,
    table_factor=2,
    check=check_rows,
)

KERNELS = {kernel.name: kernel for kernel in (PORTABLE, M4, MVE, DUAL)}


def kernel_named(name: str) -> Kernel:
    """The layout called `name`; an unknown one becomes a `KdpError`."""
    if name not in KERNELS:
        raise unknown("kernel", name, KERNELS)
    return KERNELS[name]
