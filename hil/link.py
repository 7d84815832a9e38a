# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A link to one device: requests and replies in lockstep, repeated when lost, every wait bounded."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.hil.pipes import LinkLost, Pipe, readable
from kdp_edge.wire import numbers, protocol
from kdp_edge.wire.frame import Decoder, Frame, encode
from kdp_edge.wire.numbers import Pace, Type
from kdp_edge.wire.protocol import Hello, PlanReply, SelfTest, StateReply, StepReply, Telemetry

HELLO_EVERY = 0.15  # seconds, docs/protocol.md
REPEAT_AFTER = 0.05  # seconds, of a request that nobody waits for
_UNANSWERED = "the device hangs or the cable is off; reset it and check the link"
HEARD = 64  # bytes that are kept for a message


@dataclass
class LinkCounters:
    """What went wrong on the link, as the host saw it."""

    lost: int = 0  # requests that never got a reply
    crc_errors: int = 0  # frames that arrived damaged
    retries: int = 0  # requests sent again, HELLO not counted
    stray: int = 0  # whole replies to another request than the last one


@dataclass
class Asked:
    """A control step that was asked for and whose reply nobody waits for."""

    type: Type
    seq: int
    data: bytes
    begins: bytes
    sent: float  # time.perf_counter()
    repeated: float  # of the last repetition
    took: float = 0.0  # seconds, once it was answered


