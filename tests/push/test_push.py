# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A new model onto a running device: taken whole and proven, or the old one stays."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import GATE_FAILED, USAGE, KdpError
from kdp_edge.exporters.build import Image
from kdp_edge.exporters.model_blob import blob_crc, blob_hash, model_blob
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import Pipe
from kdp_edge.hil.push import CHUNK, COMPILED, _send, push, slot_info
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import HelloFlag, Refusal, State, Type
from kdp_edge.wire.protocol import Refused
from kdp_edge.wire.twin import Reply, Twin
from tests.push.conftest import native_image, running, small

NEW = small(1)
ANSWERED = HelloFlag.SELFTEST_PASSED


def model_of(link: Link) -> str:
    """Hash of the model in use, which must have passed its self-test."""
    hello = link.hello()
    assert hello.flags & ANSWERED
    return hello.model_sha256


def content_of(planner: IntegerPlanner) -> str:
    """The hash of its blob's content that the host computes."""
    return blob_hash(model_blob(planner, "portable")).hex()


def begin(link: Link, blob: bytes) -> None:
    link.request(Type.PUSH_BEGIN, struct.pack("<II", len(blob), blob_crc(blob)))


def test_the_new_model_answers_at_once_and_after_a_reboot(old: Image) -> None:
    with running(old) as link:
        told: list[tuple[int, int]] = []
        pushed = push(link, NEW, progress=lambda done, total: told.append((done, total)))
        assert pushed.model_sha256 == NEW.model_sha256() != old.model_sha256
        assert told[-1] == (pushed.bytes, pushed.bytes)
        link.reboot()
        assert model_of(link) == NEW.model_sha256()


def test_control_steps_with_a_pushed_model_equal_the_twin(old: Image) -> None:
    with running(old) as link:
        push(link, NEW)
        link.hello()
        twin = Twin(NEW)
        assert link.reset(5).state == twin.reset(5)
        rng = np.random.default_rng(0)
        for step in range(20):
            observation = rng.normal(0, 2, NEW.spec.obs_dim).astype(np.float32)
            expected, found = twin.step(step, observation), link.step(step, observation)
            assert isinstance(expected, Reply)
            assert (found.digest, found.state) == (expected.digest, expected.state)
            assert found.action.tobytes() == expected.action.tobytes()


def test_pushes_take_turns_and_the_last_one_counts(old: Image, tmp_path: Path) -> None:
    with running(old, tmp_path / "flash") as link:
        slots = [push(link, small(seed)).slot for seed in (1, 2, 3)]
        assert slots == [0, 1, 0]
        info = slot_info(link)
        assert info.active == 0
        assert [slot.order for slot in info.slots] == [3, 2]
        assert [slot.blob_sha256 for slot in info.slots] == [content_of(small(s)) for s in (3, 2)]
        assert link.hello().blob_sha256 == content_of(small(3))
    with running(old, tmp_path / "flash") as link:
        assert model_of(link) == small(3).model_sha256()


def test_the_model_that_is_there_already_is_not_written_again(old: Image) -> None:
    with running(old) as link:
        assert push(link, small(0)).bytes == 0
        assert push(link, NEW).bytes > 0
        assert push(link, NEW).bytes == 0
        assert slot_info(link).slots[1].state == 0


def test_power_cut_at_every_write_leaves_a_valid_model(old: Image, tmp_path: Path) -> None:
    blob = model_blob(NEW, "portable")
    writes = 4 + len(blob) // 32 + 1  # sectors erased, words of the blob, commit record
    outcomes = []
    for cut in range(1, writes + 2):
        flash = tmp_path / f"flash{cut}"
        with running(old, flash, cut) as link:
            link.hello()
            link.timeout, link.tries = 0.5, 1
            try:
                _send(link, blob, lambda *_: None)
            except KdpError:
                pass
            else:
                assert cut == writes + 1, f"write {cut} of {writes} did not happen"
        with running(old, flash) as link:
            found = model_of(link)
            assert found in (old.model_sha256, NEW.model_sha256()), f"cut at write {cut}"
            outcomes.append(found)
            if cut % 16 == 0:
                assert push(link, NEW).model_sha256 == NEW.model_sha256()
    # half of a commit record is no commit record
    assert outcomes == [old.model_sha256] * writes + [NEW.model_sha256()]


