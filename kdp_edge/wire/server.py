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
from kdp_edge.wire.numbers import ClockSource, HelloFlag, Pace, Refusal, Type
from kdp_edge.wire.protocol import Hello, PlanReply, SelfTest, StateReply, Telemetry
from kdp_edge.wire.timed_twin import TICK_HZ, TimedTwin
from kdp_edge.wire.twin import Reply, Twin


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
        self._clock, self._actuate = clock, actuate
        self._timed = TimedTwin(planner, clock, judged=judged, latched=latched, decided=self._decided)
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
        self._timed.reboot()
        self._decoder = Decoder()
        self._received = 0
        self._last: tuple[Frame, bytes] | None = None

    def feed(self, data: bytes) -> bytes:
        """Take request bytes, whole or not, and return the reply bytes that they cause.

        When they are out, `prepare` is to be called.
        """
        self.prepare()
        self.watch()
        return b"".join(self._answer(frame) for frame in self._decoder.feed(data))

    def watch(self) -> float | None:
        """See `TimedTwin.watch`."""
        return self._timed.watch()

    def prepare(self) -> None:
        """See `TimedTwin.prepare`; requests that come first wait for it."""
        self._timed.prepare()

    def _decided(self, twin: Twin, action: bool) -> None:
        """An action was, or a latch may have come or gone; actuators get it, whatever becomes of a reply."""
        if action and self._actuate is not None:
            self._actuate(twin.previous)

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
            state=int(self._timed.twin.state),
            flags=int(HelloFlag.SELFTEST_PASSED | self._ahead()),
            clock_source=int(ClockSource.OPERATING_SYSTEM),
            clock_hz=TICK_HZ,
            tick_hz=TICK_HZ,
            board="reference",
            version=__version__,
        )
        return hello.pack()

    def _ahead(self) -> HelloFlag:
        return HelloFlag.AHEAD if self.planner.spec.ahead else HelloFlag(0)

    def _reset(self, payload: bytes) -> bytes | Refusal:
        if len(payload) != 5 or payload[4] not in set(Pace):
            return Refusal.BAD_LENGTH
        episode, pace = struct.unpack("<IB", payload)
        self._timed.reset(episode, Pace(pace))
        return self._state()

    def _state(self) -> bytes:
        self._last = None
        twin = self._timed.twin
        return StateReply(twin.state, twin.pace, self._timed.take_own(), twin.previous).pack()

    def _step(self, payload: bytes) -> bytes | Refusal:
        if len(payload) != 4 + 4 * self.planner.spec.obs_dim:
            return Refusal.BAD_LENGTH
        step, observation = int.from_bytes(payload[:4], "little"), np.frombuffer(payload[4:], "<f4")
        return self._reply(self._timed.step(step, observation))

    def _tick(self, payload: bytes) -> bytes | Refusal:
        if len(payload) != 4:
            return Refusal.BAD_LENGTH
        return self._reply(self._timed.tick(int.from_bytes(payload, "little")))

    def _reply(self, reply: Reply | Refusal) -> bytes | Refusal:
        if isinstance(reply, Refusal):
            return reply
        return reply.timed(self._timed.ticks, self._timed.take_own()).pack()

    def _selftest(self, payload: bytes) -> bytes | Refusal:
        return Refusal.BAD_LENGTH if payload else SelfTest(1, 0, 0xFFFF).pack()

    def _telemetry(self, payload: bytes) -> bytes | Refusal:
        if payload:
            return Refusal.BAD_LENGTH
        counted = Telemetry(**vars(self._timed.twin.counters))
        return replace(
            counted,
            frames_received=self._received,
            frames_bad=self._decoder.bad,
            longest_plan_ticks=self._timed.longest,
        ).pack()

    def _arm(self, payload: bytes) -> bytes | Refusal:
        if payload:
            return Refusal.BAD_LENGTH
        self._timed.arm()
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
