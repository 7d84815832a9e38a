# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Policies of random weights, exported and compiled once a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from kdp_edge.exporters import targets
from kdp_edge.exporters.build import Image, compile_bundle
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner
from tests.firmware.record_budgets import budget_planner


@pytest.fixture(scope="session")
def planner() -> IntegerPlanner:
    """Hopper's shape."""
    return budget_planner()


@pytest.fixture(scope="session")
def bundle(planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its firmware bundle, verified by the export itself."""
    return targets.export_planner(planner, "firmware", tmp_path_factory.mktemp("policy") / "bundle", {}).path


@pytest.fixture(scope="session")
def image_of(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Image]:
    """The image of `bundle` for a board, built once."""
    folder = tmp_path_factory.mktemp("images")
    return cache(lambda board: compile_bundle(bundle, board, folder / board))


@pytest.fixture(scope="session")
def small_planner() -> IntegerPlanner:
    """Tiny nets, so that a walk over all states is quick; every limit of the fail-safe can be reached."""
    shape = dict(obs_dim=3, act_dim=2, horizon=4, latent_dim=3, width=16, blocks=1, critic_width=8, k=3)
    limits = dict(chunk=2, safe_steps=2, act_rate=[0.3, 0.5], act_low=[-0.5, -1.0], safe_action=[0.1, -0.2])
    limits |= dict(safe_hold=[False, True])
    limits |= dict(deadline_us=5000)  # less than the period, so that a plan can be late by one
    return random_planner(**shape, **limits)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def small_bundle(small_planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return targets.export_planner(
        small_planner, "firmware", tmp_path_factory.mktemp("small") / "bundle", {}
    ).path


@pytest.fixture(scope="session")
def small_library(small_bundle: Path) -> HostLibrary:
    """The C core that serves `small_planner`, in this process."""
    return HostLibrary.compile(small_bundle)
