"""A model pushed to the very images of emulated boards, over their serial port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.exporters import firmware
from kdp_edge.exporters.build import compile_bundle
from kdp_edge.exporters.bundle import write_bundle
from kdp_edge.hil.devices.process import Child
from kdp_edge.hil.devices.qemu import SERVING, command
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import SerialPipe
from kdp_edge.hil.push import push, slot_info
from kdp_edge.quantization.synthetic import random_planner


@contextmanager
def emulated(board: str, folder: Path) -> Iterator[Link]:
    """A board with random_planner(seed=0) compiled in."""
    bundle = write_bundle(random_planner(), "firmware", folder / "bundle", firmware.write, lambda *_: [], {})
    image = compile_bundle(bundle.path, board, folder / "image")
    child = Child(command(image.machine, str(image.elf)))
    try:
        pipe = SerialPipe(child.expect(SERVING))
        try:
            yield Link(pipe, timeout=3.0)
        finally:
            pipe.close()
    finally:
        child.close()


@pytest.mark.parametrize("board, kernel", [("mps2-an500", "m4"), ("mps3-an547", "mve")])
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


def test_flash_that_takes_nothing_is_noticed_and_the_model_stays(tmp_path: Path) -> None:
    with emulated("stm32f405", tmp_path) as link:  # QEMU has its flash, but no flash controller
        before = link.hello().model_sha256
        with pytest.raises(KdpError, match="its flash does not hold what was written") as error:
            push(link, random_planner(seed=1))
        assert error.value.exit_code == GATE_FAILED
        assert link.hello().model_sha256 == before
        assert link.selftest().passed
