# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A robot of the user's own: its file, plant, units and safe actions, from import to the device."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.data import store
from kdp_edge.data.importing import OwnRobot, Source, import_set
from kdp_edge.data.robots import checked, drafted
from kdp_edge.hil.closed_loop import closed_loop
from kdp_edge.hil.replay import Recorded
from kdp_edge.learn.train import train
from kdp_edge.quantization.policy import load_planner, quantize
from kdp_edge.run import Run
from kdp_edge.tasks import TASKS, get_task, load_robot
from kdp_edge.tasks.robot import Action, Observation, Plant, Robot, Safety, Score
from kdp_edge.tasks.robot_text import robot_text
from tests.data.test_import import write_hdf5

PLANT = '''
import gymnasium
import numpy as np


class Lift(gymnasium.Env):
    """A mass on a thruster of 0 to 3 N and a fan of -2 to 2 N; it hovers at 1 N."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gymnasium.spaces.Box(np.float32([0, -2]), np.float32([3, 2]))
    dt = 0.02

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = self.np_random.normal(0, 0.1, 2)
        return self.state.astype(np.float32), {}

    def step(self, action):
        assert self.action_space.contains(np.asarray(action, np.float32)), action
        self.state[1] += self.dt * (float(action[0]) - 1 + 0.1 * float(action[1]))
        self.state[0] += self.dt * self.state[1]
        return self.state.astype(np.float32), float(np.exp(-self.state[0] ** 2)), False, False, {}


gymnasium.register("Lift-v0", entry_point="lift_plant:Lift", max_episode_steps=40)
'''
LIFT = Robot(
    "lift",
    50.0,
    (Observation("z", "m", -50.0, 50.0), Observation("speed", "m/s")),
    (Action("thrust", "N", 0.0, 3.0, 0.0, 0.5), Action("fan", "N", -2.0, 2.0, "hold")),
    Plant("lift_plant:Lift-v0", 40),
    Safety(3, 2, 15.0),
    Score(0.0, 40.0),
)
SMALL = dict(
    value_steps=20, value_warmup=5, value_width=16, steps=20, mean_steps=5, distill_steps=10, width=16, k=2,
    actor_steps=20,
)  # fmt: skip


@pytest.fixture
def lift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a plant, its data and its robot file; a workspace of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("KDP_EDGE_HOME", str(tmp_path / "work"))
    (tmp_path / "lift_plant.py").write_text(PLANT)
    (tmp_path / "lift.toml").write_text(robot_text(LIFT))
    rng, rows = np.random.default_rng(0), 1200
    actions = np.stack([rng.uniform(0, 3, rows), rng.uniform(-2, 2, rows)], 1).astype(np.float32)
    write_hdf5(
        tmp_path / "flights.hdf5",
        {
            "observations": rng.normal(0, 1, (rows, 2)).astype(np.float32),
            "actions": actions,
            "rewards": rng.uniform(0, 1, rows).astype(np.float32),
            "terminals": np.zeros(rows, bool),
            "timeouts": np.arange(rows) % 40 == 39,
        },
    )
    return tmp_path


def test_a_robot_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    for robot in (LIFT, *(task.robot for task in TASKS.values())):
        (tmp_path / "robot.toml").write_text(robot_text(robot))
        assert load_robot(tmp_path / "robot.toml") == robot


def test_a_camera_is_no_signal(lift: Path) -> None:
    signals = "(2,), np.float32)\n    action"
    assert signals in PLANT
    pictures = "gymnasium.spaces.Dict(top=gymnasium.spaces.Box(0, 255, (48, 64, 3), np.uint8))\n    action"
    text = PLANT.replace(f"gymnasium.spaces.Box(-np.inf, np.inf, {signals}", pictures)
    (lift / "seeing_plant.py").write_text(text.replace("Lift-v0", "Seeing-v0").replace("lift_p", "seeing_p"))
    with pytest.raises(KdpError, match="has 9216 observations, a device takes at most 250; where pictures"):
        drafted("seeing", "seeing_plant:Seeing-v0", None, 50.0)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ("rate_hz = 50.0", "robot.rate_hz is missing"),
        ('name = "fan"', r"action\[1\].name is missing"),
        ("high = 3.0\n", None),  # the default is 1: below nothing, but safe and low still fit
        ('safe = "hold"', None),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, wrong: str, names: str | None) -> None:
    (tmp_path / "robot.toml").write_text(robot_text(LIFT).replace(wrong, "", 1))
    if names is None:
        load_robot(tmp_path / "robot.toml")
        return
    with pytest.raises(KdpError, match=names):
        load_robot(tmp_path / "robot.toml")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"low": 3.0}, "low 3 is not below high 3"),
        ({"safe": 3.5}, "safe is 3.5, expected 0 to 3"),
        ({"safe": "stay"}, "safe is 'stay', expected a value or \"hold\""),
        ({"max_change": 0.0}, "max_change is 0, expected more than 0"),
        ({"name": "two\nlines"}, "hold letters that cannot be printed"),
        ({"unit": "N\u200b"}, "hold letters that cannot be printed"),
        ({"high": 1e39}, "high is 1e\\+39, expected a number that fits float32"),
    ],
)
def test_what_no_actuator_can_have_is_refused(tmp_path: Path, change: dict, names: str) -> None:
    robot = replace(LIFT, actions=(replace(LIFT.actions[0], **change), LIFT.actions[1]))
    (tmp_path / "robot.toml").write_text(robot_text(robot))
    with pytest.raises(KdpError, match=names):
        load_robot(tmp_path / "robot.toml")


