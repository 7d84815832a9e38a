# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""One workspace with a robot, its plant and its data, for all imports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.data.importing import Source, import_set
from kdp_edge.tasks.robot_text import robot_text
from tests.data.test_import import write_hdf5
from tests.data.test_robots import LIFT, PLANT


@pytest.fixture(scope="package")  # not longer: other tests stand in their own folder
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with `lift.toml` and the data set `lift`: 2 observations, 2 actions in newtons."""
    folder = tmp_path_factory.mktemp("policies")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        patch.setenv("KDP_EDGE_HOME", str(folder / "work"))
        (folder / "lift_plant.py").write_text(PLANT)
        (folder / "lift.toml").write_text(robot_text(LIFT))
        rng, rows = np.random.default_rng(0), 1200
        fields = {
            "observations": rng.normal(0, 1, (rows, 2)).astype(np.float32),
            "actions": rng.uniform([0, -2], [3, 2], (rows, 2)).astype(np.float32),
            "rewards": rng.uniform(0, 1, rows).astype(np.float32),
            "terminals": np.zeros(rows, bool),
            "timeouts": np.arange(rows) % 40 == 39,
        }
        write_hdf5(folder / "flights.hdf5", fields)
        import_set(Source("flights.hdf5"), "lift", LIFT)
        yield folder


@pytest.fixture
def observations() -> np.ndarray:
    """float32 [200, 2]."""
    return np.random.default_rng(5).normal(0, 1, (200, 2)).astype(np.float32)
