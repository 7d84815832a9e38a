# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Data that would be misread: refused in one line that names the field, or noted by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.data import store
from kdp_edge.data.importing import USUAL_HORIZON, USUAL_K, OwnRobot, Source, import_set
from kdp_edge.data.joins import find_joins
from kdp_edge.run import RunConfig

Arrays = dict[str, np.ndarray]
LENGTH, EPISODES = 20, 6
ROBOT = OwnRobot(50.0, safe=("0",))


def walks(columns: int = 3, acts: int = 2, apart: float = 8.0) -> Arrays:
    """Episodes of small random steps that begin far from each other; no next_observations."""
    rng, count = np.random.default_rng(0), LENGTH * EPISODES
    actions = rng.uniform(-0.9, 0.9, (count, acts))
    steps = 0.05 * rng.normal(size=(count, columns))
    path = steps.reshape(EPISODES, LENGTH, columns).cumsum(1)
    path += apart * rng.normal(size=(EPISODES, 1, columns))
    return {
        "observations": path.reshape(count, columns).astype(np.float32),
        "actions": actions.astype(np.float32),
        "rewards": rng.normal(size=count).astype(np.float32),
        "terminals": np.zeros(count, bool),
        "timeouts": np.arange(count) % LENGTH == LENGTH - 1,
    }


def written(home: Path, arrays: Arrays) -> str:
    with h5py.File(home / "arm.hdf5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return str(home / "arm.hdf5")


def notes(home: Path, arrays: Arrays, robot: OwnRobot = ROBOT) -> str:
    return "\n".join(import_set(Source(written(home, arrays)), "arm", robot, force=True).meta["notes"])


def refusal(home: Path, arrays: Arrays, robot: OwnRobot = ROBOT) -> str:
    with pytest.raises(KdpError) as refused:
        import_set(Source(written(home, arrays)), "arm", robot)
    assert refused.value.exit_code == 2 and "\n" not in str(refused.value)
    assert not store.exists("arm")
    return str(refused.value)


def test_walks_as_they_are_give_no_other_note(home: Path) -> None:
    assert notes(home, walks()) == "6 transitions without a successor dropped at time limits"


@pytest.mark.parametrize("field", ["rewards", "terminals", "timeouts"])
def test_several_columns_where_one_is_meant_are_refused(home: Path, field: str) -> None:
    arrays = walks()
    arrays[field] = np.repeat(arrays[field][:, None], 2, 1)
    assert f"field '{field}' has shape [120, 2], expected [120]" in refusal(home, arrays)


@pytest.mark.parametrize("field", ["rewards", "terminals", "timeouts"])
def test_scalars_and_groups_are_refused(home: Path, field: str) -> None:
    arrays = walks()
    arrays[field] = np.float32(1)
    assert f"field '{field}' is a scalar" in refusal(home, arrays)
    del arrays[field]
    arrays[f"{field}/inside"] = np.zeros(120)
    assert f"field '{field}' is a group (of inside)" in refusal(home, arrays)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool, np.float64])
def test_whole_numbers_are_rewards_and_one_column_is_a_vector(home: Path, dtype: type) -> None:
    arrays = walks()
    arrays["rewards"] = (arrays["rewards"] > 0).astype(dtype)[:, None]
    arrays["terminals"] = arrays["terminals"].astype(np.float64)
    notes(home, arrays)
    data = store.load_data("arm")
    kept = ~arrays["timeouts"]
    np.testing.assert_array_equal(data.rewards, arrays["rewards"][kept, 0].astype(np.float32))


def test_successors_of_the_next_episode_are_dropped_with_a_note(home: Path) -> None:
    arrays = walks()
    arrays["next_observations"] = np.roll(arrays["observations"], -1, 0)
    assert "'next_observations' of 5 rows at an episode's end, the first is row 19" in notes(home, arrays)
    data = store.load_data("arm")
    assert len(data) == 115  # the last row of the file has a successor of its own
    assert np.abs(data.next_observations - data.observations)[:-1].max() < 1