def test_a_draft_says_what_the_plant_says_and_check_holds_the_file_against_both(lift: Path) -> None:
    draft = drafted("lift", "lift_plant:Lift-v0", None, None)
    assert (draft.rate_hz, draft.plant.max_episode_steps, draft.high.tolist()) == (50.0, 40, [3.0, 2.0])
    with pytest.raises(KdpError, match="what does a stop play on action_0, action_1"):
        checked(draft, None)
    assert len(checked(LIFT, lift / "flights.hdf5")) == 5
    with pytest.raises(KdpError, match=r"50 steps a second .* rate_hz = 100"):
        checked(replace(LIFT, rate_hz=100.0), None)
    narrow = replace(LIFT, plant=Plant(), actions=(replace(LIFT.actions[0], high=1.0), LIFT.actions[1]))
    with pytest.raises(KdpError, match=r"field 'actions' \(thrust\) ranges from 0.* expected 0 to 1"):
        checked(narrow, lift / "flights.hdf5")


def test_import_asks_what_a_stop_plays(lift: Path) -> None:
    facts = OwnRobot(50.0, act_low=-2.0, act_high=3.0)
    with pytest.raises(KdpError, match="what does a stop play on action_0, action_1"):
        import_set(Source("flights.hdf5"), "lift", facts)
    assert not store.exists("lift")
    import_set(Source("flights.hdf5"), "lift", replace(facts, safe=("hold", "action_0=0")))
    assert [action.safe for action in get_task("lift").robot.actions] == [0.0, "hold"]


@pytest.fixture
def run(lift: Path) -> Run:
    import_set(Source("flights.hdf5"), "lift", load_robot(lift / "lift.toml"))
    return train("lift", **SMALL)  # type: ignore[arg-type]


def test_units_limits_and_safe_actions_reach_the_device_and_the_report(run: Run) -> None:
    spec = quantize(run).spec
    assert (spec.act_low, spec.act_high, spec.act_offset) == ([0.0, -2.0], [3.0, 2.0], [1.5, 0.0])
    assert (spec.act_rate[0], spec.safe_action, spec.safe_hold) == (0.5, [0.0, 0.0], [False, True])
    assert (spec.safe_steps, spec.silent_steps, spec.deadline_us) == (3, 2, 15000)
    assert spec.obs_low[0] == -50.0
    report = closed_loop(run, ["reference", "native"], episodes=2, judge_return=False)
    assert report.passed and report.actions == ["thrust (N)", "fan (N)"]


def test_without_observations_the_actuators_go_where_the_owner_said(run: Run, lift: Path) -> None:
    report = closed_loop(
        run, ["native"], episodes=1, judge_return=False, faults=["off@10:40"], out=lift / "report"
    )
    assert report.passed
    rows = (lift / "report" / "steps.csv").read_text().splitlines()
    names = rows[0].split(",")
    played = [row.split(",") for row in rows[1:] if row.startswith("native")]
    first = names.index("action_0")
    thrust, fan = (np.array([float(row[first + i]) for row in played]) for i in (0, 1))
    assert (thrust >= 0).all() and (thrust <= 3).all() and (np.abs(np.diff(thrust)) <= 0.5 + 1e-6).all()
    assert thrust[-1] == 0.0
    assert len(set(fan[-10:])) == 1 and fan[-1] != 0.0  # held


def test_a_run_plays_on_another_computer(run: Run, lift: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = quantize(run).model_sha256()
    elsewhere = lift / "elsewhere"
    shutil.copytree(run.path, elsewhere / "runs" / run.path.name)
    monkeypatch.setenv("KDP_EDGE_HOME", str(elsewhere))
    moved = Run.load(elsewhere / "runs" / run.path.name)
    assert load_planner(moved.path).model_sha256() == expected
    assert quantize(moved).model_sha256() == expected
    assert closed_loop(moved, ["reference"], episodes=1, judge_return=False).passed


def test_another_import_changes_nothing_in_an_old_run(run: Run) -> None:
    expected = quantize(run).model_sha256()
    other = replace(LIFT, rate_hz=100.0, plant=Plant("", 40))
    import_set(Source("flights.hdf5"), "lift", other, force=True)
    assert get_task("lift").rate_hz == 100.0
    assert quantize(run).model_sha256() == expected
    (run.path / "robot.toml").write_text(robot_text(other))
    with pytest.raises(KdpError, match=r"robot.toml is not what .* was made from"):
        load_planner(run.path)


def test_recorded_observations_are_streamed_where_there_is_no_plant(lift: Path, run: Run) -> None:
    command = [
        sys.executable,
        "-m",
        "kdp_edge",
        "hil",
        "--replay",
        "lift",
        "--device",
        "native",
        "--episodes",
        "2",
    ]
    done = subprocess.run([*command, "--json"], cwd=lift, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    device, floating = report["devices"]["native"], report["devices"]["float"]
    assert (device["steps"], device["mismatched_replies"], device["score_mean"]) == (78, 0, None)
    assert 0 < device["recorded_gap_p50"] <= device["recorded_gap_p95"] <= 4
    assert abs(device["recorded_gap_p50"] - floating["recorded_gap_p50"]) < 0.5
    behaviour = next(one for one in report["verdicts"] if one["name"] == "behaviour")
    assert behaviour["outcome"] == "not judged" and "nothing acts back" in behaviour["says"]


def test_recorded_observations_of_other_signals_are_refused(run: Run) -> None:
    other = get_task(next(iter(TASKS)))
    zeros = np.zeros((3, other.obs_dim), np.float32), np.zeros((3, other.act_dim), np.float32)
    with pytest.raises(KdpError, match=f"the policy .task lift. has 2 observations, task {other.name} has"):
        closed_loop(run, ["reference"], recorded=Recorded(other, (zeros,)))
