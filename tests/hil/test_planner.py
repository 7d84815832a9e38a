# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`Planner` in a program of hers is a device: the answers of twin and firmware, faults included."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge import Planner
from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.exporters import checksums, golden
from kdp_edge.exporters.agent import planner as agent_planner
from kdp_edge.exporters.agent.selftest import self_test
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.link import Link
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import Flag, Pace, Refusal, State
from kdp_edge.wire.twin import Twin

EPISODE = 5
# what a program without kdp_edge does; plans take the time that the events say
PROGRAM = """
import sys
THERE = {*sys.stdlib_module_names, "numpy", "onnxruntime", "safetensors", "kdp_agent"}
class No:  # as on a device: kdp_edge is not there
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in THERE:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, No())
import json
folder, events = sys.argv[1], json.load(sys.stdin)
sys.path.append(folder)
from kdp_agent import Planner
took, calls = 0.0, 0
def clock():
    global calls
    calls += 1
    return 0.0 if calls % 2 else took
p = Planner(folder, clock=clock)
p.arm()
calls = 1
p.reset(EPISODE)
said = []
for seconds, observation in events:
    took, calls = seconds, 0
    action = p(observation)
    said.append([action.astype("<f4").tobytes().hex(), p.state, p.flags, p.reply.digest, p.plan_us, p.reason])
assert not any(name.split(".")[0] in ("kdp_edge", "torch", "onnx") for name in sys.modules)
print(json.dumps(said))
""".replace("EPISODE", str(EPISODE))


@dataclass(frozen=True)
class Event:
    """A control step: its observation (None: none came), and how many deadlines its plan takes."""

    observation: np.ndarray | None
    deadlines: float = 0.5


@pytest.fixture(autouse=True)
def no_latch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Latches go to a folder of the test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture(scope="module")
def events(planner: IntegerPlanner) -> list[Event]:
    """An episode with everything that happens to a controller, to the latch."""
    rng = np.random.default_rng(0)
    offset, gain = np.asarray(planner.spec.obs_offset), np.asarray(planner.spec.obs_gain)
    made = [
        Event((offset + rng.normal(0, 40, planner.spec.obs_dim) / gain).astype(np.float32))
        for _ in range(30 + planner.spec.horizon + planner.spec.safe_steps + 5)
    ]
    for step, wrong in ((8, np.nan), (9, np.inf), (12, np.float32(planner.spec.obs_high[0]) * 2)):
        values = made[step].observation
        assert values is not None
        values[step % 3] = wrong
    for step in (5, 16, 17, *range(30, len(made) - 2)):
        made[step] = Event(None)
    made[20] = replace(made[20], deadlines=1.5)
    made[24] = replace(made[24], deadlines=2.5)
    return made


def test_in_a_bundle_and_without_kdp_edge_each_answer_is_the_twin_s_and_the_firmware_s(
    sbc: Path, planner: IntegerPlanner, events: list[Event]
) -> None:
    deadline = planner.spec.deadline_us * 1e-6
    asked = [
        [e.deadlines * deadline, None if e.observation is None else e.observation.tolist()] for e in events
    ]
    command = [sys.executable, "-c", PROGRAM, str(sbc)]
    done = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    twin, states, reasons = Twin(planner), set(), set()
    twin.reset(EPISODE)
    with open_device("native", planner) as native:
        link = Link(native.pipe, native.timeout)
        link.hello()
        link.reset(EPISODE)
        for step, (event, (action, state, flags, digest, plan_us, reason)) in enumerate(
            zip(events, said, strict=True)
        ):
            us = round(event.deadlines * planner.spec.deadline_us)
            late = planner.spec.periods(us, 1_000_000) if event.deadlines > 1 else 0
            assert native.pretend is not None
            native.pretend(us * 1000)
            if event.observation is None:
                expected, found = twin.tick(step), link.tick(step)
            else:
                expected, found = twin.step(step, event.observation, late), link.step(step, event.observation)
            assert not isinstance(expected, Refusal)
            for other in (expected, found):
                assert action == other.action.astype("<f4").tobytes().hex(), step
                assert (state, flags, digest) == (other.state, other.flags, other.digest), step
            assert plan_us == (us if flags & Flag.PLANNED else 0)
            assert bool(reason) == bool(flags & ~(Flag.PLANNED | Flag.LIMITED | Flag.SATURATED)) or state == 4
            states.add(State(state))
            reasons.add(reason.partition(" ")[0])
    assert states == {State.RUNNING, State.REPLAYING, State.SAFE, State.LATCHED}
    assert {planner.spec.obs_names[2], planner.spec.obs_names[0], "no", "the"} <= reasons


