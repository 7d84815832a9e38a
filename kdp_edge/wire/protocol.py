# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The link protocol's messages as plain data; docs/protocol.md has every byte of them."""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass, fields
from functools import cache
from typing import Any

import numpy as np

from kdp_edge.base.errors import DEVICE_MISSING, LINK_LOST, KdpError
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import PROTOCOL, HelloFlag, Pace, Refusal, Type


class Refused(KdpError):
    """The device answered with an error reply; `code` is a `Refusal` or an unknown number."""

    def __init__(self, code: int, request: int) -> None:
        name = Refusal(code).name.lower().replace("_", " ") if code in set(Refusal) else "unknown code"
        kind = Type(request).name if request in set(Type) else f"0x{request:02x}"
        super().__init__(f"the device refused {kind} with code {code} ({name})", LINK_LOST)
        self.code = code


def _unpack(layout: struct.Struct, payload: bytes, what: str) -> tuple[Any, ...]:
    if len(payload) != layout.size:
        raise KdpError(
            f"{what} reply has {len(payload)} bytes, expected {layout.size}: the device speaks another "
            "protocol or serves another policy; build and flash again",
            LINK_LOST,
        )
    return layout.unpack(payload)


_HELLO = struct.Struct("<BBBBHBBBBBBIIII32s32s32sIB")
NO_BLOB = bytes(32).hex()


@dataclass(frozen=True)
class Hello:
    """What a device says about itself."""

    protocol: int
    state: int
    flags: int
    clock_source: int
    obs_dim: int
    act_dim: int
    horizon: int
    chunk: int
    k: int
    latent_dim: int
    critic_steps: int
    rate_mhz: int  # control rate, millihertz
    deadline_us: int
    clock_hz: int  # of the core
    tick_hz: int  # of `ticks` in replies
    model_sha256: str  # of a pushed model what the blob claims; `blob_sha256` is what the device found
    schema_sha256: str
    board: str
    version: str
    blob_sha256: str = NO_BLOB  # of a pushed model's blob, computed by the device; else NO_BLOB
    sequence: int = 0  # of the model in use
    kernel: int = 0  # that blobs are laid out for; 0 where there are none

    @classmethod
    def of(cls, planner: IntegerPlanner, **values: object) -> Hello:
        """What a device that serves `planner` says; `values` are the fields that a planner cannot know."""
        spec = planner.spec
        return cls(
            protocol=PROTOCOL,
            obs_dim=spec.obs_dim,
            act_dim=spec.act_dim,
            horizon=spec.horizon,
            chunk=spec.chunk,
            k=spec.k,
            latent_dim=spec.latent_dim,
            critic_steps=spec.critic_steps,
            rate_mhz=spec.rate_mhz,
            deadline_us=spec.deadline_us,
            model_sha256=planner.model_sha256(),
            schema_sha256=spec.schema_sha256(),
            **values,  # type: ignore[arg-type]
        )

    def pack(self) -> bytes:
        """As a HELLO reply's payload."""
        *numbers, model, schema, board, version, blob, sequence, kernel = astuple(self)
        hashes = [bytes.fromhex(text) for text in (model, schema, blob)]
        fixed = _HELLO.pack(*numbers, *hashes, sequence, kernel)
        texts = [text.encode() for text in (board, version)]
        return fixed + b"".join(bytes([len(text)]) + text for text in texts)

    @classmethod
    def unpack(cls, payload: bytes) -> Hello:
        """From a HELLO reply's payload; raises `KdpError` when it is not one."""
        if payload[:1] != bytes([PROTOCOL]):
            raise KdpError(
                f"the device speaks protocol {payload[0] if payload else 'nothing'}, expected {PROTOCOL}: "
                "build and flash its firmware again with this version of kdp-edge",
                DEVICE_MISSING,
            )
        try:
            *numbers, model, schema, blob, sequence, kernel = _HELLO.unpack_from(payload)
            board, rest = _text(payload[_HELLO.size :])
            version, rest = _text(rest)
            if rest:
                raise ValueError(f"{len(rest)} bytes too many")
        except (struct.error, ValueError, IndexError) as error:
            raise KdpError(
                f"HELLO reply of {len(payload)} bytes is malformed ({error}); flash again", DEVICE_MISSING
            ) from None
        own = (board, version, blob.hex(), sequence, kernel)
        return cls(*numbers, model.hex(), schema.hex(), *own)  # type: ignore[call-arg]


