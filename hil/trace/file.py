# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The trace of a failing run: JSON, one object a line (docs/closed-loop.md, "A run that fails")."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import write_text
from kdp_edge.base.typed import typed
from kdp_edge.hil.trace.tap import Note
from kdp_edge.wire.frame import Decoder, Frame, FrameError, decode
from kdp_edge.wire.numbers import REPLY, Type

KIND, SCHEMA = "kdp-edge trace", 1
LARGEST = 256 << 20  # bytes
LONGEST_HANG = 10.0  # seconds
# what a trace may ask of a device: nothing that changes the model on it
HARMLESS = (
    Type.HELLO, Type.RESET, Type.STEP, Type.TICK, Type.SELFTEST, Type.TELEMETRY, Type.ARM, Type.REBOOT,
    Type.ECHO, Type.PLAN,
)  # fmt: skip
_REMEDY = "take the file that kdp-edge hil wrote"


@dataclass(frozen=True)
class Head:
    """First line: where the trace comes from."""

    device: str
    task: str
    model_sha256: str
    run: str | None
    seeds: list[int]
    max_steps: int
    faults: list[str]
    failed: list[str]  # gates
    version: str  # of kdp-edge
    git: str | None
    toolchain: str | None
    kind: str = KIND
    schema: int = SCHEMA


@dataclass(frozen=True)
class Event:
    """Every other line: one thing that was done to the device, and the frames that came before the next.

    Exactly one of the first four: bytes sent; a greeting (HELLO until it is answered); ns that plans take
    from here on (0: as usual); seconds for which it stands still.
    """

    send: bytes | None = None
    hello: bool = False
    ticks: int | None = None
    hang: float | None = None
    replies: tuple[bytes, ...] = ()  # frames without their final zero, damaged or not


@dataclass(frozen=True)
class Trace:
    """A head and what happened."""

    head: Head
    events: tuple[Event, ...]

    def requests(self) -> int:
        """How many frames the device was sent."""
        decoder = Decoder()
        return sum(len(decoder.feed(event.send)) for event in self.events if event.send is not None)


def events_of(notes: Sequence[Note]) -> tuple[Event, ...]:
    """What a tap noted, each answer with the request that it followed; greetings without their frames."""
    events: list[Event] = []
    replies: list[bytes] = []
    rest = b""

    def close() -> None:
        if events and replies:
            events[-1] = replace(events[-1], replies=(*events[-1].replies, *replies))
        replies.clear()

    for name, value in notes:
        if name == "got":
            assert isinstance(value, bytes)
            *frames, rest = (rest + value).split(b"\0")
            replies += [frame for frame in frames if frame and not _is(frame, Type.HELLO | REPLY)]
            continue
        close()
        if name == "ticks":
            events.append(Event(ticks=int(value or 0)))
        elif name == "hang":
            events.append(Event(hang=float(value)))  # type: ignore[arg-type]
        elif isinstance(value, bytes) and _is(value.strip(b"\0"), Type.HELLO):
            if not (events and events[-1].hello):
                events.append(Event(hello=True))
        elif isinstance(value, bytes):
            events.append(Event(send=value))
    close()
    return tuple(events)


def _is(frame: bytes, kind: int) -> bool:
    found = frame_in(frame)
    return found is not None and found.type == kind


def frame_in(data: bytes) -> Frame | None:
    """The frame without its final zero, or None if it is damaged."""
    try:
        return decode(data)
    except FrameError:
        return None


def write(path: Path, trace: Trace) -> None:
    """Write a trace, whole or not at all."""
    lines = [asdict(trace.head), *map(_line, trace.events)]
    write_text(path, "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))


def _line(event: Event) -> dict[str, Any]:
    replies = {"replies": [reply.hex() for reply in event.replies]} if event.replies else {}
    if event.send is not None:
        return {"send": event.send.hex(), "what": described(event.send), **replies}
    if event.hello:
        return {"hello": True, **replies}
    return ({"ticks": event.ticks} if event.hang is None else {"hang": event.hang}) | replies


def described(data: bytes) -> str:
    """A request in words, for readers of the file."""
    frame = frame_in(data.strip(b"\0"))
    if frame is None:
        return "damaged"
    name = Type(frame.type).name if frame.type in set(Type) else f"0x{frame.type:02x}"
    numbered = frame.type in (Type.STEP, Type.TICK, Type.RESET) and len(frame.payload) >= 4
    return f"{name} {int.from_bytes(frame.payload[:4], 'little')}" if numbered else name


@dataclass(frozen=True)
class _Line:
    send: str | None = None
    what: str = ""
    hello: bool = False
    ticks: int | None = None
    hang: float | None = None
    replies: tuple[str, ...] = ()


def read(path: Path) -> Trace:
    """A trace from outside; raises `KdpError` that names the line, also when it would change a model."""
    lines = _lines(path)
    head = typed(Head, lines[0], f"{path}, line 1", _REMEDY)
    if (head.kind, head.schema) != (KIND, SCHEMA):
        raise KdpError(f"{path}: {head.kind!r}, schema {head.schema}; expected {KIND!r}, schema {SCHEMA}")
    decoder = Decoder()
    events = [_event(value, f"{path}, line {i}", decoder) for i, value in enumerate(lines[1:], 2)]
    return Trace(head, tuple(events))


def _lines(path: Path) -> list[Any]:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise KdpError(f"{path}: {size} bytes, expected at most {LARGEST}; {_REMEDY}")
        text = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise KdpError(f"{path}: not text; {_REMEDY}") from None
    except OSError as error:
        raise KdpError(f"{path}: {error.strerror or error}; {_REMEDY}") from None
    values = []
    for number, line in enumerate(text, 1):
        try:
            values.append(json.loads(line))
        except (ValueError, RecursionError):
            raise KdpError(f"{path}, line {number}: not JSON; {_REMEDY}") from None
    if not values:
        raise KdpError(f"{path}: empty; {_REMEDY}")
    return values


def _event(value: Any, where: str, decoder: Decoder) -> Event:
    line = typed(_Line, value, where, _REMEDY)
    done = [line.send is not None, line.hello, line.ticks is not None, line.hang is not None]
    if sum(done) != 1:
        raise KdpError(f"{where}: expected one of send, hello, ticks and hang, found {sum(done)}; {_REMEDY}")
    if line.ticks is not None and not 0 <= line.ticks < 2**32:
        raise KdpError(f"{where}: ticks is {line.ticks}, expected 0 to 2^32 - 1; {_REMEDY}")
    if line.hang is not None and not 0 < line.hang <= LONGEST_HANG:
        raise KdpError(f"{where}: hang is {line.hang:g}, expected at most {LONGEST_HANG:g} s; {_REMEDY}")
    try:
        send = None if line.send is None else bytes.fromhex(line.send)
        replies = tuple(bytes.fromhex(reply) for reply in line.replies)
    except ValueError:
        raise KdpError(f"{where}: not hexadecimal; {_REMEDY}") from None
    for frame in decoder.feed(send or b""):
        if frame.type not in HARMLESS:
            what = f"{where}: a request of type 0x{frame.type:02x}, which could change the device"
            raise KdpError(f"{what}; {_REMEDY}")
    return Event(send, line.hello, line.ticks, line.hang, replies)
