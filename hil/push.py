"""A new model onto a running device, into the slot that is not in use (docs/protocol.md, "A new model")."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.exporters.c_model import golden_observations
from kdp_edge.exporters.model_blob import blob_crc, blob_hash, model_blob
from kdp_edge.exporters.signing import SigningKey
from kdp_edge.hil.link import Link
from kdp_edge.hil.pushed import kernel_name
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import HelloFlag, Refusal, State, Type
from kdp_edge.wire.protocol import NO_BLOB, Hello, Refused

CHUNK = 960  # bytes of one PUSH_DATA: whole flash words that fit a frame
COMPILED = 255  # SLOT_INFO's slot in use: the model compiled in
# seconds for an erase (STM32F405: two sectors of 128 KiB, up to 4 s each) and for a self-test
ERASE_SECONDS, COMMIT_SECONDS = 12.0, 12.0

PushProgress = Callable[[int, int], None]  # told how many bytes of how many the device holds

_INFO = struct.Struct("<BBIIB")
_SLOT = struct.Struct("<BIII32s")


@dataclass(frozen=True)
class Slot:
    """What one slot holds: state 0 empty, 1 sound, 2 damaged."""

    state: int
    order: int  # number of the commit, the largest is the newest
    size: int
    sequence: int  # of the model
    blob_sha256: str  # computed by the device


@dataclass(frozen=True)
class SlotInfo:
    """Reply to SLOT_INFO."""

    kernel: str
    active: int  # slot in use or COMPILED
    capacity: int  # bytes of the largest blob, 0 without slots
    memory: int  # bytes for the planner
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Pushed:
    """What a push did."""

    model_sha256: str
    slot: int
    bytes: int  # 0: the device had this model already
    sequence: int
    narrowed: bool  # its limits are wider than those compiled in, which count


def slot_info(link: Link) -> SlotInfo:
    """Ask an idle device for its slots."""
    try:
        payload = link.request(Type.SLOT_INFO)
    except Refused as refused:
        if refused.code != Refusal.UNKNOWN_TYPE:
            raise
        raise KdpError(
            "this device takes no models over the link; flash or restart it with the new one"
        ) from None
    if len(payload) < _INFO.size:
        raise KdpError(f"SLOT_INFO reply of {len(payload)} bytes: not understood; flash again")
    kernel, active, capacity, memory, count = _INFO.unpack_from(payload)
    if len(payload) != _INFO.size + count * _SLOT.size:
        raise KdpError(f"SLOT_INFO reply of {len(payload)} bytes: not understood; flash again")
    slots = tuple(
        Slot(state, order, size, sequence, blob.hex())
        for state, order, size, sequence, blob in _SLOT.iter_unpack(payload[_INFO.size :])
    )
    return SlotInfo(kernel_name(kernel), active, capacity, memory, slots)


def push(
    link: Link,
    planner: IntegerPlanner,
    restart: bool = False,
    progress: PushProgress = lambda *_: None,
    key: SigningKey | None = None,
    sequence: int | None = None,
) -> Pushed:
    """Make `planner` the model of the device behind `link`.

    Args:
        link: to the device; `hello` is called here.
        restart: whether a device that is not idle may be rebooted.
        key: signs the model; a device whose image holds a public key takes no others.
        sequence: number of the model, uint32; a device that takes signed models takes none below its own.
    Raises:
        KdpError: not idle, other signals, no slots, not signed or an old number (2); refused by the device
            or not the right answers afterwards (1); link lost (4). The device keeps the model it had.
    """
    hello = _idle(link, link.hello(), restart)
    if hello.schema_sha256 != planner.spec.schema_sha256():
        raise KdpError(
            f"the device's signals (schema {hello.schema_sha256[:16]}) are not those of this model (schema "
            f"{planner.spec.schema_sha256()[:16]}): names, units, order or rate differ; flash an image"
        )
    info = slot_info(link)
    blob = model_blob(planner, info.kernel, sequence or 0, key)
    if _has_already(hello, planner, blob, sequence or 0):
        return _pushed(hello, info.active, 0)
    if info.capacity == 0:
        raise KdpError(f"board {hello.board} has no model slots; flash an image instead: kdp-edge flash")
    _check_taken(hello, key, sequence)
    if len(blob) > info.capacity:
        raise KdpError(
            f"the model has {len(blob)} bytes, a slot of {hello.board} takes {info.capacity}; flash it"
        )
    slot = _send(link, blob, progress)
    return _pushed(_verify(link, planner, blob), slot, len(blob))


def _pushed(hello: Hello, slot: int, size: int) -> Pushed:
    narrowed = bool(hello.flags & HelloFlag.NARROWED)
    return Pushed(hello.model_sha256, slot, size, hello.sequence, narrowed)


def _has_already(hello: Hello, planner: IntegerPlanner, blob: bytes, sequence: int) -> bool:
    """By the hash that the device computed; by the model's name only if that was compiled in."""
    if not hello.flags & HelloFlag.SELFTEST_PASSED:
        return False
    if hello.blob_sha256 != NO_BLOB:
        return hello.blob_sha256 == blob_hash(blob).hex()
    return hello.model_sha256 == planner.model_sha256() and sequence <= hello.sequence