class Link:
    """Talks to one device over `pipe`.

    Args:
        pipe: bytes to and from the device; the link does not close it.
        timeout: seconds to wait for a reply before the request is repeated.
        tries: how often a request is sent before the link counts as lost.
    """

    def __init__(self, pipe: Pipe, timeout: float = 1.0, tries: int = 5) -> None:
        self.pipe = pipe
        self.timeout = timeout
        self.tries = tries
        self.counters = LinkCounters()
        self.hello_tries = 0
        self.rtt = 0.0  # seconds, of the last request, its repetitions included
        self._heard = bytearray()  # first bytes that came before a HELLO was answered
        self._decoder = Decoder()
        self._frames: list[Frame] = []
        self._seq = 0
        self._hello: Hello | None = None

    def hello(self, within: float = 10.0) -> Hello:
        """Ask who is there until somebody answers; raises `KdpError` (exit 3) after `within` seconds."""
        start = time.perf_counter()
        end = start + within
        while time.perf_counter() < end:
            self.hello_tries += 1
            # any of the last few HELLOs may be the one that is answered: a slow device must not be missed
            seq = self._next_seq()
            self.pipe.write(b"\0" + encode(Type.HELLO, seq))
            reply = self._await(Type.HELLO, seq, min(HELLO_EVERY, end - time.perf_counter()), any_seq=True)
            if reply is not None:
                self._hello = Hello.unpack(reply.payload)
                return self._hello
        raise KdpError(
            f"no answer to HELLO in {time.perf_counter() - start:.1f} s ({self.hello_tries} tries): "
            f"{self._why_no_hello()}",
            DEVICE_MISSING,
        )

    def _why_no_hello(self) -> str:
        """What to check, by what came instead of an answer."""
        if not self._heard:
            return (
                "check that the device has power, runs this firmware, and that port and baud rate are the "
                "right ones; nothing came at all"
            )
        came = f"first bytes that came instead: {readable(self._heard)}"
        if encode(Type.HELLO, 1) in self._heard:
            return f"{came}: what is sent comes back; is TX joined to RX, or the adapter in loopback?"
        printable = sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in self._heard)
        if printable >= 0.9 * len(self._heard):
            return (
                f"{came}: another program talks there, or this is its boot log; choose another port, or flash"
            )
        return f"{came}: no frames of this protocol; another baud rate, or another firmware"

    def request(self, type_: Type, payload: bytes = b"", begins: bytes = b"") -> bytes:
        """Send a request and return its reply's payload.

        Args:
            begins: what the payload of the reply must begin with; any other is another request's.

        Raises:
            LinkLost: no reply after `tries` tries.
            Refused: the device sent an error reply.
        """
        seq = self._next_seq()
        data = encode(type_, seq, payload)
        start = time.perf_counter()
        for attempt in range(self.tries):
            self.counters.retries += attempt > 0
            # a zero in front makes the device drop what is left of a damaged request
            self.pipe.write(b"\0" + data if attempt else data)
            reply = self._await(type_, seq, self.timeout, begins=begins)
            if reply is not None:
                self.rtt = time.perf_counter() - start
                if reply.type == numbers.ERROR:
                    raise protocol.unpack_error(reply.payload)
                return reply.payload
        self.counters.lost += 1
        raise LinkLost(
            f"no reply to {type_.name} after {self.tries} tries of {self.timeout:g} s: {_UNANSWERED}"
        )

    def reset(self, episode: int, pace: Pace = Pace.LOCKSTEP) -> StateReply:
        """RESET: a new episode, at a pace."""
        payload = self.request(Type.RESET, protocol.pack_reset(episode, pace))
        return StateReply.unpack(payload, self._shape().act_dim, "RESET")

    def arm(self) -> StateReply:
        """ARM: leave the latch."""
        return StateReply.unpack(self.request(Type.ARM), self._shape().act_dim, "ARM")

    def step(self, step: int, observation: np.ndarray) -> StepReply:
        """STEP with an observation float32 [obs_dim]."""
        payload = self.request(Type.STEP, protocol.pack_step(step, observation), protocol.pack_tick(step))
        return StepReply.unpack(payload, self._shape().act_dim)

    def tick(self, step: int) -> StepReply:
        """TICK: a control step without an observation."""
        asked = protocol.pack_tick(step)
        return StepReply.unpack(self.request(Type.TICK, asked, asked), self._shape().act_dim)

    def ask(self, step: int, observation: np.ndarray | None) -> Asked:
        """STEP or TICK without waiting for its reply; one such request at a time."""
        tick = protocol.pack_tick(step)
        type_, payload = (
            (Type.TICK, tick) if observation is None else (Type.STEP, protocol.pack_step(step, observation))
        )
        seq, now = self._next_seq(), time.perf_counter()
        asked = Asked(type_, seq, encode(type_, seq, payload), tick, now, now)
        self.pipe.write(asked.data)
        return asked

    def answer(self, asked: Asked, within: float) -> StepReply | None:
        """The reply to `asked`, None when it does not come `within` seconds.

        A request whose reply is missing for `REPEAT_AFTER` is sent again, the same: a device that has
        carried it out answers alike.

        Raises:
            LinkLost: it was missing for all tries of the link's time-out.
            Refused: the device sent an error reply.
        """
        reply = self._await(asked.type, asked.seq, max(within, 0.0), begins=asked.begins)
        now = time.perf_counter()
        if reply is not None:
            asked.took = self.rtt = now - asked.sent
            if reply.type == numbers.ERROR:
                raise protocol.unpack_error(reply.payload)
            return StepReply.unpack(reply.payload, self._shape().act_dim)
        if now - asked.sent > self.timeout * self.tries:
            self.counters.lost += 1
            raise LinkLost(f"no reply to {asked.type.name} in {now - asked.sent:.1f} s: {_UNANSWERED}")
        if now - asked.repeated > REPEAT_AFTER:
            self.counters.retries += 1
            asked.repeated = now
            self.pipe.write(b"\0" + asked.data)
        return None

    def plan(self, episode: int, index: int, candidate: int, observation: np.ndarray) -> PlanReply:
        """PLAN: one candidate of a plan, the control state untouched."""
        hello = self._shape()
        payload = self.request(Type.PLAN, protocol.pack_plan(episode, index, candidate, observation))
        return PlanReply.unpack(payload, hello.k, hello.horizon * (hello.obs_dim + hello.act_dim))

    def selftest(self) -> SelfTest:
        """SELFTEST: run the golden vectors on the device."""
        return SelfTest.unpack(self.request(Type.SELFTEST))

    def telemetry(self) -> Telemetry:
        """TELEMETRY."""
        return Telemetry.unpack(self.request(Type.TELEMETRY))

    def echo(self, data: bytes) -> bytes:
        """ECHO."""
        return self.request(Type.ECHO, data)

    def reboot(self) -> None:
        """REBOOT; the next request must be `hello`."""
        self.request(Type.REBOOT)
        self._hello = None

    def _shape(self) -> Hello:
        if self._hello is None:
            raise RuntimeError("hello() comes first")
        return self._hello

    def _next_seq(self) -> int:
        self._seq = (self._seq + 1) & 0xFFFF
        return self._seq

    def _await(
        self, type_: Type, seq: int, timeout: float, any_seq: bool = False, begins: bytes = b""
    ) -> Frame | None:
        """The reply to `seq`, or None after `timeout` seconds or as soon as a damaged frame came."""
        end = time.perf_counter() + timeout
        while True:
            while self._frames:
                frame = self._frames.pop(0)
                ours = frame.type == type_ | numbers.REPLY and (any_seq or frame.seq == seq)
                ours = ours and frame.payload.startswith(begins)
                refusal = frame.type == numbers.ERROR and frame.seq == seq
                if ours or (refusal and not any_seq):
                    return frame
                self.counters.stray += not any_seq
            left = end - time.perf_counter()
            if left <= 0:
                return None
            before = self._decoder.bad
            data = self.pipe.read(left)
            if any_seq and len(self._heard) < HEARD:
                self._heard += data[:HEARD]
            self._frames += self._decoder.feed(data)
            damaged = self._decoder.bad - before
            if damaged and not any_seq:
                self.counters.crc_errors += damaged
                if not self._frames:
                    return None  # most likely our reply: ask again at once