class Clock:
    """Seconds that a test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    return Clock()


def test_a_program_that_stood_still_finds_what_a_device_would_have_decided(
    sbc: Path, planner: IntegerPlanner, clock: Clock
) -> None:
    period = planner.spec.period(1_000_000) * 1e-6
    observation = np.asarray(planner.spec.obs_offset, np.float32)
    p = Planner(sbc, "reference", clock)
    p.reset(pace=Pace.REAL)
    before = p(observation)
    clock.now += period * (planner.spec.silent_steps + 0.5)
    assert p(observation) is not None
    assert (p.state, p.reason) == (State.RUNNING, "nobody called for 1 step")
    clock.now += period * (planner.spec.horizon + planner.spec.safe_steps + planner.spec.silent_steps)
    last = p(observation)
    assert p.state == State.LATCHED
    # what nobody could play is not where the rate limit goes on from
    assert (np.abs(last - before) <= 2 * np.asarray(planner.spec.act_rate) + 1e-6).all()
    p.arm()
    p.reset()  # lockstep: a simulation may stand still
    p(observation)
    clock.now += 1000
    p(observation)
    assert (p.state, p.reason) == (State.RUNNING, "")


def test_a_latch_outlives_the_program_but_not_a_simulation(
    sbc: Path, planner: IntegerPlanner, clock: Clock
) -> None:
    for now, kept in ((clock, State.LATCHED), (None, State.RUNNING)):
        p = Planner(sbc, "reference", now)
        p.reset()
        while p.state != State.LATCHED:
            p(None)
        again = Planner(sbc, "reference", now)
        assert again.reset() == kept
        again.arm()
    assert Planner(sbc, "reference", clock).reset() == State.RUNNING


def test_what_she_does_with_an_action_changes_nothing(sbc: Path, planner: IntegerPlanner) -> None:
    p, twin = Planner(sbc, "reference", None), Twin(planner)
    observation = np.asarray(planner.spec.obs_offset, np.float32)
    p.reset()
    twin.reset(0)
    for step in range(5):
        expected = twin.step(step, observation)
        assert not isinstance(expected, Refusal)
        action = p(observation)
        np.testing.assert_array_equal(action, expected.action)
        action *= 100


@pytest.mark.parametrize(
    ("observation", "said"),
    [
        (np.zeros(3), r"observation has shape \(3,\), expected \(11,\): "),
        (np.zeros((1, 11)), r"observation has shape \(1, 11\), expected \(11,\): "),
        (["1"] * 11, "observation is not an array of 11 numbers"),
        ([None] * 11, "observation is not an array of 11 numbers: its elements are object"),
        (np.zeros(11, complex), "observation is not an array of 11 numbers: its elements are complex"),
        ([[1.0], [2.0, 3.0]], "observation is not an array of 11 numbers"),
    ],
)
def test_what_is_no_observation_is_one_line_and_no_step(
    sbc: Path, observation: np.ndarray, said: str
) -> None:
    p = Planner(sbc, "reference", None)
    with pytest.raises(KdpError, match=r"call reset\(\)"):
        p(None)
    p.reset()
    with pytest.raises(KdpError, match=said) as caught:
        p(observation)
    assert "\n" not in str(caught.value)
    p(None)
    assert p.reply is not None
    assert p.reply.step == 0


def test_a_folder_that_is_no_bundle_is_one_line(sbc: Path, tmp_path: Path) -> None:
    for wrong, said in (
        (tmp_path / "nowhere", "no such bundle"),
        (tmp_path, "not a whole bundle"),
        (sbc / "integer", "not a whole bundle"),
    ):
        with pytest.raises(KdpError, match=said) as caught:
            agent_planner.Planner(wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(KdpError, match="unknown back end 'cuda'; known: onnxruntime"):
        Planner(sbc, "cuda")


def test_a_bundle_that_fails_its_golden_vectors_is_not_planned_with(
    sbc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: object) -> object:
        return replace(self_test(*arguments), passed=0, first_failed=7)  # type: ignore[arg-type]

    monkeypatch.setattr("kdp_edge.exporters.agent.opening.self_test", failing)
    with pytest.raises(KdpError, match="failed at golden vector 7") as caught:
        Planner(sbc, "reference")
    assert caught.value.exit_code == GATE_FAILED
    assert (sbc / golden.FILE).is_file()
    assert (sbc / checksums.FILE).is_file()