def _check_taken(hello: Hello, key: SigningKey | None, sequence: int | None) -> None:
    """Raise `KdpError` for what the device would refuse once it had everything."""
    if hello.flags & HelloFlag.TAKES_UNSIGNED:
        return
    if not hello.flags & HelloFlag.TAKES_SIGNED:
        raise KdpError(
            f"the image on {hello.board} takes no models over the link: it holds no key, and its board "
            "allows no unsigned ones; build it with --signed KEY.pub (docs/flashing.md) or flash the model"
        )
    if key is None:
        raise KdpError(
            f"the image on {hello.board} takes signed models only; give --key FILE and --sequence "
            f"{hello.sequence + 1} or more"
        )
    if (sequence or 0) <= hello.sequence:
        raise KdpError(
            f"the model in use on {hello.board} has sequence {hello.sequence}, this one "
            f"{sequence or 0}; give a --sequence above that if it is meant to replace it"
        )


def _idle(link: Link, hello: Hello, restart: bool) -> Hello:
    if hello.state == State.IDLE:
        return hello
    if not restart:
        state = State(hello.state).name.lower()
        raise KdpError(
            f"the device is {state}, not idle; bring the robot to rest, then repeat with --restart, which "
            "reboots the device"
        )
    link.reboot()
    return link.hello()


def _send(link: Link, blob: bytes, progress: PushProgress) -> int:
    """All requests of a push; returns the slot."""
    crc = blob_crc(blob)
    with _explained():
        with _patience(link, ERASE_SECONDS):
            link.request(Type.PUSH_BEGIN, struct.pack("<II", len(blob), crc))
        for offset in range(0, len(blob), CHUNK):
            data = blob[offset : offset + CHUNK]
            (written,) = struct.unpack("<I", link.request(Type.PUSH_DATA, struct.pack("<I", offset) + data))
            progress(written, len(blob))
        with _patience(link, COMMIT_SECONDS):
            slot, found = struct.unpack("<B32s", link.request(Type.PUSH_COMMIT, struct.pack("<I", crc)))
    if found != blob_hash(blob):
        raise KdpError(f"the device committed content {found.hex()[:16]}, another was sent", GATE_FAILED)
    return int(slot)


@contextmanager
def _patience(link: Link, seconds: float) -> Iterator[None]:
    before = link.timeout
    link.timeout = max(before, seconds)
    try:
        yield
    finally:
        link.timeout = before


@contextmanager
def _explained() -> Iterator[None]:
    reasons = {
        Refusal.FLASH_FAILED: "its flash does not hold what was written: no flash controller (an emulator), "
        "write protection or wear",
        Refusal.BAD_BLOB: "it takes another format of models; flash an image of this version",
        Refusal.BAD_SIGNATURE: "the model is not signed with the key whose public half the image holds",
        Refusal.OLDER: "the model in use has a larger sequence number, or the same and other content",
        Refusal.NOT_TAKEN: "its image holds no key and its board allows no unsigned models",
        Refusal.OTHER_SIGNALS: "names, units, order or rate of the signals differ; flash an image",
        Refusal.OUT_OF_MEMORY: "the model needs more RAM than its firmware was built with; flash an image",
        Refusal.SELFTEST_FAILED: "the golden vectors did not pass on the device, which keeps its old model",
        Refusal.OUT_OF_ORDER: "it restarted in between or somebody else pushes; repeat the command",
    }
    try:
        yield
    except Refused as refused:
        reason = reasons.get(Refusal(refused.code)) if refused.code in set(Refusal) else None
        if reason is None:
            raise
        raise KdpError(f"{refused}: {reason}", GATE_FAILED) from None


def _verify(link: Link, planner: IntegerPlanner, blob: bytes) -> Hello:
    """HELLO has the blob's hash, and plans are the integer reference's, byte for byte."""
    hello, expected_hash = link.hello(), blob_hash(blob).hex()
    if hello.blob_sha256 != expected_hash or not hello.flags & HelloFlag.SELFTEST_PASSED:
        raise KdpError(
            f"after the push HELLO says content {hello.blob_sha256[:16]}, flags {hello.flags}; expected "
            f"{expected_hash[:16]} and a passed self-test",
            GATE_FAILED,
        )
    for index, observation in enumerate(golden_observations(planner.spec, 3)):
        expected = planner.plan(observation, 2**31, index)
        reply = link.plan(2**31, index, expected.best, observation)
        same = np.array_equal(reply.scores, expected.scores)
        if not same or not np.array_equal(reply.window, expected.windows[expected.best]):
            raise KdpError(f"after the push plan {index} differs from the integer reference", GATE_FAILED)
    return hello
