# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A trace played again on a device, to the same byte; and made as short as what still fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace

from kdp_edge.base.errors import KdpError
from kdp_edge.hil.devices.device import Device
from kdp_edge.hil.link import Link
from kdp_edge.hil.loop import AFTERWARDS, greeted
from kdp_edge.hil.pipes import LinkLost
from kdp_edge.hil.trace.file import Event, Trace, frame_in
from kdp_edge.hil.trace.judge import Wrong, judge
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire import numbers
from kdp_edge.wire.frame import Decoder
from kdp_edge.wire.numbers import HelloFlag, State, Type

Open = Callable[[], AbstractContextManager[Device]]  # a fresh device each time
_UNTOLD = (Type.TELEMETRY | numbers.REPLY,)  # counts frames, and how often HELLO is asked differs


@dataclass(frozen=True)
class Rerun:
    """What a device did with the requests of a trace."""

    trace: Trace  # with the answers of this time
    wrong: Wrong | None  # the first answer that is not the predicted one
    answers: int
    same: int  # answers that are the recorded ones, byte for byte
    first_other: int | None  # index of the event with the first that is not


def rerun(trace: Trace, planner: IntegerPlanner, opener: Open) -> Rerun:
    """Play the requests of `trace` on a fresh device.

    Raises:
        KdpError: no such device, one with another policy, or one that cannot be made to do what was done.
    """
    with opener() as device:
        link = Link(device.pipe, device.timeout)
        hello = greeted(link, device, planner)
        if hello.flags & HelloFlag.PUSHED or hello.state != State.IDLE:
            link.reboot()  # as after power-on
            hello = link.hello(device.hello_within)
        events = _play(trace.events, link, device)
        _leave_latch(link)
    masked = device.pretend is None
    pairs = [
        (_comparable(before.replies, masked), _comparable(now.replies, masked))
        for before, now in zip(trace.events, events, strict=False)
    ]
    other = next((i for i, (before, now) in enumerate(pairs) if before != now), None)
    same = sum(a == b for before, now in pairs for a, b in zip(before, now, strict=False))
    answers = sum(len(before) for before, _ in pairs)
    played = replace(trace, events=tuple(events))
    return Rerun(played, judge(planner, hello.tick_hz, events), answers, same, other)


def _leave_latch(link: Link) -> None:
    """Leave the latch that these requests caused: none was there before."""
    with suppress(KdpError):
        if link.hello(AFTERWARDS).state == State.LATCHED:
            link.arm()


def _play(events: Sequence[Event], link: Link, device: Device) -> list[Event]:
    """The same events with the answers of now; a device that falls silent for good ends it."""
    decoder, played = Decoder(), []
    for event in events:
        replies: tuple[bytes, ...] = ()
        try:
            if event.hello:
                link.hello(device.hello_within)
            elif event.ticks is not None:
                _able(device.pretend, device, "take another time for its plans")(event.ticks or None)
            elif event.hang is not None:
                _able(device.hang, device, "hang")(event.hang)
            elif event.send is not None:
                frames = decoder.feed(event.send)
                device.pipe.write(event.send)
                replies = _collect(device, len(frames))
                if frames and frames[-1].type == Type.REBOOT:
                    link.hello(device.hello_within)
        except LinkLost:
            played.append(replace(event, replies=()))
            break
        played.append(replace(event, replies=replies))
    return played


def _able(does: Callable[..., None] | None, device: Device, what: str) -> Callable[..., None]:
    if does is None:
        raise KdpError(f"{device.name} cannot be made to {what}, as this trace asks; native can")
    return does


def _collect(device: Device, count: int) -> tuple[bytes, ...]:
    """`count` frames, or as many as come in time."""
    frames: list[bytes] = []
    rest, end = b"", time.monotonic() + device.timeout
    while len(frames) < count and (left := end - time.monotonic()) > 0:
        *more, rest = (rest + device.pipe.read(left)).split(b"\0")
        frames += [frame for frame in more if frame]
    return tuple(frames)


def _comparable(replies: Sequence[bytes], masked: bool) -> list[bytes]:
    """Answers that must repeat; without their times where the device has a clock of its own."""
    kept = []
    for data in replies:
        frame = frame_in(data)
        if frame is None or frame.type in (*_UNTOLD, Type.HELLO | numbers.REPLY):
            continue
        if masked and frame.type in (Type.STEP | numbers.REPLY, Type.TICK | numbers.REPLY):
            data = frame.payload[:-6] + frame.payload[-2:]
        elif masked and frame.type == Type.PLAN | numbers.REPLY:
            data = frame.payload[:1] + frame.payload[5:]
        kept.append(data)
    return kept


def shorten(found: Rerun, planner: IntegerPlanner, opener: Open, seconds: float = 120.0) -> Rerun:
    """Leave out events as long as the same failure comes (ddmin: Zeller, Hildebrandt, IEEE TSE 28(2), 2002).

    Returns:
        the shortest failing rerun that was found within `seconds`.
    """
    if found.wrong is None:
        raise KdpError("the device answers as predicted: there is nothing to shorten")
    wanted, best, end = found.wrong, found, time.monotonic() + seconds
    events = list(found.trace.events[: found.wrong.event + 1])
    parts = 1  # begins with all of it: what follows the failure is gone already
    while len(events) >= 2 and time.monotonic() < end:
        size = max(1, len(events) // parts)
        for start in range(0, len(events), size):
            fewer = events[:start] + events[start + size :]
            again = rerun(replace(found.trace, events=tuple(fewer)), planner, opener) if fewer else None
            if again is not None and again.wrong is not None and wanted.alike(again.wrong):
                best, events = again, fewer[: again.wrong.event + 1]
                parts = max(parts - 1, 1)
                break
            if time.monotonic() > end:
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(events))
    kept = tuple(best.trace.events[: best.wrong.event + 1]) if best.wrong else best.trace.events
    return replace(best, trace=replace(best.trace, events=kept))
