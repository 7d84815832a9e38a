# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Explicit-state search: every event in every state that a device can reach, in C and in the twin at once.

A state is what decides the next transitions: the twin's fields and the C machine's, without counters,
without numbers that only go up and without what plans contain. A field that is added to either is part of it;
one that has no bound makes the search end with `TooManyStatesError`.
"""

from __future__ import annotations

import copy
import ctypes
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import State
from kdp_edge.wire.twin import Twin
from tests.firmware.core_device import CoreDevice

Event = Callable[[CoreDevice], None]
Key = tuple[object, ...]

_CONTENT = {"planner", "counters", "episode", "plan_count", "plan", "next", "origin", "previous", "last_step"}
_BOUNDED = {"uncovered", "lateness", "beyond"}  # beyond a bound they decide nothing new
_ROOM = 1 << 12  # bytes for a kdp_failsafe


class TooManyStatesError(AssertionError):
    """The search does not end: some field that decides transitions has no bound."""


@dataclass(frozen=True)
class Edge:
    """One event from one state: what it did, on the device as in the twin."""

    source: int
    event: str
    target: int
    before: State
    after: State
    action: tuple[float, ...] | None  # the action it moved an actuator to, if any
    previous: tuple[float, ...]  # the action before


@dataclass(frozen=True)
class Graph:
    """All states and all edges; state 0 is a device after its start."""

    states: list[Key]
    edges: list[Edge]


def key_of(device: CoreDevice) -> Key:
    """The state of twin and device."""
    twin = device.twin
    spec = twin.planner.spec
    most = {"uncovered": spec.safe_steps + 1, "lateness": spec.horizon, "beyond": spec.horizon}
    decides: list[object] = [device.silence, device.next]
    for field in fields(twin):
        value = getattr(twin, field.name)
        if field.name not in _CONTENT:
            decides.append(min(value, most[field.name]) if field.name in _BOUNDED else value)
    buffer = ctypes.create_string_buffer(_ROOM)
    size = device.library.c.kdp_library_decides(buffer)
    return (*decides, twin.plan is None, twin.next is None, twin.last_step < 0, buffer.raw[:size])


class _Snapshot:
    """A device and its twin as they are now."""

    def __init__(self, device: CoreDevice) -> None:
        self.twin, self.seq = _copy(device.twin), device.seq
        self.silence, self.own, self.next = device.silence, device.own, device.next
        self.memory = ctypes.create_string_buffer(device.library.c.kdp_library_state_size())
        device.library.c.kdp_library_save(self.memory)

    def restore(self, device: CoreDevice) -> None:
        device.twin, device.seq = _copy(self.twin), self.seq
        device.silence, device.own, device.next = self.silence, self.own, self.next
        device.library.c.kdp_library_load(self.memory)


def _copy(twin: Twin) -> Twin:
    twin = copy.copy(twin)
    twin.counters = copy.copy(twin.counters)
    return twin


def _action(twin: Twin) -> tuple[float, ...]:
    return tuple(float(value) for value in twin.previous)


def search(
    library: HostLibrary, planner: IntegerPlanner, events: Mapping[str, Event], limit: int = 5000
) -> Graph:
    """Send every event in every reachable state; every reply and every counter is compared on the way."""
    device = CoreDevice(library, planner)
    states, edges, number = [key_of(device)], [], {key_of(device): 0}
    queue = deque([(0, _Snapshot(device))])
    while queue:
        source, snapshot = queue.popleft()
        for name, event in events.items():
            snapshot.restore(device)
            before, previous = device.twin.state, _action(device.twin)
            moved, own = device.twin.last_step, device.twin.counters.own
            event(device)
            device.compare_counters()
            stepped = device.twin.last_step not in (moved, -1) or device.twin.counters.own == own + 1
            played = _action(device.twin) if stepped else None
            key = key_of(device)
            if key not in number:
                number[key] = len(states)
                states.append(key)
                queue.append((number[key], _Snapshot(device)))
                if len(states) > limit:
                    raise TooManyStatesError(f"more than {limit} states; the last one: {key[:-1]}")
            edges.append(Edge(source, name, number[key], before, device.twin.state, played, previous))
    return Graph(states, edges)


def longest_stretch(graph: Graph, bad: set[str], inside: set[State]) -> int | None:
    """The most `bad` events in a row from a state of `inside` until one leads out of it; None: no end.

    States are peeled off from the end: one whose bad events all lead out or to peeled ones is next.
    """
    follows: dict[int, list[Edge]] = {}
    for edge in graph.edges:
        if edge.event in bad and edge.before in inside:
            follows.setdefault(edge.source, []).append(edge)
    length: dict[int, int] = {}
    while follows:
        ready = [
            state
            for state, edges in follows.items()
            if all(edge.after not in inside or edge.target in length for edge in edges)
        ]
        if not ready:
            return None  # what is left runs in circles
        for state in ready:
            length[state] = 1 + max(length.get(edge.target, 0) for edge in follows[state])
        for state in ready:
            del follows[state]
    return max(length.values(), default=0)
