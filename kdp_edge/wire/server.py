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
from kdp_edge.wire.numbers import ClockSource, HelloFlag, Refusal, Type
from kdp_edge.wire.protocol import Hello, PlanReply, SelfTest, Telemetry
from kdp_edge.wire.twin import Reply, Twin

TICK_HZ = 1_000_000


class Server:
    """Answers requests for one policy, byte by byte as a board would.

    Args:
        planner: the policy to serve.
        clock: time of a plan comes from here, in seconds.
    """

    def __init__(self, planner: IntegerPlanner, clock: Callable[[], float] = time.perf_counter) -> None:
        self.planner = planner
        self._clock = clock
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
        self._twin = Twin(self.planner)
        self._decoder = Decoder()
        self._received = 0
        self._longest = 0
        self._last: tuple[Frame, bytes] | None = None

    def feed(self, data: bytes) -> bytes:
        """Take request bytes, whole or not, and return the reply bytes that they cause."""
        return b"".join(self._answer(frame) for frame in self._decoder.feed(data))

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
        if len(payload) != 4:
            return Refusal.BAD_LENGTH
        self._last = None
        return bytes([self._twin.reset(*struct.unpack("<I", payload))])

    def _step(self, payload: bytes) -> bytes | Refusal:
        if len(payload) != 4 + 4 * self.planner.spec.obs_dim:
            return Refusal.BAD_LENGTH
        step, observation = int.from_bytes(payload[:4], "little"), np.frombuffer(payload[4:], "<f4")
        return self._timed(lambda: self._twin.step(step, observation))

    def _tick(self, payload: bytes) -> bytes | Refusal:
        if len(payload) != 4:
            return Refusal.BAD_LENGTH
        return self._timed(lambda: self._twin.tick(int.from_bytes(payload, "little")))

    def _timed(self, call: Callable[[], Reply | Refusal]) -> bytes | Refusal:
        plans, start = self._twin.counters.plans, self._clock()
        reply = call()
        if isinstance(reply, Refusal):
            return reply
        planned = self._twin.counters.plans > plans
        ticks = max(1, round((self._clock() - start) * TICK_HZ)) if planned else 0
        self._longest = max(self._longest, ticks)
        return reply.timed(ticks).pack()

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
        self._last = None
        return bytes([self._twin.arm()])

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