def _text(data: bytes) -> tuple[str, bytes]:
    length = data[0]
    if len(data) < 1 + length:
        raise ValueError("text is cut short")
    return data[1 : 1 + length].decode(), data[1 + length :]


# values that a device can only know itself
_OWN = {
    "state", "flags", "clock_source", "clock_hz", "tick_hz", "board", "version",
    "blob_sha256", "sequence", "kernel",  # of a pushed model: hil/pushed.py looks at them
}  # fmt: skip


def check_hello(hello: Hello, planner: IntegerPlanner, where: str) -> None:
    """Raise `KdpError` naming the found and the expected value when a device serves another policy."""
    expected = Hello.of(planner, **{name: getattr(hello, name) for name in _OWN})
    # the schema first: who feeds the wrong signals should not be sent to compare hashes of weights
    names = ["schema_sha256", *(f.name for f in fields(Hello) if f.name not in {"schema_sha256", *_OWN})]
    for name in names:
        found, wanted = getattr(hello, name), getattr(expected, name)
        if found != wanted:
            raise KdpError(
                f"{where}: {name} is {_short(found)}, the policy here has {_short(wanted)}: the device "
                f"serves another policy than task {planner.spec.task}; build and flash this one, or give "
                "the --run that is on the device",
                DEVICE_MISSING,
            )
    if not hello.flags & HelloFlag.SELFTEST_PASSED:
        raise KdpError(
            f"{where}: self-test on golden vectors failed on the device; flash again", DEVICE_MISSING
        )


def _short(value: object) -> str:
    return value[:16] if isinstance(value, str) else str(value)


_STEP = struct.Struct("<IBBBBI")


@cache
def _step_layout(act_dim: int) -> struct.Struct:
    return struct.Struct(f"{_STEP.format}{4 * act_dim}sIH")


@dataclass(frozen=True)
class StepReply:
    """A device's reply to STEP or TICK; `action` is float32 [act_dim]."""

    step: int
    state: int
    flags: int
    candidate: int
    age: int
    digest: int
    action: np.ndarray
    ticks: int
    own: int  # steps that the device played by its own clock before this one

    def pack(self) -> bytes:
        """As a STEP or TICK reply's payload."""
        head = _STEP.pack(self.step, self.state, self.flags, self.candidate, self.age, self.digest)
        return head + self.action.astype("<f4").tobytes() + struct.pack("<IH", self.ticks, self.own)

    @classmethod
    def unpack(cls, payload: bytes, act_dim: int) -> StepReply:
        """From a STEP or TICK reply's payload; raises `KdpError` for another length."""
        *head, action, ticks, own = _unpack(_step_layout(act_dim), payload, "STEP")
        values = np.frombuffer(action, "<f4").astype(np.float32)
        return cls(*head, values, ticks, own)  # type: ignore[call-arg]


_STATE = struct.Struct("<BBH")


@dataclass(frozen=True)
class StateReply:
    """A device's reply to RESET and ARM."""

    state: int
    pace: int  # in force; LOCKSTEP: no dead man
    own: int  # steps that the device played by its own clock and no reply has told yet
    action: np.ndarray  # float32 [act_dim], played last: from which the rate limit goes on

    def pack(self) -> bytes:
        """As a RESET or ARM reply's payload."""
        return _STATE.pack(self.state, self.pace, self.own) + self.action.astype("<f4").tobytes()

    @classmethod
    def unpack(cls, payload: bytes, act_dim: int, what: str) -> StateReply:
        """From a RESET or ARM reply's payload; raises `KdpError` for another length."""
        *numbers, action = _unpack(struct.Struct(f"{_STATE.format}{4 * act_dim}s"), payload, what)
        return cls(*numbers, np.frombuffer(action, "<f4").astype(np.float32))  # type: ignore[call-arg]