def test_a_log_that_was_cut_without_a_reset_keeps_its_successors(home: Path) -> None:
    arrays = walks()
    rng = np.random.default_rng(1)
    path = (0.05 * rng.normal(size=(121, 3))).cumsum(0).astype(np.float32)
    arrays["observations"], arrays["next_observations"] = path[:-1], path[1:]
    assert notes(home, arrays) == ""
    assert len(store.load_data("arm")) == 120


@pytest.mark.parametrize(("by", "word"), [(1, "late"), (-1, "early")])
@pytest.mark.parametrize("field", ["terminals", "timeouts"])
@pytest.mark.parametrize("successors", [False, True])
def test_flags_one_row_beside_are_refused(
    home: Path, by: int, word: str, field: str, successors: bool
) -> None:
    arrays = walks()
    if successors:
        arrays["next_observations"] = np.roll(arrays["observations"], -1, 0)
        ends = arrays["timeouts"]
        arrays["next_observations"][ends] = arrays["observations"][ends] + np.float32(0.01)
    flags = np.roll(arrays["timeouts"], by)
    arrays["timeouts"] = np.arange(120) == 119
    arrays[field] = arrays[field] | flags
    assert f"are one row {word}" in refusal(home, arrays)


def test_joins_that_no_flag_marks_end_an_episode(home: Path) -> None:
    arrays = walks()
    arrays["timeouts"][39] = False
    assert "1 steps jump far outside an episode's own steps, the first from row 39" in notes(home, arrays)
    data = store.load_data("arm")
    assert np.abs(data.next_observations - data.observations).max() < 1


def test_a_knock_that_the_successors_tell_ends_no_episode(home: Path) -> None:
    arrays = walks()
    arrays["observations"][30:40] += 3.0
    arrays["next_observations"] = np.roll(arrays["observations"], -1, 0)
    ends = arrays["timeouts"]
    arrays["next_observations"][ends] = arrays["observations"][ends] + np.float32(0.01)
    assert notes(home, arrays) == ""
    assert store.read_meta("arm")["episodes"] == ends.sum()


def test_one_signal_that_jumps_alone_is_no_join() -> None:
    arrays = walks(apart=0.0)
    observations = np.cumsum(0.05 * np.random.default_rng(2).normal(size=(120, 4)), 0).astype(np.float32)
    observations[:, 3] = (observations[:, 3] * 40 + np.pi) % (2 * np.pi)  # an angle that wraps
    observations[60:, 2] = 5.0  # a goal that is set once
    observations[:60, 2] = 1.0
    ends = np.arange(120) == 119
    joins = find_joins(observations, arrays["actions"], None, ends)
    assert not len(joins.unmarked(ends)) and not joins.late(ends) and not joins.early(ends)


def test_every_row_an_end_leaves_nothing(home: Path) -> None:
    arrays = walks()
    arrays["timeouts"][:] = True
    assert "no transition is left" in refusal(home, arrays)


def clock(rows: np.ndarray) -> np.ndarray:
    return 1.7e9 + 0.02 * rows


def encoder(rows: np.ndarray) -> np.ndarray:
    return 2.0**24 + 37 * rows


def micrometres(rows: np.ndarray) -> np.ndarray:
    return 2.0 + 1e-6 * np.sin(rows)


@pytest.mark.parametrize("signal", [clock, encoder, micrometres])
def test_what_float32_cannot_tell_apart_is_noted(home: Path, signal: Callable) -> None:
    arrays = walks()
    arrays["observations"] = arrays["observations"].astype(np.float64)
    arrays["observations"][:, 1] = signal(np.arange(120))
    assert "'observations' column 1 (observation_1): float32 tells" in notes(home, arrays)


@pytest.mark.parametrize("signal", [lambda rows: 5e-5 + 3e-7 * np.sin(rows), lambda rows: 1e6 + 0 * rows])
def test_small_signals_and_constants_are_not_blurred(home: Path, signal: Callable) -> None:
    arrays = walks()
    arrays["observations"] = arrays["observations"].astype(np.float64)
    arrays["observations"][:, 1] = signal(np.arange(120))
    assert "float32 tells" not in notes(home, arrays)