def test_power_cut_while_the_second_model_replaces_the_first(old: Image, tmp_path: Path) -> None:
    first, second = model_blob(small(2), "portable"), small(3)
    flash = tmp_path / "flash"
    with running(old, flash) as link:
        push(link, small(1))
        push(link, small(2))
    before = flash.read_bytes()
    for cut in (1, 2, 4, 5, 20, 4 + len(first) // 32, 5 + len(first) // 32):
        flash.write_bytes(before)
        with running(old, flash, cut) as link:
            link.hello()
            link.timeout, link.tries = 0.5, 1
            with pytest.raises(KdpError):
                _send(link, model_blob(second, "portable"), lambda *_: None)
        with running(old, flash) as link:
            assert model_of(link) == small(2).model_sha256(), f"cut at write {cut}"
            assert push(link, second).model_sha256 == second.model_sha256()


def test_a_committed_slot_that_rots_gives_way_to_the_older_one(old: Image, tmp_path: Path) -> None:
    flash = tmp_path / "flash"
    with running(old, flash) as link:
        push(link, small(1))
        push(link, small(2))
    size = len(flash.read_bytes()) // 2
    for start, survivor in ((size, small(1)), (0, small(0))):
        data = bytearray(flash.read_bytes())
        data[start + 1000] ^= 8
        flash.write_bytes(data)
        with running(old, flash) as link:
            assert model_of(link) == survivor.model_sha256()
            assert 2 in [slot.state for slot in slot_info(link).slots]


def test_another_image_starts_with_its_own_model(old: Image, tmp_path: Path) -> None:
    with running(old, tmp_path / "flash") as link:
        push(link, NEW)
    other = native_image(small(7), tmp_path / "other")
    with running(other, tmp_path / "flash") as link:
        assert model_of(link) == small(7).model_sha256()
        assert slot_info(link).active == COMPILED


def test_a_model_whose_golden_vectors_fail_is_not_committed(old: Image) -> None:
    blob = bytearray(model_blob(NEW, "portable"))
    weights = len(blob) - 400
    blob[weights : weights + 200] = bytes(200)
    struct.pack_into("<I", blob, 12, zlib.crc32(blob[16:]))
    with running(old) as link:
        link.hello()
        with pytest.raises(KdpError, match="keeps its old model") as error:
            _send(link, bytes(blob), lambda *_: None)
        assert error.value.exit_code == GATE_FAILED
        assert model_of(link) == old.model_sha256
        assert push(link, NEW).model_sha256 == NEW.model_sha256()


def test_what_the_firmware_cannot_run_is_refused_and_the_old_model_stays(old: Image) -> None:
    wide = small(1, width=64)
    other_kernel = model_blob(NEW, "mve")
    for blob, words in ((model_blob(wide, "portable"), "more RAM"), (other_kernel, "another format")):
        with running(old) as link:
            link.hello()
            with pytest.raises(KdpError, match=words) as error:
                _send(link, blob, lambda *_: None)
            assert error.value.exit_code == GATE_FAILED
            assert model_of(link) == old.model_sha256


def test_a_running_device_is_left_alone_unless_told(old: Image) -> None:
    with running(old) as link:
        link.hello()
        link.reset(1)
        with pytest.raises(KdpError, match="the device is running, not idle") as error:
            push(link, NEW)
        assert error.value.exit_code == USAGE
        sizes = {Type.PUSH_BEGIN: 8, Type.PUSH_DATA: 36, Type.PUSH_COMMIT: 4, Type.SLOT_INFO: 0}
        for request, size in sizes.items():
            with pytest.raises(Refused) as refused:
                link.request(request, bytes(size))
            assert refused.value.code == Refusal.BUSY
        assert link.hello().state == State.RUNNING
        assert push(link, NEW, restart=True).model_sha256 == NEW.model_sha256()


def test_a_model_with_other_signals_is_refused_by_the_host(old: Image) -> None:
    with running(old) as link, pytest.raises(KdpError, match="names, units, order or rate differ"):
        push(link, small(1, obs_names=["x", "y", "z"]))


def test_every_request_may_come_twice(old: Image) -> None:
    blob = model_blob(NEW, "portable")
    with running(old) as link:
        link.hello()
        begin(link, blob)
        begin(link, blob)
        for offset in range(0, len(blob), CHUNK):
            payload = struct.pack("<I", offset) + blob[offset : offset + CHUNK]
            assert link.request(Type.PUSH_DATA, payload) == link.request(Type.PUSH_DATA, payload)
        commit = struct.pack("<I", blob_crc(blob))
        assert link.request(Type.PUSH_COMMIT, commit) == link.request(Type.PUSH_COMMIT, commit)
        assert model_of(link) == NEW.model_sha256()
        assert [slot.order for slot in slot_info(link).slots] == [1, 0]


class Noisy:
    """A wire that loses and flips bytes, both ways."""

    def __init__(self, pipe: Pipe, seed: int, rate: float) -> None:
        self._pipe, self._random, self._rate = pipe, random.Random(seed), rate

    def _spoil(self, data: bytes) -> bytes:
        kept = (byte for byte in data if self._random.random() >= self._rate)
        return bytes(byte ^ 1 if self._random.random() < self._rate else byte for byte in kept)

    def write(self, data: bytes) -> None:
        self._pipe.write(self._spoil(data))

    def read(self, timeout: float) -> bytes:
        return self._spoil(self._pipe.read(timeout))

    def close(self) -> None:
        self._pipe.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_noisy_wire_costs_retries_and_nothing_else(old: Image, seed: int) -> None:
    with running(old) as link:
        noisy = Link(Noisy(link.pipe, seed, 0.0005), timeout=0.2, tries=20)
        assert push(noisy, NEW).model_sha256 == NEW.model_sha256()
        assert noisy.counters.retries > 0
        assert model_of(link) == NEW.model_sha256()


@pytest.mark.parametrize(
    "requests, code",
    [
        ([(Type.PUSH_DATA, bytes(36))], Refusal.OUT_OF_ORDER),
        ([(Type.PUSH_COMMIT, bytes(4))], Refusal.OUT_OF_ORDER),
        ([(Type.PUSH_BEGIN, bytes(7))], Refusal.BAD_LENGTH),
        ([(Type.PUSH_BEGIN, struct.pack("<II", 1 << 20, 0))], Refusal.TOO_LARGE),
        ([(Type.PUSH_BEGIN, struct.pack("<II", 2**32 - 32, 0))], Refusal.TOO_LARGE),
        ([(Type.PUSH_BEGIN, struct.pack("<II", 1001, 0))], Refusal.BAD_LENGTH),
        ([(Type.PUSH_BEGIN, struct.pack("<II", 320, 0)), (Type.PUSH_DATA, bytes(35))], Refusal.BAD_LENGTH),
        (
            [
                (Type.PUSH_BEGIN, struct.pack("<II", 320, 0)),
                (Type.PUSH_DATA, struct.pack("<I", 32) + bytes(32)),
            ],
            Refusal.OUT_OF_ORDER,
        ),
        (
            [(Type.PUSH_BEGIN, struct.pack("<II", 320, 0)), (Type.PUSH_DATA, bytes(4 + 352))],
            Refusal.OUT_OF_ORDER,
        ),
        (
            [
                (Type.PUSH_BEGIN, struct.pack("<II", 320, 0)),
                (Type.PUSH_DATA, struct.pack("<I", 2**32 - 32) + bytes(32)),
            ],
            Refusal.OUT_OF_ORDER,
        ),
        (
            [(Type.PUSH_BEGIN, struct.pack("<II", 320, 0)), (Type.PUSH_COMMIT, bytes(4))],
            Refusal.OUT_OF_ORDER,
        ),
    ],
)
def test_requests_out_of_order_or_range_are_refused(
    old: Image, requests: list[tuple[Type, bytes]], code: Refusal
) -> None:
    with running(old) as link:
        link.hello()
        for type_, payload in requests[:-1]:
            link.request(type_, payload)
        with pytest.raises(Refused) as refused:
            link.request(*requests[-1])
        assert refused.value.code == code
        assert model_of(link) == old.model_sha256
