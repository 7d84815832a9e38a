# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A model pushed to the very images of emulated boards, over their serial port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.exporters import firmware
from kdp_edge.exporters.boards import BuildOptions
from kdp_edge.exporters.build import compile_bundle
from kdp_edge.exporters.bundle import write_bundle
from kdp_edge.exporters.model_blob import model_blob
from kdp_edge.exporters.signing import SigningKey, load_private, new_key
from kdp_edge.hil.devices.process import Child
from kdp_edge.hil.devices.qemu import SERVING, command
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import SerialPipe
from kdp_edge.hil.push import push, slot_info
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.wire.numbers import Refusal
from tests.push.conftest import refusal, with_crc


@contextmanager
def emulated(board: str, folder: Path, key: SigningKey | None = None) -> Iterator[Link]:
    """A board with random_planner(seed=0) compiled in, and the public half of `key`."""
    bundle = write_bundle(random_planner(), "firmware", folder / "bundle", firmware.write, lambda *_: [], {})
    public = key.public.data.hex() if key is not None else None
    image = compile_bundle(bundle.path, board, folder / "image", BuildOptions(public_key=public))
    child = Child(command(image))
    try:
        pipe = SerialPipe(child.expect(SERVING))
        try:
            yield Link(pipe, timeout=3.0)
        finally:
            pipe.close()
    finally:
        child.close()


@pytest.mark.parametrize(
    "board, kernel", [("mps2-an500", "m4"), ("mps3-an547", "mve"), ("riscv-virt", "dual")]
)
def test_pushed_model_answers_like_the_reference_and_survives_a_restart(
    board: str, kernel: str, tmp_path: Path
) -> None:
    new = random_planner(seed=1)
    with emulated(board, tmp_path) as link:
        assert push(link, new).slot == 0  # three of its plans are compared, byte for byte
        info = slot_info(link)
        assert (info.kernel, info.active) == (kernel, 0)
        link.reboot()
        hello = link.hello()
        assert (hello.model_sha256, hello.flags & 1) == (new.model_sha256(), 1)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    new_key(tmp_path / "key")
    return load_private(tmp_path / "key")


@pytest.mark.parametrize("board", ["mps2-an500", "mps3-an547"])
def test_a_signature_is_verified_by_the_machine_code_of_the_board(
    board: str, key: SigningKey, tmp_path: Path
) -> None:
    new = random_planner(seed=1)
    with emulated(board, tmp_path, key) as link:
        assert push(link, new, key=key, sequence=1).slot == 0
        blob = bytearray(model_blob(new, slot_info(link).kernel, 2, key))
        blob[-1] ^= 1
        assert refusal(link, with_crc(blob)) == Refusal.BAD_SIGNATURE
        assert refusal(link, model_blob(new, slot_info(link).kernel, 2)) == Refusal.BAD_SIGNATURE
        link.reboot()
        hello = link.hello()
        assert (hello.model_sha256, hello.sequence) == (new.model_sha256(), 1)
        telemetry = link.telemetry()
        assert 0 < telemetry.stack_high_water_bytes < telemetry.stack_bytes


def test_a_robots_board_takes_no_model_unless_its_image_holds_a_key(tmp_path: Path) -> None:
    with emulated("stm32f405", tmp_path) as link:
        with pytest.raises(KdpError, match="takes no models over the link"):
            push(link, random_planner(seed=1))
        assert refusal(link, model_blob(random_planner(seed=1), "m4")) == Refusal.NOT_TAKEN


def test_flash_that_takes_nothing_is_noticed_and_the_model_stays(key: SigningKey, tmp_path: Path) -> None:
    with emulated("stm32f405", tmp_path, key) as link:  # QEMU has its flash, but no flash controller
        before = link.hello().model_sha256
        with pytest.raises(KdpError, match="its flash does not hold what was written") as error:
            push(link, random_planner(seed=1), key=key, sequence=1)
        assert error.value.exit_code == GATE_FAILED
        assert link.hello().model_sha256 == before
        assert link.selftest().passed
