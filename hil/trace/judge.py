# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Where the answers in a trace are not what the twin predicts for the same requests."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kdp_edge.base.errors import KdpError
from kdp_edge.hil.reply_check import differences
from kdp_edge.hil.trace.file import Event, described, frame_in
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire import numbers
from kdp_edge.wire.frame import Decoder, Frame
from kdp_edge.wire.numbers import Flag, Pace, Refusal, State, Type
from kdp_edge.wire.protocol import Refused, StateReply, StepReply, unpack_error
from kdp_edge.wire.twin import Reply, Twin

SILENT = "no answer"


@dataclass(frozen=True)
class Wrong:
    """The first answer that is not the predicted one."""

    event: int  # index
    request: str  # in words
    fields: frozenset[str]  # that differ
    says: str

    def alike(self, other: Wrong | None) -> bool:
        """Whether another failure is this one again, as far as can be told."""
        if other is None:
            return False
        same_kind = self.request.split()[0] == other.request.split()[0]
        return same_kind and bool(self.fields & other.fields)


def judge(planner: IntegerPlanner, tick_hz: int, events: Sequence[Event]) -> Wrong | None:
    """Hold every answer against the twin's; `tick_hz` is of the device's clock."""
    walk = _Walk(planner, tick_hz)
    decoder = Decoder()
    for index, event in enumerate(events):
        if event.send is None:
            continue
        frames, answers = decoder.feed(event.send), iter(event.replies)
        for frame in frames:
            found = dict(walk.compare(frame, _next_sound(answers)))
            if found:
                what = described(event.send) if len(frames) == 1 else f"{_name(frame)} among others"
                says = ", ".join(f"{name}: {text}" for name, text in found.items())
                return Wrong(index, what, frozenset(found), says)
    return None


def _next_sound(answers: Iterator[bytes]) -> Frame | None:
    """The next whole frame; a device that sends another thing has not answered."""
    return next((frame for data in answers if (frame := frame_in(data)) is not None), None)


def _name(frame: Frame) -> str:
    return Type(frame.type).name if frame.type in set(Type) else f"0x{frame.type:02x}"


class _Walk:
    """The twin beside a stream of requests."""

    def __init__(self, planner: IntegerPlanner, tick_hz: int) -> None:
        self.planner, self.tick_hz = planner, tick_hz
        self.twin = Twin(planner)
        self.begun = False
        self.last: tuple[Frame, Frame] | None = None

    def compare(self, frame: Frame, got: Frame | None) -> Iterator[tuple[str, str]]:
        """What differs from the prediction, by field."""
        if got is None:
            yield SILENT, "nothing came"
            return
        if self.last is not None and self.last[0] == frame:
            if got != self.last[1]:
                yield "repeated", "the answer to a repeated request is another one"
            return
        if got.seq != frame.seq:
            yield "seq", f"expected {frame.seq}, got {got.seq}"
            return
        try:
            yield from self._compare(frame, got)
        except (KdpError, struct.error) as error:
            yield "length", str(error)
        if frame.type in (Type.STEP, Type.TICK) and got.type != numbers.ERROR:
            self.last = (frame, got)
        elif frame.type in (Type.RESET, Type.ARM, Type.REBOOT):
            self.last = None

    def _compare(self, frame: Frame, got: Frame) -> Iterator[tuple[str, str]]:
        if frame.type in (Type.STEP, Type.TICK):
            answer = self._answer(frame, got)
            for name, pair in differences(self._predicted(frame, answer), answer).items():
                if name != "own" or self.twin.pace == Pace.LOCKSTEP:
                    yield name, f"expected {pair['expected']}, got {pair['got']}"
        elif got.type != frame.type | numbers.REPLY:
            yield "type", f"expected an answer to {_name(frame)}, got type 0x{got.type:02x}"
        elif frame.type in (Type.RESET, Type.ARM):
            yield from self._state(frame, got)
        elif frame.type == Type.REBOOT:
            self.twin.reboot()
        elif frame.type == Type.ECHO and got.payload != frame.payload:
            yield "echo", "other bytes came back"

    def _answer(self, frame: Frame, got: Frame) -> StepReply | Refused:
        if got.type == numbers.ERROR:
            return unpack_error(got.payload)
        return StepReply.unpack(got.payload, self.planner.spec.act_dim)

    def _predicted(self, frame: Frame, got: StepReply | Refused) -> Reply | Refusal:
        wanted = 4 if frame.type == Type.TICK else 4 + 4 * self.planner.spec.obs_dim
        if len(frame.payload) != wanted:
            return Refusal.BAD_LENGTH
        step, late = int.from_bytes(frame.payload[:4], "little"), 0
        if isinstance(got, StepReply):
            self.twin.alone(got.own if self.twin.pace == Pace.REAL else 0)
            if got.flags & Flag.OVERRUN:
                late = self.planner.spec.periods(got.ticks, self.tick_hz)
        if frame.type == Type.TICK:
            return self.twin.tick(step)
        return self.twin.step(step, _floats(frame.payload[4:]), late)

    def _state(self, frame: Frame, got: Frame) -> Iterator[tuple[str, str]]:
        answer = StateReply.unpack(got.payload, self.planner.spec.act_dim, _name(frame))
        if self.twin.pace == Pace.REAL:
            self.twin.alone(answer.own)
        if frame.type == Type.ARM:
            self.twin.arm()
        else:
            episode, pace = struct.unpack("<IB", frame.payload)
            self.twin.reset(episode, Pace(pace))
        if not self.begun:
            self.twin.previous, self.begun = answer.action, True  # what it played before is its own affair
        if answer.state != self.twin.state:
            yield "state", f"expected {self.twin.state.name}, got {_state_name(answer.state)}"
        if answer.action.tobytes() != self.twin.previous.tobytes():
            yield "action", f"expected {self.twin.previous}, got {answer.action}"


def _floats(data: bytes):  # type: ignore[no-untyped-def]
    import numpy as np

    return np.frombuffer(data, "<f4").astype(np.float32)


def _state_name(state: int) -> str:
    return State(state).name if state in set(State) else str(state)
