# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Traits as they are measured on local twins, for tests of what follows from them."""

from __future__ import annotations

from dataclasses import replace

from kdp_edge.learn.traits import Traits

MEDIUM_EXPERT = Traits(
    signals=11, actuators=3, transitions=400_000, episodes=750, length=533.0, ends=0.65, goals=0,
    same_reward=0.0, rewards=True, verdict=False, best=0.45, step=0.2, stands=1.0,
)  # fmt: skip
MEDIUM = replace(MEDIUM_EXPERT, ends=0.94, stands=0.01)  # whose best episodes fall as well
