# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""One fault at every byte of a session, both ways: no wrong action, no hang, and it always recovers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import Progress, silent
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import LinkLost, Pipe
from kdp_edge.hil.reply_check import differences
from kdp_edge.quantization.plan import IntegerPlanner, Plan
from kdp_edge.wire.numbers import Refusal
from kdp_edge.wire.protocol import Refused
from kdp_edge.wire.twin import Reply, Twin

DOWN, UP = "down", "up"  # host -> device, device -> host
BYTE_FAULTS = ("lost", "flipped", "inserted")
FAULTS = (*BYTE_FAULTS, "cut", "unplugged", "restarted")
LONGEST = 10.0  # seconds of a case; more is a hang
AFTERWARDS = 3  # steps that must be as predicted when the fault is over


@dataclass(frozen=True)
class Spot:
    """One fault at one byte of a session.

    lost, flipped (one bit), inserted (a byte in front): the session must go on to its end, every reply as
    predicted. cut: nothing passes from here on; unplugged: the port vanishes; both must be told as a lost
    link. restarted: the device's power fails here; it must refuse to act until it is reset.
    """

    fault: str
    way: str
    at: int


@dataclass(frozen=True)
class Session:
    """What is played at every spot: HELLO, RESET, then a STEP an observation; None is a TICK."""

    planner: IntegerPlanner
    observations: tuple[np.ndarray | None, ...]  # float32 [obs_dim]
    episode: int = 0


@dataclass(frozen=True)
class Subject:
    """A device, and how to make it restart when so many more bytes were received."""

    pipe: Pipe
    restart: Callable[[int], None]
    timeout: float = 0.05  # seconds


@dataclass
class Tally:
    """What happened at all bytes with one fault in one direction."""

    fault: str
    way: str
    cases: int = 0
    wrong_actions: int = 0
    hangs: int = 0
    not_recovered: int = 0
    unexpected: int = 0  # a session that should have gone through ended, or the other way round
    ends: dict[str, int] = field(default_factory=dict)  # through, lost, restarted
    slowest_seconds: float = 0.0
    first_failure: str | None = None

    @property
    def passed(self) -> bool:
        """Nothing that must not be."""
        return not (self.wrong_actions or self.hangs or self.not_recovered or self.unexpected)


class SpottedPipe:
    """A pipe with one fault; `passed` counts the bytes of both directions."""

    def __init__(self, subject: Subject, spot: Spot | None) -> None:
        self.passed = {DOWN: 0, UP: 0}
        self._subject, self._spot, self._cut = subject, spot, False

    def write(self, data: bytes) -> None:
        """Send `data`, with the fault if it is due in it."""
        at = self._due(data, DOWN)
        if at is None or self._spot is None:
            return None if self._cut else self._subject.pipe.write(data)
        if self._spot.fault == "restarted":
            self._subject.restart(at)
            return self._subject.pipe.write(data)
        if self._spot.fault in BYTE_FAULTS:
            return self._subject.pipe.write(self._damaged(data, at))
        self._subject.pipe.write(data[:at])
        return self._break()

    def read(self, timeout: float) -> bytes:
        """What came, with the fault if it is due in it."""
        data = self._subject.pipe.read(timeout)
        at = self._due(data, UP)
        if at is None or self._spot is None:
            return b"" if self._cut else data
        if self._spot.fault in BYTE_FAULTS:
            return self._damaged(data, at)
        if self._spot.fault == "restarted":
            self._subject.restart(0)
        else:
            self._break()
        return data[:at]

    def close(self) -> None:
        """The subject stays open."""

    def _due(self, data: bytes, way: str) -> int | None:
        """Where in `data` the fault lies."""
        start = self.passed[way]
        self.passed[way] += len(data)
        if self._spot is None or self._spot.way != way or not start <= self._spot.at < start + len(data):
            return None
        return self._spot.at - start

    def _damaged(self, data: bytes, at: int) -> bytes:
        assert self._spot is not None
        number = self._spot.at
        if self._spot.fault == "lost":
            return data[:at] + data[at + 1 :]
        if self._spot.fault == "flipped":
            return data[:at] + bytes([data[at] ^ 1 << number % 8]) + data[at + 1 :]
        return data[:at] + bytes([37 * number & 0xFF]) + data[at:]  # a zero now and then

    def _break(self) -> None:
        self._cut = True
        if self._spot is not None and self._spot.fault == "unplugged":
            raise LinkLost("the port vanished")


