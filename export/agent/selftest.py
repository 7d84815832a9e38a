# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Self-test on the bundle's golden vectors: at the start, and whenever the host asks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from kdp_edge.exporters.agent.backends import DevicePlanner, runs
from kdp_edge.wire.protocol import SelfTest

NONE_FAILED = 0xFFFF
PRECISIONS = ("int8", "fp16", "fp32")  # of the layers; what goes in and comes out is int8 in all of them


@dataclass(frozen=True)
class Tolerance:
    """At most this share of outputs differs, by at most so many int8 steps."""

    share: float
    lsb: int


# TensorRT chooses its own kernels and order of rounding; not measured on a Jetson yet. int8: a sum on the
# other side of a half moves later layers by several steps. fp16, fp32: docs/tensorrt.md, "Three precisions".
TOLERANCES = {"int8": Tolerance(0.05, 8), "fp16": Tolerance(0.15, 2), "fp32": Tolerance(0.001, 1)}
GOLDEN_FILES = {
    "int8": "golden_qdq.safetensors", "fp16": "golden_float.safetensors", "fp32": "golden_float.safetensors"
}  # fmt: skip


def self_test(planner: DevicePlanner, folder: Path, exact: bool, precision: str = "int8") -> SelfTest:
    """Compare the back ends with the golden vectors.

    Args:
        planner: with the back ends to test.
        folder: of the bundle.
        exact: every output must be equal; else the precision's own vectors and tolerance decide.
        precision: of the back ends' layers, one of `PRECISIONS`.
    """
    vectors = load_file(folder / ("golden.safetensors" if exact else GOLDEN_FILES[precision]))
    tolerance = Tolerance(0, 0) if exact else TOLERANCES[precision]
    counted, first_failed = 0, NONE_FAILED
    for net, run in runs(planner):
        expected = vectors[f"{net.name}.outputs"].astype(np.int16)
        gap = np.abs(run(vectors[f"{net.name}.inputs"]) - expected)
        failed = _exceeding(gap, tolerance)
        if len(failed) and first_failed == NONE_FAILED:
            first_failed = counted + int(failed[0])
        counted += len(expected)
    if exact:  # whole plans cover what lies around the nets: quantizers, latents, choice, gains
        failed = _wrong_plans(planner, vectors)
        if len(failed) and first_failed == NONE_FAILED:
            first_failed = counted + int(failed[0])
        counted += len(vectors["plan.best"])
    return SelfTest(int(first_failed == NONE_FAILED), counted, first_failed)


def _wrong_plans(planner: DevicePlanner, vectors: dict[str, np.ndarray]) -> np.ndarray:
    """Indices of the golden plans that this planner does not make."""
    wrong = []
    inputs = zip(vectors["plan.observation"], vectors["plan.episode"], vectors["plan.index"], strict=True)
    for i, (observation, episode, index) in enumerate(inputs):
        made = planner.plan(observation, int(episode), int(index))
        same = (
            made.digest == vectors["plan.digest"][i]
            and made.best == vectors["plan.best"][i]
            and np.array_equal(made.actions, vectors["plan.actions"][i])
        )
        if not same:
            wrong.append(i)
    return np.asarray(wrong, np.int64)


def _exceeding(gap: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """Indices of the vectors that fail, given |difference| [vectors, outputs]."""
    if (gap != 0).mean() > tolerance.share:
        return np.flatnonzero(gap.any(1))
    return np.flatnonzero((gap > tolerance.lsb).any(1))
