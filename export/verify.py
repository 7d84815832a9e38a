# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A bundle's proof of itself: what was compared with the integer reference, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdp_edge.base.errors import GATE_FAILED, KdpError

# ONNX Runtime rounds products in float32: a few outputs in ten thousand land on the other side of a tie
ONNX_RUNTIME_FRACTION = 0.005
ONNX_RUNTIME_LSB = 3


@dataclass(frozen=True)
class Check:
    """One comparison: `value` against `limit` over `count` items, in the unit that `name` says."""

    name: str
    limit: float
    value: float
    count: int
    passed: bool
    note: str = ""


def equal(name: str, expected: np.ndarray, found: np.ndarray) -> Check:
    """Every element the same; the note says where the first difference is."""
    _same_shape(name, expected, found)
    different = np.argwhere(expected != found)
    note = ""
    if len(different):
        first = tuple(int(i) for i in different[0])
        note = f"first at {list(first)}: expected {expected[first]}, found {found[first]}"
    return Check(f"{name}: differing outputs", 0, len(different), expected.size, not len(different), note)


def close(
    name: str,
    expected: np.ndarray,
    found: np.ndarray,
    fraction: float = ONNX_RUNTIME_FRACTION,
    lsb: int = ONNX_RUNTIME_LSB,
) -> list[Check]:
    """int8 arrays that may differ in a small share of elements by a few integer steps."""
    _same_shape(name, expected, found)
    gap = np.abs(expected.astype(np.int32) - found.astype(np.int32))
    share = float((gap != 0).mean())
    largest = int(gap.max(initial=0))
    return [
        Check(f"{name}: share of outputs that differ", fraction, share, gap.size, share <= fraction),
        Check(f"{name}: largest difference in LSB", lsb, largest, gap.size, largest <= lsb),
    ]


def require(checks: Sequence[Check], target: str) -> None:
    """Raise `KdpError` (a gate failed) with the first check that did not pass."""
    for check in checks:
        if not check.passed:
            note = f"; {check.note}" if check.note else ""
            raise KdpError(
                f"export {target}: {check.name} is {check.value:g} over {check.count}, "
                f"limit {check.limit:g}{note}; nothing was written - this is a defect of the exporter "
                "or of an installed runtime's version",
                GATE_FAILED,
            )


def _same_shape(name: str, expected: np.ndarray, found: np.ndarray) -> None:
    if expected.shape != found.shape:
        raise KdpError(
            f"{name}: outputs have shape {list(found.shape)}, expected {list(expected.shape)}", GATE_FAILED
        )