def test_columns_that_never_move_are_named_run_by_run(home: Path) -> None:
    arrays = walks(8)
    arrays["observations"][:, [1, 4, 5, 6]] = 2.0
    text = (
        "field 'observations' column 1 (observation_1), column 4 (observation_4) to column 6 (observation_6)"
    )
    assert f"never moves: {text}" in notes(home, arrays)


def test_a_glitch_row_is_noted_and_a_rare_contact_is_not(home: Path) -> None:
    arrays = walks()
    arrays["observations"][55, 0] = 1e5
    arrays["observations"][:, 2] = np.arange(120) == 77
    text = notes(home, arrays)
    assert "column 0 (observation_0): 98 % of the data" in text and "row 55 holds 1e+05" in text
    assert "column 2" not in text


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("field", ["rate_hz", "act_low", "act_high"])
def test_ranges_that_are_not_finite_are_refused(home: Path, field: str, value: float) -> None:
    robot = OwnRobot(**{"rate_hz": 50.0, "safe": ("0",), field: value})
    assert "--" + field.replace("_", "-") in refusal(home, walks(), robot)


def test_actions_beyond_the_range_offer_its_options(home: Path) -> None:
    arrays = walks()
    arrays["actions"] *= 2
    assert "--act-low and --act-high" in refusal(home, arrays)


def test_the_usual_plan_is_that_of_a_run() -> None:
    usual = RunConfig("t", "t", 1, 1)
    assert (usual.horizon, usual.k) == (USUAL_HORIZON, USUAL_K)


@pytest.mark.parametrize(("columns", "acts"), [(348, 2), (251, 1), (3, 65)])
def test_more_than_a_device_takes_is_refused_at_import(home: Path, columns: int, acts: int) -> None:
    assert "the firmware takes at most" in refusal(home, walks(columns, acts))


def test_more_than_the_usual_plan_takes_is_noted(home: Path) -> None:
    assert "a frame holds 1020: train with a smaller --horizon" in notes(home, walks(250, 10))


@pytest.mark.parametrize(
    ("env_id", "robot", "message"),
    [
        ("nosuch:Env-v0", {}, "cannot be made (No module named 'nosuch'"),
        ("Nosuch-v0", {}, "cannot be made (Environment `Nosuch` doesn't exist"),
        ("CartPole-v1", {}, "expected a Box of shape (3,)"),
        ("MountainCarContinuous-v0", {}, "has observations Box"),
        (
            "Pendulum-v1",
            {"act_low": -1.5, "act_high": 1.5},
            "action_0 from -2 to 2, expected -1.5 to 1.5",
        ),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(
    home: Path, env_id: str, robot: dict, message: str
) -> None:
    text = refusal(home, walks(3, 1), OwnRobot(50.0, env_id, **robot))
    assert message in text and env_id in text


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (2, 1), (20, 1), (20, 2)])
def test_one_signal_or_one_transition_is_shown(home: Path, rows: int, columns: int) -> None:
    from kdp_edge.data.quality import measure, print_quality, write_plots

    arrays = {name: array[:rows] for name, array in walks(columns, 1).items()}
    last = arrays["observations"][-1:]
    arrays["next_observations"] = np.concatenate([arrays["observations"][1:], last])
    arrays["timeouts"][-1] = True
    notes(home, arrays)
    data = store.load_data("arm")
    quality = measure(data)
    print_quality(quality)
    assert quality.episodes == 1 and 0 < quality.coverage <= 1
    if columns == 1:
        assert write_plots(data, quality).is_file()


def test_a_signal_of_small_numbers_moves_when_shown(home: Path) -> None:
    from kdp_edge.data.quality import measure

    arrays = walks()
    arrays["observations"][:, 1] = 5e-5 + 3e-7 * np.sin(np.arange(120))
    arrays["observations"][:, 2] = 7.0
    notes(home, arrays)
    quality = measure(store.load_data("arm"))
    assert quality.constant == ["observation_2"]
    assert quality.observations[1].low < quality.observations[1].high