def pack_reset(episode: int, pace: Pace = Pace.LOCKSTEP) -> bytes:
    """RESET request."""
    return struct.pack("<IB", episode, pace)


def pack_step(step: int, observation: np.ndarray) -> bytes:
    """STEP request with an observation float32 [obs_dim]."""
    return struct.pack("<I", step) + np.asarray(observation).astype("<f4").tobytes()


def pack_tick(step: int) -> bytes:
    """TICK request."""
    return struct.pack("<I", step)


def pack_plan(episode: int, index: int, candidate: int, observation: np.ndarray) -> bytes:
    """PLAN request with an observation float32 [obs_dim]."""
    return struct.pack("<IIB", episode, index, candidate) + np.asarray(observation).astype("<f4").tobytes()


@dataclass(frozen=True)
class PlanReply:
    """One candidate of a plan: all scores int8 [k], its window int8 [window_size]."""

    best: int
    ticks: int
    scores: np.ndarray
    window: np.ndarray

    def pack(self) -> bytes:
        """As a PLAN reply's payload."""
        return struct.pack("<BI", self.best, self.ticks) + self.scores.tobytes() + self.window.tobytes()

    @classmethod
    def unpack(cls, payload: bytes, k: int, window_size: int) -> PlanReply:
        """From a PLAN reply's payload; raises `KdpError` for another length."""
        best, ticks, scores, window = _unpack(struct.Struct(f"<BI{k}s{window_size}s"), payload, "PLAN")
        return cls(best, ticks, np.frombuffer(scores, np.int8), np.frombuffer(window, np.int8))


_SELFTEST = struct.Struct("<BHH")


@dataclass(frozen=True)
class SelfTest:
    """Result of the golden vectors on the device; `first_failed` is 0xFFFF when none failed."""

    passed: int
    vectors: int
    first_failed: int

    def pack(self) -> bytes:
        """As a SELFTEST reply's payload."""
        return _SELFTEST.pack(*astuple(self))

    @classmethod
    def unpack(cls, payload: bytes) -> SelfTest:
        """From a SELFTEST reply's payload."""
        return cls(*_unpack(_SELFTEST, payload, "SELFTEST"))


@dataclass
class FailSafeCounters:
    """What the fail-safe counts since boot, all uint32."""

    plans: int = 0
    replayed: int = 0
    safe: int = 0
    latches: int = 0
    bad_observations: int = 0
    overruns: int = 0
    missed: int = 0
    stale: int = 0
    limited: int = 0
    saturated: int = 0
    own: int = 0


_TELEMETRY = struct.Struct("<19I")


@dataclass
class Telemetry(FailSafeCounters):
    """Counters of a device since boot, in the order of the reply: the fail-safe's first."""

    frames_received: int = 0
    frames_bad: int = 0
    receive_overruns: int = 0
    receive_drops: int = 0
    stack_bytes: int = 0
    stack_high_water_bytes: int = 0
    longest_plan_ticks: int = 0
    replies_cut: int = 0  # that did not leave the device whole

    def pack(self) -> bytes:
        """As a TELEMETRY reply's payload."""
        return _TELEMETRY.pack(*astuple(self))

    @classmethod
    def unpack(cls, payload: bytes) -> Telemetry:
        """From a TELEMETRY reply's payload."""
        return cls(*_unpack(_TELEMETRY, payload, "TELEMETRY"))


def pack_error(code: int, request: int) -> bytes:
    """Error reply."""
    return bytes([code, request])


def unpack_error(payload: bytes) -> Refused:
    """The exception that an error reply stands for."""
    code, request = _unpack(struct.Struct("<BB"), payload, "error")
    return Refused(code, request)
