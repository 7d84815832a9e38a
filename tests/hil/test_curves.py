# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Sweeps: the twin plays what a device plays, values are read or refused, and what fits is computed right."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json
from kdp_edge.base.progress import silent
from kdp_edge.hil.curves import files
from kdp_edge.hil.curves.axis import axis
from kdp_edge.hil.curves.box import box
from kdp_edge.hil.curves.sweep import TWIN, Subject, sweep
from kdp_edge.hil.curves.tolerance import failure, tolerance
from kdp_edge.hil.curves.twin_play import TwinEpisode, play_twin
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.devices.device import DeviceClock
from kdp_edge.hil.faults import parse
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.pace.timing import Timing
from kdp_edge.hil.scenario import Recording, Scenario, Step
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.tasks import get_task

SCENARIO = Scenario("hopper-medium-expert", (0, 1), 30)


@contextmanager
def no_bar(label: str, total: int):  # type: ignore[no-untyped-def]
    yield silent


def test_the_twin_plays_what_a_device_of_that_speed_plays(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    """Plans in time and late: the native device pretends a time, the twin is told it."""
    for deadlines, link_us in ((None, 3000.0), (1.5, 0.0)):
        faults = () if deadlines is None else (parse(f"overrun={deadlines}"),)
        scenario = replace(SCENARIO, timing=Timing("device", link_us), faults=faults)
        with open_device("native", planner) as device:
            recording = play_device(device, scenario, planner, float_planner)
        assert (recording.lost, recording.mismatches) == (None, [])
        seconds = 0.0 if deadlines is None else deadlines * planner.spec.deadline_us * 1e-6
        played = play_twin(scenario, planner, seconds)
        assert [one.episode_return for one in played] == [e.episode_return for e in recording.episodes]
        assert [one.ended for one in played] == [e.ended for e in recording.episodes]
        if deadlines is not None:
            assert recording.telemetry is not None
            assert sum(one.misses for one in played) == recording.telemetry.overruns > 0


def test_values_of_an_axis(planner: IntegerPlanner) -> None:
    assert axis("latency_ms", "0:40:5", planner).values == (0, 5, 10, 15, 20, 25, 30, 35, 40)
    assert axis("k", "8,1,4,4", planner).values == (1, 4, 8)
    assert axis("k", "2", planner).policy(planner, 2).spec.k == 2
    assert axis("clock_hz", "48e6", planner).timing(48e6, 5.0) == Timing("device", 5.0, 48e6)


@pytest.mark.parametrize(
    "name, text, says",
    [
        ("latency_ms", "a", "expected FROM:TO:STEP"),
        ("latency_ms", "5:1:1", "TO not below FROM"),
        ("latency_ms", "0:40:0", "STEP above 0"),
        ("latency_ms", "0:40", "expected FROM:TO:STEP"),
        ("latency_ms", "nan", "nan is out of range"),
        ("latency_ms", "0:inf:1", "at most 64"),
        ("latency_ms", "-1", "-1 is out of range"),
        ("latency_ms", "0:1000:1", "1001 values, expected at most 64"),
        ("k", "0,1", "0 is out of range, expected a whole number from 1 to 64"),
        ("k", "1.5", "1.5 is out of range"),
        ("chunk", "5", "5 is out of range, expected a whole number from 1 to 4"),
        ("clock_hz", "0", "0 is out of range"),
    ],
)
def test_a_value_that_no_axis_has_is_refused(
    name: str, text: str, says: str, planner: IntegerPlanner
) -> None:
    with pytest.raises(KdpError, match=says):
        axis(name, text, planner)


def test_a_sweep_is_written_with_its_curve(
    planner: IntegerPlanner, float_planner: FloatPlanner, tmp_path: Path
) -> None:
    subject = Subject(
        replace(SCENARIO, max_steps=8),
        planner,
        lambda one: replace(float_planner, spec=one.spec),
        ("reference",),
    )
    found = sweep(subject, axis("chunk", "1,4", planner), no_bar)
    assert [(row.value, row.by, row.plans) for row in found.rows] == [
        (1, "reference", 8), (1, TWIN, 16), (4, "reference", 2), (4, TWIN, 4),
    ]  # fmt: skip
    assert found.rows[0].returns == found.rows[1].returns[:1] and found.rows[0].mismatched_replies == 0
    files.write(tmp_path / "s", found)
    assert read_json(tmp_path / "s" / "sweep.json") == found.to_json()
    curve = (tmp_path / "s" / "curve.svg").read_text(encoding="utf-8")
    page = (tmp_path / "s" / "sweep.html").read_text(encoding="utf-8")
    assert curve.startswith("<svg") and curve in page and all(one in page for one in found.says)
    assert page.count("<tr>") == 1 + len(found.rows) and "<script" not in page
    with pytest.raises(KdpError, match="needs a core that counts instructions"):
        sweep(subject, axis("clock_hz", "1e6", planner), no_bar)
    with pytest.raises(KdpError, match="runs with the policy that it has"):
        sweep(replace(subject, devices=("serial:/dev/x",)), axis("k", "1", planner), no_bar)


def test_what_fits_follows_from_the_slowest_plan(planner: IntegerPlanner) -> None:
    """A core of 100 MHz: 50,000 instructions a plan, 50,000 a candidate, 60,000 each beyond 8."""
    clock = DeviceClock("instructions", "icount", 100e6, 1.0)
    asked = []

    def play(name: str, policy: IntegerPlanner, timing: Timing, steps: int) -> Recording:
        k = policy.spec.k
        asked.append(k)
        ticks = 50_000 + 50_000 * k + 10_000 * max(k - 8, 0)
        rows = [Step(0, i, 0.0, (), state=1, flags=1, ticks=ticks - 10 * i) for i in range(steps)]
        return Recording(name, clock=clock, steps=rows)

    found = box(play, "qemu:x", planner, link_us=500.0)
    assert found is not None
    assert found.plan_ms == pytest.approx(4.5) and found.period_share == pytest.approx(5 / 8)
    assert found.highest_rate_hz == pytest.approx(200) and found.fits
    assert found.highest_k == 13  # 8 ms are 800,000 instructions; a line through K = 1 and 8 would say 15
    assert {13, 14} <= set(asked) and len(asked) <= 7
    assert found.least_clock_hz == pytest.approx(450_000 / 8e-3)


@pytest.mark.parametrize(("deadline_us", "highest"), [(500, 0), (1_000, 1), (40_000, 64)])
def test_the_highest_k_may_be_none_and_is_never_more_than_a_device_takes(
    deadline_us: int, highest: int, planner: IntegerPlanner
) -> None:
    clock = DeviceClock("instructions", "icount", 100e6, 1.0)
    policy = replace(planner, spec=replace(planner.spec, deadline_us=deadline_us))

    def play(name: str, policy: IntegerPlanner, timing: Timing, steps: int) -> Recording:
        rows = [Step(0, 0, 0.0, (), state=1, flags=1, ticks=50_000 + 50_000 * policy.spec.k)]
        return Recording(name, clock=clock, steps=rows)

    found = box(play, "qemu:x", policy, link_us=0.0)
    assert found is not None and found.highest_k == highest


def episode(value: float, ended: bool = False) -> TwinEpisode:
    return TwinEpisode(0, value, 100, ended, 100, 0, False)


def test_a_robot_falls_before_its_return_drops() -> None:
    task = get_task("hopper-medium-expert")
    usual = [episode(3000.0), episode(3010.0)]
    assert failure([episode(2990.0), episode(3000.0)], usual, task) is None
    assert failure([episode(3000.0), episode(3010.0, ended=True)], usual, task) == "the robot falls"
    assert failure([episode(1000.0), episode(1010.0)], usual, task) == "its return drops"


def test_how_much_slower_is_said_in_a_sentence() -> None:
    """Maze: a random policy moves nothing, so nothing fails before the fail-safe's deadline."""
    from kdp_edge.quantization.synthetic import random_planner

    task = get_task("maze2d-umaze")
    names = {"obs_names": list(task.obs_names), "act_names": list(task.act_names), "rate_hz": task.rate_hz}
    policy = random_planner(6, 2, task=task.name, deadline_us=10_000, **names)
    scenario = Scenario(task.name, (0, 1), 20, timing=Timing("device", 1000.0))
    found = tolerance(scenario, policy, "board", 4e-3)
    assert (found.plan_ms, found.link_ms) == (4.0, 1.0)
    assert found.says.startswith("board plans in 4 ms at most") and "2 episodes" in found.says
    bare = tolerance(scenario, policy, "twin", None)
    assert "ms late" in bare.says
