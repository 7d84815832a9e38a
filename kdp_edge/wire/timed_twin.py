# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The twin with the clock that a twin lacks: what decides actions wherever the device is a Python program."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import Flag, Pace, Refusal, State
from kdp_edge.wire.twin import Reply, Twin

TICK_HZ = 1_000_000


class TimedTwin:
    """Judges how late a plan is and how long the host has been silent, as `firmware/core` does.

    Args:
        planner: the policy.
        clock: seconds, of plans and of silence.
        judged: whether a plan that misses its deadline is late.
        latched: whether a latch is kept from before.
        decided: called after every action and whenever a latch may have come or gone.
    """

    def __init__(
        self,
        planner: IntegerPlanner,
        clock: Callable[[], float] = time.perf_counter,
        *,
        judged: bool = False,
        latched: bool = False,
        decided: Callable[[Twin, bool], None] = lambda twin, action: None,
    ) -> None:
        self.twin = Twin(planner, State.LATCHED if latched else State.IDLE)
        self._clock, self._judged, self._decided = clock, judged, decided
        self.reboot()

    def reboot(self) -> None:
        """A restart: a latch is kept."""
        self.twin.reboot()
        self.ticks = 0  # from its request to the end of the plan that began in the last step; 0: none did
        self._answered = 0  # ticks from the last step's request to its answer
        self._next = 0  # ticks of the plan made ahead
        self.longest = 0  # of all `ticks`
        self._own = 0  # steps by our own clock that nobody was told
        self._heard = 0  # tick from which silence is counted

    def watch(self) -> float | None:
        """The dead man (`kdp_failsafe_watch`): decide the steps that a silent host is late with.

        Returns:
            Seconds until the next of them would be due; None where silence means nothing.
        """
        if self.twin.pace != Pace.REAL or self.twin.state == State.IDLE:
            return None
        while (left := self._due() - self.now()) <= 0:
            self._heard = self._due()
            self._own = min(self._own + 1, 2**16 - 1)
            self.twin.alone(1)
            self._decided(self.twin, True)
        return left / TICK_HZ

    def _due(self) -> int:
        spec = self.twin.planner.spec
        return self._heard + (1 if self.twin.beyond else spec.silent_steps) * spec.period(TICK_HZ)

    def now(self) -> int:
        """Ticks of the clock."""
        return int(self._clock() * TICK_HZ)

    def take_own(self) -> int:
        """Steps by our own clock since this was asked last; 65,535: as many or more."""
        own, self._own = self._own, 0
        return own

    def reset(self, episode: int, pace: Pace) -> State:
        """See `Twin.reset`; silence is counted from now."""
        self.twin.reset(episode, pace)
        self._heard = self.now()
        self._decided(self.twin, False)
        return self.twin.state

    def arm(self) -> State:
        """See `Twin.arm`."""
        self.twin.arm()
        self._decided(self.twin, False)
        return self.twin.state

    def step(self, step: int, observation: np.ndarray) -> Reply | Refusal:
        """See `Twin.step`; our clock says how late the plan is."""
        return self._timed(lambda late: self.twin.step(step, observation, late))

    def tick(self, step: int) -> Reply | Refusal:
        """See `Twin.tick`."""
        return self._timed(lambda late: self.twin.tick(step))

    def prepare(self) -> None:
        """An answer is out: make the next plan, if it is to be made ahead (`PlanSpec.ahead`).

        Its time counts from the request of the step that it is made in, but for what passes between the
        answer and this call.
        """
        if self.twin.next is None or self.twin.next.made is not None:
            return
        start = self.now()
        self.twin.make_next()
        self._next = self._answered + max(1, self.now() - start)
        self.longest = max(self.longest, self._next)

    def _timed(self, call: Callable[[Callable[[bool], int]], Reply | Refusal]) -> Reply | Refusal:
        """Carry out a control step; it asks when its plan is there how many periods late that is."""
        self.prepare()
        start, self.ticks = self.now(), 0

        def late(ahead: bool) -> int:
            self.ticks = self._next if ahead else max(1, self.now() - start)
            spec = self.twin.planner.spec
            missed = self._judged and self.ticks * 1_000_000 > spec.deadline_us * TICK_HZ
            return spec.periods(self.ticks, TICK_HZ) if missed else 0

        reply = call(late)
        if isinstance(reply, Refusal):
            return reply
        if self.twin.next is not None:
            self._answered = self.now() - start
        # the time of a plan late for its own step is in its age already: silence is counted from its end
        late_now = reply.flags & Flag.OVERRUN and not reply.flags & Flag.AHEAD
        self._heard = start + self.ticks if late_now else start
        self.longest = max(self.longest, self.ticks)
        self._decided(self.twin, True)
        return reply
