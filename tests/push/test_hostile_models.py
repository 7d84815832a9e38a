# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Blobs that are whole by their CRC and hostile by their content: refused by the device, or seen through."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.exporters.build import Image
from kdp_edge.exporters.model_blob import blob_hash, model_blob
from kdp_edge.hil.devices.device import Device, microseconds
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.push import push, slot_info
from kdp_edge.hil.scenario import Scenario
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.wire.numbers import HelloFlag, Refusal, State
from kdp_edge.wire.protocol import NO_BLOB
from tests.push.conftest import refusal, running, small, with_crc, with_values

NEW = small(1)
BLOB = model_blob(NEW, "portable")
GAINS = len(NEW.spec.act_gain)
NAN, INFINITY = float("nan"), float("inf")
OBSERVATION = np.zeros(NEW.spec.obs_dim, np.float32)


def scalar(layout: str, at: int, value: int) -> bytes:
    changed = bytearray(BLOB)
    struct.pack_into(layout, changed, at, value)
    return with_crc(changed)


def values(**arrays: list[float]) -> bytes:
    return with_values(BLOB, NEW, **arrays)


HOSTILE: dict[str, tuple[bytes, Refusal]] = {
    "action limits out of order": (values(act_low=[5.0], act_high=[-5.0]), Refusal.BAD_BLOB),
    "safe action above": (values(safe_action=[2.0]), Refusal.BAD_BLOB),
    "safe action below": (values(safe_action=[-1.5]), Refusal.BAD_BLOB),
    "negative rate": (values(act_rate=[-1.0]), Refusal.BAD_BLOB),
    "observation limits out of order": (
        values(obs_low=[-20.0, 3.0, -20.0], obs_high=[20.0, 2.0, 20.0]),
        Refusal.BAD_BLOB,
    ),
    "gain 0": (values(act_gain=[0.0] * GAINS), Refusal.BAD_BLOB),
    "negative gain": (values(act_gain=[0.01] * (GAINS - 1) + [-0.01]), Refusal.BAD_BLOB),
    "NaN limit": (values(act_high=[NAN]), Refusal.BAD_BLOB),
    "infinite limit": (values(act_high=[INFINITY]), Refusal.BAD_BLOB),
    "-0.0": (values(safe_action=[-0.0]), Refusal.BAD_BLOB),
    "rate 0": (scalar("<I", 36, 0), Refusal.BAD_BLOB),
    "rate beyond 4 MHz": (scalar("<I", 36, 4_000_000_001), Refusal.BAD_BLOB),
    "another rate": (scalar("<I", 36, 125_001), Refusal.OTHER_SIGNALS),
    "deadline 0": (scalar("<I", 40, 0), Refusal.BAD_BLOB),
    "k 0": (scalar("B", 21, 0), Refusal.BAD_BLOB),
    "k 65": (scalar("B", 21, 65), Refusal.BAD_BLOB),
    "chunk beyond the horizon": (scalar("B", 20, 3), Refusal.BAD_BLOB),
    "critic steps beyond the horizon": (scalar("B", 23, 3), Refusal.BAD_BLOB),
    "horizon 0": (scalar("B", 19, 0), Refusal.BAD_BLOB),
    "margin beyond 2^30": (scalar("<i", 24, (1 << 30) + 1), Refusal.BAD_BLOB),
    "another schema": (
        model_blob(small(1, obs_names=["x", "y", "z"]), "portable"),
        Refusal.OTHER_SIGNALS,
    ),
    "more signals under the right schema": (
        with_crc((other := model_blob(small(1, obs_dim=4), "portable"))[:80] + BLOB[80:112] + other[112:]),
        Refusal.OTHER_SIGNALS,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_device_refuses_it_and_keeps_its_model(old: Image, name: str) -> None:
    blob, code = HOSTILE[name]
    with running(old) as link:
        assert refusal(link, blob) == code
        hello = link.hello()
        assert (hello.model_sha256, hello.blob_sha256) == (old.model_sha256, NO_BLOB)
        assert hello.flags & HelloFlag.SELFTEST_PASSED
        assert refusal(link, BLOB) is None


@pytest.mark.parametrize(
    "wide",
    [
        lambda: values(act_low=[-1000.0], act_high=[1000.0], safe_action=[1000.0]),
        lambda: values(act_rate=[3.0]),
        lambda: scalar("<I", 32, 2**32 - 1),  # safe steps
        lambda: scalar("<I", 40, 2**32 - 1),  # deadline
    ],
    ids=["limits", "rate", "safe steps", "deadline"],
)
def test_limits_wider_than_the_compiled_ones_are_said(old: Image, wide: Callable[[], bytes]) -> None:
    with running(old) as link:
        assert refusal(link, BLOB) is None
        assert not link.hello().flags & HelloFlag.NARROWED
        assert refusal(link, wide()) is None
        assert link.hello().flags & HelloFlag.NARROWED
        assert link.hello().flags & HelloFlag.PUSHED
        link.reboot()
        assert link.hello().flags & HelloFlag.NARROWED


def test_a_model_with_wider_limits_keeps_to_the_compiled_ones(old: Image) -> None:
    spec, steps = small(0).spec, 12
    low, high, rate = (np.asarray(v, np.float32) for v in (spec.act_low, spec.act_high, spec.act_rate))
    wild = dict(act_low=[-1000.0], act_high=[1000.0], act_rate=[2000.0], safe_action=[1000.0])
    with running(old) as link:
        assert refusal(link, values(**wild)) is None
        link.hello()
        previous = link.reset(0).action
        assert (previous >= low).all() and (previous <= high).all()
        for step in range(steps):
            action = (link.step(step, OBSERVATION) if step % 3 else link.tick(step)).action
            assert (action >= low).all() and (action <= high).all()
            assert (np.abs(action - previous) <= rate + 1e-6).all()
            previous = action


def test_a_model_that_would_never_stop_stops_as_the_compiled_one(old: Image) -> None:
    with running(old) as link:
        assert refusal(link, scalar("<I", 32, 2**32 - 1)) is None
        link.hello()
        link.reset(0)
        states = [link.tick(step).state for step in range(small(0).spec.safe_steps + 1)]
    assert states[-2:] == [State.SAFE, State.LATCHED]


def forged() -> bytes:
    """small(1) that calls itself small(0)."""
    changed = bytearray(BLOB)
    changed[48:80] = bytes.fromhex(small(0).model_sha256())
    return with_crc(changed)


def test_a_forged_name_deceives_neither_push_nor_slot_info(old: Image) -> None:
    with running(old) as link:
        assert refusal(link, forged()) is None
        hello = link.hello()
        assert hello.model_sha256 == small(0).model_sha256()  # what it claims
        assert hello.blob_sha256 == blob_hash(forged()).hex()  # what the device found
        assert slot_info(link).slots[0].blob_sha256 == blob_hash(forged()).hex()
        assert push(link, small(0)).bytes > 0
        assert link.hello().blob_sha256 == blob_hash(model_blob(small(0), "portable")).hex()


def test_the_loop_does_not_play_a_model_under_a_forged_name(old: Image) -> None:
    planner = small(0)
    with running(old) as link:
        assert refusal(link, forged()) is None
        device = Device("native", link.pipe, microseconds)
        with pytest.raises(KdpError, match="whatever it claims to be") as error:
            play_device(device, Scenario("synthetic", (0,), 5), planner, FloatPlanner.from_integer(planner))
    assert error.value.exit_code == DEVICE_MISSING
