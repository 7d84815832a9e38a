# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`closed_loop` and `Planner` as a program calls them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.targets import export
from kdp_edge.hil.closed_loop import closed_loop
from kdp_edge.hil.planner import Planner
from kdp_edge.hil.report import read
from kdp_edge.quantization.policy import planner_of
from kdp_edge.run import Run
from kdp_edge.tasks import get_task
from kdp_edge.tasks.environments import make_env
from kdp_edge.wire.numbers import Flag, State
from kdp_edge.wire.twin import Reply, Twin
from tests.export.runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run.load(write_run(tmp_path_factory.mktemp("loop") / "run"))


def test_a_run_its_folder_and_its_bundle_play_alike(run: Run, tmp_path: Path) -> None:
    bundle = export(run, "tflm", tmp_path / "bundle")
    sources = (run, run.path, bundle, bundle.path)
    reports = [closed_loop(source, episodes=2, seed=3, max_steps=20) for source in sources]
    assert all(report.passed and report.seeds == [3, 4] for report in reports)
    returns = [report.answering["reference"].returns for report in reports]
    assert returns[0] == returns[1] == returns[2] == returns[3]


def test_the_report_is_written_where_it_is_asked_for_and_reads_back(run: Run, tmp_path: Path) -> None:
    report = closed_loop(run, episodes=1, max_steps=10, out=tmp_path / "report", with_float=False)
    assert read(tmp_path / "report") == report
    assert list(report.devices) == ["reference"]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"episodes": 0}, "0 episodes on 1 devices"),
        ({"devices": ["reference", "reference"]}, "device given twice"),
        ({"devices": ["refrence"]}, "refrence"),
        ({"faults": ["flop"]}, "unknown fault 'flop'"),
    ],
)
def test_bad_input_is_one_line(run: Run, options: dict[str, object], words: str) -> None:
    with pytest.raises(KdpError, match=words):
        closed_loop(run, **options)  # type: ignore[arg-type]


def test_the_planner_acts_as_the_device_in_the_loop_does(run: Run) -> None:
    played = closed_loop(run, episodes=1, seed=5, max_steps=30, with_float=False)
    planner = Planner(run)
    env = make_env(get_task(run.config.task))
    observation, _ = env.reset(seed=5)
    planner.reset(episode=5)
    total, steps = 0.0, 0
    for _ in range(30):
        observation, reward, terminated, truncated, _ = env.step(planner(observation))
        total, steps = total + float(reward), steps + 1
        if terminated or truncated:
            break
    env.close()
    device = played.answering["reference"]
    assert (device.returns, device.lengths) == ([total], [steps])


def test_the_planner_falls_back_as_the_twin_says(run: Run) -> None:
    planner, twin = Planner(run.path), Twin(planner_of(run))
    planner.reset(2)
    twin.reset(2)
    seen = np.zeros(planner.spec.obs_dim, np.float32)
    states = []
    for step in range(planner.spec.horizon + planner.spec.safe_steps + 2):
        reply = twin.step(step, seen) if step == 0 else twin.tick(step)
        assert isinstance(reply, Reply)
        action = planner(seen if step == 0 else None)
        assert action.tobytes() == reply.action.tobytes()
        assert (planner.state, planner.flags) == (reply.state, reply.flags)
        states.append(planner.state)
    assert states[0] == State.RUNNING and states[1] == State.REPLAYING and states[-1] == State.LATCHED
    assert planner.flags & Flag.MISSED == 0  # a latched device does not count any more
    assert planner.reset(3) == State.LATCHED
    assert planner.arm() == State.IDLE


def test_the_planner_refuses_what_is_no_observation(run: Run) -> None:
    planner = Planner(run)
    with pytest.raises(KdpError, match="call reset"):
        planner(np.zeros(planner.spec.obs_dim, np.float32))
    planner.reset()
    with pytest.raises(KdpError, match=r"observation has shape \(3,\), expected \(11,\)"):
        planner(np.zeros(3, np.float32))
