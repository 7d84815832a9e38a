# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The benchmark of plants that nobody tuned for (benchmarks/foreign): its data, rows and table."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.data import store
from kdp_edge.data.importing import Source, import_set
from kdp_edge.tasks import get_task, load_robot

FOREIGN = Path(__file__).parents[2] / "benchmarks" / "foreign"
RESULTS = FOREIGN.parent / "results" / "foreign.json"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch):
    """Modules of the benchmark by name, and none of them afterwards."""
    before = dict(sys.modules)
    monkeypatch.syspath_prepend(str(FOREIGN))
    yield importlib.import_module
    for name in ("run", "behaviour", "fly", "table"):
        if name not in before:
            sys.modules.pop(name, None)


def test_every_plant_has_a_robot_file_that_names_its_signals(named) -> None:
    run: ModuleType = named("run")
    for plant in (*run.FILES, *run.CONTROLLERS):
        robot = load_robot(run.robot_file(plant))
        signals = [signal.name for signal in (*robot.observations, *robot.actions)]
        assert robot.name == plant and len(set(signals)) == len(signals)


def test_recorded_episodes_are_those_that_are_imported_the_best_controller_first(named, home: Path) -> None:
    run, behaviour = named("run"), named("behaviour")
    robot, file = run.robot_file("pendulum"), home / "pendulum.hdf5"
    behaviour.record("pendulum", robot, 1200, file)
    import_set(Source(str(file)), "foreign-pendulum", load_robot(robot))
    data, task = store.load_data("foreign-pendulum"), get_task("foreign-pendulum")
    returns = data.rewards.reshape(6, 200).sum(1)
    best = run.best_of("pendulum", data, task)
    assert best["episodes"] == 2
    assert best["return_mean"] == pytest.approx(returns[[0, 3]].mean(), abs=1e-3)
    assert run.best_of("hopper", data, task)["return_mean"] == pytest.approx(np.max(returns), abs=1e-3)


def test_a_row_takes_no_word_of_other_data(named) -> None:
    run = named("run")
    row, now = ({"plant": "ant", "data": {"sha256": sha}} for sha in "ab")
    with pytest.raises(KdpError, match="ant: no row was made with these data"):
        run.same_data(row, now)
    assert run.same_data(row | {"seeds": [0]}, row) == row | {"seeds": [0]}


def test_the_page_holds_the_table_of_the_rows(named) -> None:
    table = named("table")
    page = (FOREIGN.parents[1] / "docs" / "benchmarks.md").read_text()
    for row in json.loads(RESULTS.read_text()):
        assert f"| {' | '.join(table.line(row))} |" in page
