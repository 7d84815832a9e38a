"""The very images that are flashed, on emulated boards: every reply byte equal to the twin's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdp_edge.export.boards import BuildOptions, board_names, load_board
from kdp_edge.export.build import Image, build
from kdp_edge.hil.devices.process import pty_of
from kdp_edge.hil.link import Link
from kdp_edge.hil.protocol import ClockSource
from kdp_edge.quantize.plan import IntegerPlanner
from tests.firmware.on_link import play

EMULATED = [name for name in board_names() if load_board(name).machine]


@contextmanager
def powered(image: Image, *extra: str) -> Iterator[Link]:
    """QEMU running `image`, one instruction every 8 ns of virtual time."""
    command = [
        "qemu-system-arm",
        "-M",
        image.machine,
        "-kernel",
        str(image.elf),
        *(extra or ("-serial", "pty")),
    ]
    command += ["-display", "none", "-monitor", "none", "-icount", "shift=3,sleep=on"]
    with pty_of(command, r"redirected to (\S+)") as pipe:
        yield Link(pipe, timeout=5.0)


@pytest.mark.parametrize("board", EMULATED)
def test_sixty_steps_equal_the_twin_and_repeat_exactly(
    board: str, bundle: Path, planner: IntegerPlanner, tmp_path: Path
) -> None:
    image = build(bundle, board, tmp_path / board)
    runs = []
    for _ in range(2):
        with powered(image) as link:
            hello = link.hello()
            assert (hello.board, hello.state) == (board, 0)
            replies = play(link, planner, 60)
            runs.append([reply.ticks for reply in replies if reply.ticks])
            telemetry = link.telemetry()
            assert telemetry.stack_bytes == image.stack_bytes
            assert 0 < telemetry.stack_high_water_bytes <= image.stack_bound_bytes
            link.reboot()
            assert link.hello().state == 0
    # the same instructions each time, give or take where the timer is read
    assert max(abs(a - b) for a, b in zip(*runs, strict=True)) <= 16


def test_the_stm32f405_serves_on_its_second_port(
    bundle: Path, planner: IntegerPlanner, tmp_path: Path
) -> None:
    image = build(bundle, "stm32f405", tmp_path / "image", BuildOptions(uart=2, watchdog=1))
    with powered(image, "-serial", "null", "-serial", "pty") as link:
        assert link.hello().clock_source == ClockSource.EMULATOR
        link.reset(0)
        assert link.hello().flags == 3  # self-test passed, watchdog running
        link.reboot()
        play(link, planner, 5)


def test_a_damaged_image_answers_but_does_not_act(bundle: Path, tmp_path: Path) -> None:
    image = build(bundle, "stm32f405", tmp_path / "image")
    data = bytearray(image.bin.read_bytes())
    at = data.index(b"stm32f405\0")  # a byte that no golden vector can notice
    data[at] ^= 0x20
    (tmp_path / "damaged.bin").write_bytes(data)
    loader = f"loader,file={tmp_path / 'damaged.bin'},addr=0x08000000,force-raw=on"
    command = ["qemu-system-arm", "-M", image.machine, "-device", loader, "-serial", "pty"]
    command += ["-display", "none", "-monitor", "none", "-icount", "shift=3,sleep=on"]
    with pty_of(command, r"redirected to (\S+)") as pipe:
        link = Link(pipe, timeout=5.0)
        hello = link.hello()
        assert hello.board == "Stm32f405" and hello.flags & 1 == 0
        assert link.selftest().passed == 0
        link.reset(0)
        with pytest.raises(Exception, match="code 5"):
            link.tick(0)
