# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What holds in every state that the fail-safe can reach, in C and in the twin alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.exporters import targets
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.plan import IntegerPlanner, PlanSpec
from kdp_edge.wire.numbers import Pace, State
from tests.firmware.core_device import TICK_HZ, CoreDevice
from tests.firmware.search import Event, Graph, TooManyStatesError, longest_stretch, search

GOOD = np.array([0.3, -0.7, 1.1], np.float32)
NOT_FINITE = np.array([0.3, np.nan, 1.1], np.float32)
OUT_OF_RANGE = np.array([0.3, -0.7, 20.000002], np.float32)
WORKING = {State.RUNNING, State.REPLAYING, State.SAFE}


def _next(device: CoreDevice, gap: int) -> int:
    return max(device.twin.last_step + gap, 0)


def _good(gap: int) -> Event:
    return lambda device: device.step(_next(device, gap), GOOD)


def _late(gap: int, periods: int) -> Event:
    return lambda device: device.step(_next(device, gap), GOOD, periods * device.planner.spec.period(TICK_HZ))


def _silent(periods: int) -> Event:
    return lambda device: device.wait(periods * device.planner.spec.period(TICK_HZ))


def _bad(gap: int, observation: np.ndarray) -> Event:
    return lambda device: device.step(_next(device, gap), observation)


def _tick(gap: int) -> Event:
    return lambda device: device.tick(_next(device, gap))


def bad_events(spec: PlanSpec) -> dict[str, Event]:
    """Control steps that bring no plan in time: nothing to make one of, or one that is late."""
    gaps = (1, 2, spec.horizon, 1000)
    late = {
        f"late by {periods} +{gap}": _late(gap, periods)
        for periods in (1, 2, 1000)
        for gap in (1, spec.horizon)
    }
    events = {f"tick +{gap}": _tick(gap) for gap in gaps}
    events |= {f"not finite +{gap}": _bad(gap, NOT_FINITE) for gap in gaps}
    return events | late | {"out of range +1": _bad(1, OUT_OF_RANGE)}


def silences(spec: PlanSpec) -> dict[str, Event]:
    """How long the host may say nothing; the last one of these leads to the latch by itself."""
    return {f"silent {periods}": _silent(periods) for periods in (1, spec.silent_steps)}


def all_events(spec: PlanSpec) -> dict[str, Event]:
    """Whatever a host can do, its gaps in classes: the next step, within the chunk, the horizon, beyond."""
    gaps = sorted({1, 2, spec.chunk, spec.horizon - 1, spec.horizon, spec.horizon + 1, 1000} - {0})
    events: dict[str, Event] = {"reset": lambda device: device.reset(5), "arm": lambda device: device.arm()}
    events |= {"reset, real time": lambda device: device.reset(5, Pace.REAL)}
    events |= {"reboot": lambda device: device.reboot()}
    events |= {f"step +{gap}": _good(gap) for gap in gaps}
    events |= {"stale step": _good(0), "stale tick": _tick(-1)}
    return events | bad_events(spec) | silences(spec)


def within_limits(graph: Graph, spec: PlanSpec) -> None:
    """Every action is in its range, and within its rate around the one before."""
    low, high, rate = (np.asarray(v, np.float32) for v in (spec.act_low, spec.act_high, spec.act_rate))
    played = [edge for edge in graph.edges if edge.action is not None]
    assert len(played) > len(graph.states)
    for edge in played:
        action, previous = np.float32(edge.action), np.float32(edge.previous)
        assert np.all((action >= low) & (action <= high)), edge
        assert np.all((action >= previous - rate) & (action <= previous + rate)), edge


def latch_holds(graph: Graph) -> None:
    """ARM is the only way out, and it leads to IDLE."""
    latched = [edge for edge in graph.edges if edge.before == State.LATCHED]
    assert latched
    for edge in latched:
        assert edge.after == (State.IDLE if edge.event == "arm" else State.LATCHED), edge


def idle_stands_still(graph: Graph) -> None:
    """Without RESET nothing moves."""
    for edge in graph.edges:
        if edge.before == State.IDLE:
            expected = State.RUNNING if edge.event.startswith("reset") else State.IDLE
            assert edge.action is None and edge.after == expected, edge


def stretches_end(graph: Graph, spec: PlanSpec) -> None:
    """Nothing but bad control steps: what is left of the plan, the safe steps, the latch.

    A plan made ahead, in time, behind the last good step begins in the first bad one: that step's own
    lateness is that of the plan after it. After the step in which a plan in time begins it is always as long.
    """
    longest = longest_stretch(graph, set(bad_events(spec)), WORKING)
    assert longest == spec.ahead + (spec.horizon - 1) + spec.safe_steps + 1
    since = Graph(graph.states, [edge for edge in graph.edges if edge.after != State.RUNNING])
    assert longest_stretch(since, set(bad_events(spec)), WORKING) == (spec.horizon - 1) + spec.safe_steps + 1


def silence_ends(graph: Graph, spec: PlanSpec) -> None:
    """In real time silence alone leads to the latch, a step of the device's own each period."""
    in_real_time = [any(one is Pace.REAL for one in state) for state in graph.states]
    real = Graph(graph.states, [edge for edge in graph.edges if in_real_time[edge.source]])
    longest = longest_stretch(real, {"silent 1"}, WORKING)
    assert longest is not None
    assert longest <= spec.silent_steps + (spec.horizon - 1) + spec.safe_steps + 1


VARIANTS = {
    "small": {},
    "no safe step, no chunk": {"safe_steps": 0, "chunk": 1},
    "longer": {"safe_steps": 5, "chunk": 4},
    "ahead": {"chunk": 2, "ahead": True},
    "ahead, all of the window": {"chunk": 4, "ahead": True},
}


@pytest.fixture(scope="module", params=VARIANTS)
def searched(
    request: pytest.FixtureRequest, small_planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Graph, PlanSpec]:
    """All that a device with one variant of the small policy can do."""
    planner = replace(small_planner, spec=replace(small_planner.spec, **VARIANTS[request.param]))
    folder: Path = tmp_path_factory.mktemp("variant") / "bundle"
    library = HostLibrary.compile(targets.export_planner(planner, "firmware", folder, {}).path)
    return search(library, planner, all_events(planner.spec)), planner.spec


def test_every_state_keeps_the_promises(searched: tuple[Graph, PlanSpec]) -> None:
    graph, spec = searched
    assert {edge.after for edge in graph.edges} >= {*State} - (
        {State.SAFE} if spec.safe_steps == 0 else set()
    )
    within_limits(graph, spec)
    latch_holds(graph)
    idle_stands_still(graph)
    stretches_end(graph, spec)
    silence_ends(graph, spec)


def test_the_search_sees_a_stretch_without_end(searched: tuple[Graph, PlanSpec]) -> None:
    graph, spec = searched
    good = {name for name in all_events(spec) if name.startswith("step")}
    assert longest_stretch(graph, good, WORKING) is None


def test_a_field_without_bound_is_named(small_library: HostLibrary, small_planner: IntegerPlanner) -> None:
    def count(device: CoreDevice) -> None:
        device.silence += 1

    with pytest.raises(TooManyStatesError):
        search(small_library, small_planner, {"count": count}, limit=50)
