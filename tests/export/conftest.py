# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""One small planner and one bundle of it for all tests of this room."""

from __future__ import annotations

import pytest

from kdp_edge.exporters.bundle import Bundle
from kdp_edge.exporters.targets import export_planner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner


@pytest.fixture(scope="session")
def planner() -> IntegerPlanner:
    return random_planner(obs_dim=5, act_dim=2, width=32, blocks=2, critic_width=24, k=4, critic_steps=2)


@pytest.fixture(scope="session")
def tflm_bundle(planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return export_planner(planner, "tflm", tmp_path_factory.mktemp("bundles") / "tflm", {"run": "test"})
