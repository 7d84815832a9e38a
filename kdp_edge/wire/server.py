# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The device's side of the link protocol in Python, on top of the twin: frames in, frames out.

It is what `--device reference` talks to, and a second reading of docs/protocol.md that the firmware's
server is compared with.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kdp_edge import __version__
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire import numbers, protocol
from kdp_edge.wire.frame import Decoder, Frame, encode
from kdp_edge.wire.numbers import ClockSource, Flag, HelloFlag, Pace, Refusal, State, Type
from kdp_edge.wire.protocol import Hello, PlanReply, SelfTest, StateReply, Telemetry
from kdp_edge.wire.twin import Reply, Twin

TICK_HZ = 1_000_000


class Server:
    """Answers requests for one policy, byte by byte as a board would.

    Args:
        planner: the policy to serve.
        clock: seconds, of plans and of silence.
        judged: whether a plan that misses its deadline is late.
        latched: whether a latch is kept from before.
        actuate: gets every action that is decided, float32 [act_dim]; None: the host drives the actuators.
    """

    def __init__(
        self,
        planner: IntegerPlanner,
        clock: Callable[[], float] = time.perf_counter,
        *,
        judged: bool = False,
        latched: bool = False,
        actuate: Callable[[np.ndarray], None] | None = None,
    ) -> None:
        self.planner = planner
        self._clock, self._judged, self._actuate = clock, judged, actuate
        self._twin = Twin(planner, State.LATCHED if latched else State.IDLE)
        self._handlers: dict[int, Callable[[bytes], bytes | Refusal]] = {
            Type.HELLO: self._hello,
            Type.RESET: self._reset,
            Type.STEP: self._step,
            Type.TICK: self._tick,
            Type.SELFTEST: self._selftest,
            Type.TELEMETRY: self._telemetry,
            Type.ARM: self._arm,
            Type.REBOOT: self._reboot,
            Type.ECHO: lambda payload: payload,
            Type.PLAN: self._plan,
        }
        self._boot()

    def _boot(self) -> None:
        self._twin.reboot()
        self._decoder = Decoder()
        self._received = 0
        self._longest = 0
        self._last: tuple[Frame, bytes] | None = None
        self._own = 0  # steps by our own clock that no reply has told
        self._heard = 0  # tick from which silence is counted

    def feed(self, data: bytes) -> bytes:
        """Take request bytes, whole or not, and return the reply bytes that they cause."""
        self.watch()
        return b"".join(self._answer(frame) for frame in self._decoder.feed(data))

    def watch(self) -> float | None:
        """The dead man (`kdp_failsafe_watch`): play the steps that a silent host is late with.

        Returns:
            Seconds until the next of them would be due; None where silence means nothing.
        """
        if self._twin.pace != Pace.REAL or self._twin.state == State.IDLE:
            return None
        while (left := self._due() - self._now()) <= 0:
            self._heard = self._due()
            self._own = min(self._own + 1, 2**16 - 1)
            self._twin.alone(1)
            self._decided()
        return left / TICK_HZ

    def _due(self) -> int:
        gap = 1 if self._twin.ahead else self.planner.spec.silent_steps
        return self._heard + gap * self.planner.spec.period(TICK_HZ)

    def _now(self) -> int:
        return int(self._clock() * TICK_HZ)

    def _decided(self) -> None:
        """An action was: the actuators get it, whatever becomes of a reply."""
        self._keep_latch()
        if self._actuate is not None:
            self._actuate(self._twin.previous)

    def _keep_latch(self) -> None:
        """Where a latch shall outlive this process; it may have come or gone."""

    def _take_own(self) -> int:
        own, self._own = self._own, 0
        return own

    def _answer(self, frame: Frame) -> bytes:
        self._received += 1
        if self._last is not None and self._last[0] == frame:
            return self._last[1]  # the host lost the reply, not the device the step
        handler = self._handlers.get(frame.type)
        result = handler(frame.payload) if handler else Refusal.UNKNOWN_TYPE
        if isinstance(result, Refusal):
            return encode(numbers.ERROR, frame.seq, protocol.pack_error(result, frame.type))
        reply = encode(frame.type | numbers.REPLY, frame.seq, result)
        if frame.type in (Type.STEP, Type.TICK):
            self._last = (frame, reply)
        return reply

    def _hello(self, payload: bytes) -> bytes | Refusal:
        if payload:
            return Refusal.BAD_LENGTH
        hello = Hello.of(
            self.planner,
            state=int(self._twin.state),
            flags=int(HelloFlag.SELFTEST_PASSED),
            clock_source=int(ClockSource.OPERATING_SYSTEM),
            clock_hz=TICK_HZ,
            tick_hz=TICK_HZ,
            board="reference",
            version=__version__,
        )
        return hello.pack()

    def _reset(self, payload: bytes) -> bytes | Refusal:
        if len(payload) != 5 or payload[4] not in set(Pace):
            return Refusal.BAD_LENGTH
        episode, pace = struct.unpack("<IB", payload)
        self._twin.reset(episode, Pace(pace))
        self._heard = self._now()
        return self._state()

    def _state(self) -> bytes:
        self._last = None
        self._keep_latch()
        return StateReply(self._twin.state, self._twin.pace, self._take_own(), self._twin.previous).pack()

    def _step(self, payload: bytes) -> bytes | Refusal:
        if len(payload) != 4 + 4 * self.planner.spec.obs_dim:
            return Refusal.BAD_LENGTH
        step, observation = int.from_bytes(payload[:4], "little"), np.frombuffer(payload[4:], "<f4")
        return self._timed(lambda late: self._twin.step(step, observation, late))

    def _tick(self, payload: bytes) -> bytes | Refusal:
        if len(payload) != 4:
            return Refusal.BAD_LENGTH
        return self._timed(lambda late: self._twin.tick(int.from_bytes(payload, "little")))

    def _timed(self, call: Callable[[Callable[[], int]], Reply | Refusal]) -> bytes | Refusal:
        """Carry out a control step; it asks when its plan is made how many periods late that is."""
        start, ticks = self._now(), 0

        def late() -> int:
            nonlocal ticks
            ticks = max(1, self._now() - start)
            spec = self.planner.spec
            missed = self._judged and ticks * 1_000_000 > spec.deadline_us * TICK_HZ
            return spec.periods(ticks, TICK_HZ) if missed else 0

        reply = call(late)
        if isinstance(reply, Refusal):
            return reply
        # the time of a late plan is in its age already: silence is counted from its end
        self._heard = start + ticks if reply.flags & Flag.OVERRUN else start
        self._longest = max(self._longest, ticks)
        self._decided()
        return reply.timed(ticks, self._take_own()).pack()

    def _selftest(self, payload: bytes) -> bytes | Refusal:
        return Refusal.BAD_LENGTH if payload else SelfTest(1, 0, 0xFFFF).pack()

    def _telemetry(self, payload: bytes) -> bytes | Refusal:
        if payload:
            return Refusal.BAD_LENGTH
        counted = Telemetry(**vars(self._twin.counters))
        return replace(
            counted,
            frames_received=self._received,
            frames_bad=self._decoder.bad,
            longest_plan_ticks=self._longest,
        ).pack()

    def _arm(self, payload: bytes) -> bytes | Refusal:
        if payload:
            return Refusal.BAD_LENGTH
        self._twin.arm()
        return self._state()

    def _reboot(self, payload: bytes) -> bytes | Refusal:
        if payload:
            return Refusal.BAD_LENGTH
        self._boot()
        return b""

    def _plan(self, payload: bytes) -> bytes | Refusal:
        spec = self.planner.spec
        if len(payload) != 9 + 4 * spec.obs_dim or payload[8] >= spec.k:
            return Refusal.BAD_LENGTH
        episode, index, candidate = struct.unpack("<IIB", payload[:9])
        start = self._clock()
        plan = self.planner.plan(np.frombuffer(payload[9:], "<f4"), episode, index)
        ticks = max(1, round((self._clock() - start) * TICK_HZ))
        return PlanReply(plan.best, ticks, plan.scores, plan.windows[candidate]).pack()
