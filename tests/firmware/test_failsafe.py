"""The fail-safe in C and the twin make the same transitions: all of them, exhaustively."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from kdp_edge.exporters import targets
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import State
from kdp_edge.wire.twin import Twin
from tests.firmware.core_device import CoreDevice

GOOD = np.array([0.3, -0.7, 1.1], np.float32)
NOT_FINITE = np.array([0.3, np.nan, 1.1], np.float32)
OUT_OF_RANGE = np.array([0.3, -0.7, 20.000002], np.float32)

Event = Callable[[CoreDevice], None]


def _stepper(gap: int, observation: np.ndarray | None, overrun: bool = False) -> Event:
    def send(device: CoreDevice) -> None:
        step = device.twin.last_step + gap
        if step < 0:
            step = 0
        if observation is None:
            device.tick(step)
        else:
            device.step(step, observation, overrun)

    return send


EVENTS: dict[str, Event] = {
    "reset": lambda device: device.reset(5),
    "arm": lambda device: device.arm(),
    **{f"step +{gap}": _stepper(gap, GOOD) for gap in (-1, 0, 1, 2, 3, 4, 1000)},
    **{f"late step +{gap}": _stepper(gap, GOOD, overrun=True) for gap in (1, 2, 4)},
    **{f"tick +{gap}": _stepper(gap, None) for gap in (0, 1, 2, 3, 4)},
    "not finite": _stepper(1, NOT_FINITE),
    "out of range": _stepper(1, OUT_OF_RANGE),
}


def _key(twin: Twin) -> tuple:
    """What decides the next transition."""
    return twin.state, twin.plan is None, twin.age, min(twin.safe_count, 3), twin.last_step < 0


def _walk(library: HostLibrary, planner: IntegerPlanner) -> tuple[set[tuple[State, State]], int]:
    """Send every event in every reachable state; returns the transitions seen and the number of states."""

    def play(path: tuple[str, ...]) -> CoreDevice:
        device = CoreDevice(library, planner)
        for name in path:
            EVENTS[name](device)
        return device

    start = play(())
    seen, queue = {_key(start.twin)}, deque([()])
    transitions: set[tuple[State, State]] = set()
    while queue:
        path = queue.popleft()
        for name in EVENTS:
            device = play(path)
            before = device.twin.state
            EVENTS[name](device)
            device.compare_counters()
            transitions.add((before, device.twin.state))
            if _key(device.twin) not in seen:
                seen.add(_key(device.twin))
                queue.append((*path, name))
    return transitions, len(seen)


def test_every_transition_from_every_reachable_state_equals_the_twin(
    small_library: HostLibrary, small_planner: IntegerPlanner
) -> None:
    transitions, states = _walk(small_library, small_planner)
    idle, running, replaying, safe, latched = State
    working = {running, replaying, safe}
    expected = {(idle, idle), (idle, running), (latched, latched), (latched, idle)}
    expected |= {(a, b) for a in working for b in working}
    # replaying a late plan does not forgive the safe actions before it: only a plan in time does
    expected |= {(safe, latched), (replaying, latched)}
    assert transitions == expected
    assert states > 20


def test_a_policy_that_allows_no_safe_step_latches_at_once(
    small_planner: IntegerPlanner, tmp_path: Path
) -> None:
    strict = replace(small_planner, spec=replace(small_planner.spec, safe_steps=0, chunk=1))
    bundle = targets.export_planner(strict, "firmware", tmp_path / "bundle", {})
    transitions, _ = _walk(HostLibrary.compile(bundle.path), strict)
    assert (State.RUNNING, State.LATCHED) in transitions
    assert State.SAFE not in {after for _, after in transitions}


class Walk(RuleBasedStateMachine):
    """Any sequence of requests with any observation bits, steps near and far."""

    library: HostLibrary
    planner: IntegerPlanner

    @initialize()
    def boot(self) -> None:
        self.device = CoreDevice(self.library, self.planner)

    @rule(episode=st.integers(0, 2**32 - 1))
    def reset(self, episode: int) -> None:
        self.device.reset(episode)

    @rule()
    def arm(self) -> None:
        self.device.arm()

    @rule(
        gap=st.integers(-2, 6),
        values=st.lists(st.floats(-25, 25, width=32), min_size=3, max_size=3),
        overrun=st.booleans(),
    )
    def step(self, gap: int, values: list[float], overrun: bool) -> None:
        self.device.step(self._step(gap), np.array(values, np.float32), overrun)

    @rule(gap=st.integers(1, 2), bits=st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3))
    def step_with_any_bits(self, gap: int, bits: list[int]) -> None:
        self.device.step(self._step(gap), np.array(bits, np.uint32).view(np.float32))

    @rule(step=st.integers(2**32 - 3, 2**32 - 1))
    def step_at_the_end_of_the_range(self, step: int) -> None:
        self.device.step(step, GOOD)

    @rule(gap=st.integers(-1, 5))
    def tick(self, gap: int) -> None:
        self.device.tick(self._step(gap))

    @invariant()
    def counters_agree(self) -> None:
        if hasattr(self, "device"):
            self.device.compare_counters()

    def _step(self, gap: int) -> int:
        return min(max(self.device.twin.last_step + gap, 0), 2**32 - 1)


def test_any_sequence_of_requests_gets_the_twins_replies(
    small_library: HostLibrary, small_planner: IntegerPlanner
) -> None:
    machine = type("BoundWalk", (Walk,), {"library": small_library, "planner": small_planner})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None)
    )
