# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Data sets are a function of their recipe, whole or absent, and readable by Minari."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import app
from kdp_edge.data import store
from kdp_edge.data.making.make import make
from kdp_edge.data.making.randomise import RANGES, RandomisedPlant
from kdp_edge.tasks import get_task
from kdp_edge.tasks.environments import make_env, mujoco_data

TASK = get_task("hopper-medium-expert")
COMMAND = [sys.executable, "-c", "from kdp_edge.cli import main; main()", "data", "make"]


def test_same_seed_gives_the_same_data_whatever_the_number_of_workers() -> None:
    one = make(TASK, 2000, seed=3, workers=1, name="one").meta
    two = make(TASK, 2000, seed=3, workers=2, name="two").meta
    other = make(TASK, 2000, seed=4, workers=1, name="other").meta
    assert one["sha256"] == two["sha256"] != other["sha256"]


def test_a_data_set_has_exactly_the_steps_asked_for_and_consistent_episodes() -> None:
    make(TASK, 3001, seed=0, workers=1, name="set")
    data = store.load_data("set")
    assert len(data) == 3001
    assert data.ends[-1]
    assert not (data.terminals & ~data.ends).any()
    inside = ~data.ends
    np.testing.assert_array_equal(
        data.next_observations[:-1][inside[:-1]], data.observations[1:][inside[:-1]]
    )


def test_minari_loads_the_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(TASK, 2000, seed=0, workers=1)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(home / "data"))
    import minari

    loaded = minari.load_dataset("kdp-local/hopper-medium-expert-v0")
    assert loaded.total_steps == 2000
    assert loaded.env_spec.id == "Hopper-v5"


def test_the_same_recipe_is_reused_and_another_refused() -> None:
    made = make(TASK, 2000, seed=0, workers=1)
    assert not made.reused
    assert make(TASK, 2000, seed=0, workers=1).reused
    with pytest.raises(KdpError, match="seed 0; asked for 2000 steps, seed 1"):
        make(TASK, 2000, seed=1, workers=1)
    assert make(TASK, 2000, seed=1, workers=1, force=True).meta["sha256"] != made.meta["sha256"]


def test_randomised_data_are_a_set_of_their_own_that_says_what_was_drawn() -> None:
    plain = make(TASK, 2000, seed=3, workers=1, name="plain").meta
    one = make(TASK, 2000, seed=3, workers=1, randomise=True)
    two = make(TASK, 2000, seed=3, workers=2, name="two", randomise=True).meta
    assert one.name == "hopper-medium-expert-randomised"
    assert one.meta["sha256"] == two["sha256"] != plain["sha256"]
    assert (plain["origin"], two["origin"]) == ("local twin", "randomised twin")
    shown = CliRunner().invoke(app, ["data", "show", "two"]).stdout
    assert "randomised twin" in shown and "mass 0.85 to 1.15" in shown
    for taken in (TASK.name, "walker2d-medium"):
        with pytest.raises(KdpError, match="nominal plant"):
            make(TASK, 2000, seed=3, workers=1, name=taken, force=True, randomise=True)
    with pytest.raises(KdpError, match=r"seed 3; asked for 2000 steps, seed 3, randomised\)"):
        make(TASK, 2000, seed=3, workers=1, name="plain", randomise=True)


def test_every_episode_has_a_plant_of_its_own_within_the_ranges() -> None:
    plants = [RandomisedPlant(make_env(TASK), (5, 0, 0, number)) for number in (0, 0, 1)]
    model, nominal = mujoco_data(plants[0].env).model, mujoco_data(make_env(TASK)).model
    drawn = []
    for _ in range(20):
        for plant in plants:
            plant.reset(seed=1)
        first, same, other = (dict(plant.drawn) for plant in plants)
        assert first == same != other
        for field, factor in ("body_mass", "mass"), ("geom_friction", "friction"):
            expected = first[factor] * getattr(nominal, field)
            np.testing.assert_allclose(getattr(model, field), expected, rtol=1e-12)
        drawn.append(first)
    for name, (low, high) in RANGES.items():
        values = np.array([one[name] for one in drawn])
        assert low <= values.min() < low + (high - low) / 4 and high - (high - low) / 4 < values.max() <= high


def test_changed_content_is_refused_by_its_hash(home: Path) -> None:
    import h5py

    make(TASK, 2000, seed=0, workers=1)
    file = next(home.rglob("main_data.hdf5"))
    with h5py.File(file, "a") as stored:
        stored["episode_0/rewards"][0] += 1.0
    with pytest.raises(KdpError, match="sha256"):
        store.load_data(TASK.name)


def test_an_interrupted_make_leaves_nothing(home: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, TASK.name, "--steps", "400000"],
        env={**os.environ, "KDP_EDGE_HOME": str(home)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    time.sleep(4.0)
    assert process.poll() is None, process.communicate()[1]
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert store.names() == []
    assert [path for path in home.rglob("*") if path.is_file()] == []
