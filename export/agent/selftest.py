# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Self-test on the bundle's golden vectors: at the start, and whenever the host asks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from kdp_edge.exporters.agent.backends import DevicePlanner, runs
from kdp_edge.wire.protocol import SelfTest

NONE_FAILED = 0xFFFF
# TensorRT chooses its own kernels and order of rounding; not measured on a Jetson yet
TOLERANCE_SHARE, TOLERANCE_LSB = 0.05, 8


def self_test(planner: DevicePlanner, folder: Path, exact: bool) -> SelfTest:
    """Compare the back ends with the golden vectors.

    Args:
        planner: with the back ends to test.
        folder: of the bundle.
        exact: every output must be equal; else the Q/DQ vectors and a tolerance decide.
    """
    vectors = load_file(folder / ("golden.safetensors" if exact else "golden_qdq.safetensors"))
    counted, first_failed = 0, NONE_FAILED
    for net, run in runs(planner):
        expected = vectors[f"{net.name}.outputs"].astype(np.int16)
        gap = np.abs(run(vectors[f"{net.name}.inputs"]) - expected)
        failed = _exceeding(gap, exact)
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


def _exceeding(gap: np.ndarray, exact: bool) -> np.ndarray:
    """Indices of the vectors that fail, given |difference| [vectors, outputs]."""
    if exact:
        return np.flatnonzero(gap.any(1))
    if (gap != 0).mean() > TOLERANCE_SHARE:
        return np.flatnonzero(gap.any(1))
    return np.flatnonzero((gap > TOLERANCE_LSB).any(1))
