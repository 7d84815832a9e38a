"""How each kernel of firmware/nn wants weights and constants in memory: pure NumPy, no text.

The layouts are described at the head of firmware/nn/kdp_kernel_*.c; the numbers here decide the
loops there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kdp_edge.errors import KdpError

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
    layer's columns, shared_weights for its shared inputs. rows: padded constants -> flat int32.
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
    tables: bool
    check: Callable[[str, np.ndarray, Rows, bool], None]


def padded(size: int, step: int) -> int:
    """`size` rounded up to a multiple of `step`."""
    return -(-size // step) * step


def pad_weight(weight: np.ndarray, outputs: int, inputs: int) -> np.ndarray:
    """int8 [o, i] -> int8 [outputs, inputs], filled with zeros."""
    return np.pad(weight, ((0, outputs - weight.shape[0]), (0, inputs - weight.shape[1])))


def check_sums(where: str, weight: np.ndarray, rows: Rows, relu: bool) -> None:
    """Raise `KdpError` when a sum could reach `SUM_LIMIT`; every kernel relies on this."""
    largest = np.abs(rows.bias.astype(np.int64)) + 128 * np.abs(weight.astype(np.int64)).sum(1)
    if (largest >= SUM_LIMIT).any():
        row = int(largest.argmax())
        raise KdpError(
            f"{where}: output {row} can sum to {largest[row]}, expected below {SUM_LIMIT}; "
            "its bias is far larger than its weights - check training and calibration"
        )


def _row_pairs(weight: np.ndarray) -> np.ndarray:
    outputs, inputs = weight.shape
    return weight.reshape(outputs // 2, 2, inputs).transpose(0, 2, 1).reshape(-1)


def _portable_rows(rows: Rows) -> np.ndarray:
    return np.stack([rows.bias, rows.multiplier, rows.shift], 1).reshape(-1)


PORTABLE = Kernel(
    name="portable",
    macro="KDP_KERNEL_PORTABLE",
    element=1,
    row_step=2,
    input_step=2,
    first_step=1,
    weights=_row_pairs,
    first_weights=_row_pairs,
    shared_weights=_row_pairs,
    rows=_portable_rows,
    tables=True,
    check=check_sums,
)

KERNELS = {kernel.name: kernel for kernel in (PORTABLE,)}


def kernel_named(name: str) -> Kernel:
    """The layout called `name`; an unknown one becomes a `KdpError`."""
    if name not in KERNELS:
        raise KdpError(f"kernel {name!r} is unknown, expected one of {', '.join(KERNELS)}")
    return KERNELS[name]