class Cutter:
    """Plays a session once for each spot and judges it."""

    def __init__(self, session: Session, subject: Subject) -> None:
        self._session, self._subject = session, subject
        self._twin = Twin(Remembering(session.planner))  # type: ignore[arg-type]

        self.sizes, self._greeted = {DOWN: 0, UP: 0}, {DOWN: 0, UP: 0}  # bytes: all, and those of HELLO
        self._measure()

    def cut_everywhere(
        self,
        faults: Iterable[str] = FAULTS,
        every: int = 1,
        progress: Progress = silent,
        *,
        greeting: bool = True,
    ) -> list[Tally]:
        """Each fault at every `every`-th byte, both ways -> a tally for each fault and way.

        Args:
            greeting: at the bytes of HELLO as well, each of which costs the 0.15 s until it is repeated.
        """
        tallies: dict[tuple[str, str], Tally] = {}
        for number, spot in enumerate(self.spots(faults, every, greeting)):
            key = (spot.fault, spot.way)
            self._case(spot, tallies.setdefault(key, Tally(*key)))
            progress(number + 1)
        return list(tallies.values())

    def spots(self, faults: Iterable[str], every: int = 1, greeting: bool = True) -> list[Spot]:
        """Where `cut_everywhere` plays its faults."""
        first = {DOWN: 0, UP: 0} if greeting else self._greeted
        return [
            Spot(fault, way, at)
            for fault in faults
            for way in (DOWN, UP)
            for at in range(first[way], self.sizes[way], every)
        ]

    def _measure(self) -> None:
        """Play it without a fault: counts bytes and aligns the twin."""
        before = Link(self._subject.pipe, 1.0)
        before.hello()
        self._twin.previous = before.reset(self._session.episode).action
        pipe = SpottedPipe(self._subject, None)
        link = Link(pipe, 1.0)
        link.hello()
        self._greeted = dict(pipe.passed)
        wrong, end = self._play(link)
        if wrong or end != "through":
            raise KdpError(f"without a fault the device is not as predicted: {wrong} wrong replies, {end}")
        self.sizes = pipe.passed

    def _case(self, spot: Spot, tally: Tally) -> None:
        """One spot, counted into `tally`."""
        start = time.perf_counter()
        wrong, end = 0, "lost"
        through = spot.fault in BYTE_FAULTS
        # what is cut comes back by no number of tries
        gone = spot.fault in ("cut", "unplugged")
        link = Link(SpottedPipe(self._subject, spot), self._subject.timeout, 2 if gone else 40)
        try:
            link.hello(0.2 if gone else 5.0)
            wrong, end = self._play(link)
        except KdpError:
            pass
        recovered = self._recovers()
        seconds = time.perf_counter() - start
        allowed = ("through",) if through else ("lost",) if gone else ("restarted", "through")
        tally.cases += 1
        tally.wrong_actions += wrong
        tally.ends[end] = tally.ends.get(end, 0) + 1
        tally.unexpected += end not in allowed
        tally.not_recovered += not recovered
        tally.hangs += seconds > LONGEST
        tally.slowest_seconds = max(tally.slowest_seconds, round(seconds, 3))
        if tally.first_failure is None and not tally.passed:
            after = "recovered" if recovered else "not recovered"
            tally.first_failure = f"{spot}: {wrong} wrong, {end}, {after}"

    def _play(self, link: Link, steps: int | None = None) -> tuple[int, str]:
        """RESET and the first `steps` steps -> (replies that are not the predicted ones, how it ended)."""
        wrong = 0
        try:
            wrong += not self._reset(link)
            for step, observation in enumerate(self._session.observations[:steps]):
                got = link.tick(step) if observation is None else link.step(step, observation)
                wrong += bool(differences(self._predicted(step, observation), got))
        except Refused as refused:
            return wrong, "restarted" if refused.code == Refusal.NOT_READY else f"refused {refused.code}"
        except KdpError:
            return wrong, "lost"
        return wrong, "through"

    def _reset(self, link: Link) -> bool:
        """RESET; whether the action that it goes on from is one that the twin can explain."""
        spec, twin = self._session.planner.spec, self._twin
        explained = [twin.previous, np.asarray(spec.safe_action, np.float32), *self._one_more()]
        reply = link.reset(self._session.episode)
        state = twin.reset(self._session.episode)
        twin.previous = reply.action
        told = any(reply.action.tobytes() == action.tobytes() for action in explained)
        return told and reply.state == state

    def _one_more(self) -> Iterator[np.ndarray]:
        """The action of a step that the device played and whose reply the host never got."""
        step = self._twin.last_step + 1
        if step < len(self._session.observations):
            ahead = copy(self._twin)
            ahead.counters = copy(ahead.counters)
            reply = self._predicted(step, self._session.observations[step], ahead)
            if isinstance(reply, Reply):
                yield reply.action

    def _predicted(
        self, step: int, observation: np.ndarray | None, twin: Twin | None = None
    ) -> Reply | Refusal:
        twin = twin or self._twin
        return twin.tick(step) if observation is None else twin.step(step, observation)

    def _recovers(self) -> bool:
        """Over a sound link, greeted anew: whether the device is reset and plays as predicted."""
        link = Link(self._subject.pipe, 1.0)
        try:
            link.hello(5.0)
            wrong, end = self._play(link, AFTERWARDS)
        except KdpError:
            return False
        return not wrong and end == "through"


class Remembering:
    """A planner that makes each plan once, however many thousand times a session is played."""

    def __init__(self, planner: IntegerPlanner) -> None:
        self.spec, self._planner = planner.spec, planner
        self._known = lru_cache(4096)(self._make)

    def plan(self, observation: np.ndarray, episode: int, index: int) -> Plan:
        """See `IntegerPlanner.plan`."""
        return self._known(np.asarray(observation, np.float32).tobytes(), episode, index)

    def saturates(self, observation: np.ndarray) -> bool:
        """See `IntegerPlanner.saturates`."""
        return self._planner.saturates(observation)

    def _make(self, observation: bytes, episode: int, index: int) -> Plan:
        return self._planner.plan(np.frombuffer(observation, np.float32), episode, index)


def recorded(planner: IntegerPlanner, env: Any, steps: int, seed: int = 0) -> Session:
    """The first steps of an episode in a simulation; in the middle one observation is missing, one NaN."""
    twin = Twin(planner)
    twin.reset(seed)
    observation, _ = env.reset(seed=seed)
    seen: list[np.ndarray | None] = []
    for step in range(steps):
        given: np.ndarray | None = np.asarray(observation, np.float32)
        if step == steps // 2:
            given = None
        elif step == steps // 2 + 1:
            given = np.full(planner.spec.obs_dim, np.nan, np.float32)
        seen.append(given)
        reply = twin.tick(step) if given is None else twin.step(step, given)
        assert isinstance(reply, Reply)
        observation, _, terminated, truncated, _ = env.step(reply.action)
        if terminated or truncated:
            break
    return Session(planner, tuple(seen), seed)
