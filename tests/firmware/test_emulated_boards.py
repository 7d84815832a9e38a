# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The very images that are flashed, on emulated boards: every reply byte equal to the twin's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.exporters import targets
from kdp_edge.exporters.boards import BuildOptions, board_names, load_board
from kdp_edge.exporters.build import Image, compile_bundle
from kdp_edge.hil.devices.process import pty_of
from kdp_edge.hil.devices.qemu import SERVING, command, emulated
from kdp_edge.hil.link import Link
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.frame import Decoder, encode
from kdp_edge.wire.numbers import REPLY, ClockSource, Flag, State, Type
from kdp_edge.wire.protocol import Refused
from tests.firmware.on_link import losses, play
from tests.firmware.patched import RISCV_NO_STACK_LEFT, RISCV_UNDEFINED, UNDEFINED, patched

SELFTEST_PASSED, FAULTED = 1, 4  # flags of HELLO
EMULATED = [name for name in board_names() if load_board(name).machine]


@contextmanager
def powered(image: Image) -> Iterator[Link]:
    """QEMU running `image`, with as many instructions a second as `qemu:BOARD` has."""
    rate = emulated(image.board)
    with pty_of([*command(image, rate.shift), *rate.told], SERVING) as (pipe, _):
        yield Link(pipe, timeout=5.0)


@pytest.mark.parametrize("board", EMULATED)
def test_sixty_steps_equal_the_twin_and_repeat_exactly(
    board: str, planner: IntegerPlanner, image_of: Callable[[str], Image]
) -> None:
    image = image_of(board)
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


@pytest.mark.parametrize("board", EMULATED)
def test_a_flood_of_pipelined_frames_is_answered_without_a_loss(
    board: str, image_of: Callable[[str], Image]
) -> None:
    with powered(image_of(board)) as link:
        link.hello()
        lost = losses(link)
        rng = np.random.default_rng(0)
        payloads = [rng.bytes(int(rng.integers(0, 120))) for _ in range(400)]
        decoder, echoes, end = Decoder(), [], time.monotonic() + 60
        for start in range(0, len(payloads), 20):
            block = range(start, start + 20)
            link.pipe.write(b"".join(encode(Type.ECHO, seq, payloads[seq]) for seq in block))
            while len(echoes) < start + 20 and time.monotonic() < end:
                frames = decoder.feed(link.pipe.read(1.0))
                echoes += [frame for frame in frames if frame.type == Type.ECHO | REPLY]
        assert [frame.payload for frame in echoes] == payloads
        assert losses(link) == lost


def test_a_board_that_plans_ahead_equals_the_twin(planner: IntegerPlanner, tmp_path: Path) -> None:
    ahead = replace(planner, spec=replace(planner.spec, chunk=2, ahead=True))
    folder = targets.export_planner(ahead, "firmware", tmp_path / "bundle", {}).path
    with powered(compile_bundle(folder, "stm32f405", tmp_path / "image")) as link:
        replies = play(link, ahead, 60)
    made_ahead = [reply for reply in replies if reply.flags & Flag.AHEAD]
    assert len(made_ahead) > 10
    assert all(reply.ticks and not reply.flags & Flag.OVERRUN for reply in made_ahead)


def test_the_stm32f405_serves_on_its_second_port(
    bundle: Path, planner: IntegerPlanner, tmp_path: Path
) -> None:
    image = compile_bundle(bundle, "stm32f405", tmp_path / "image", BuildOptions(uart=2))
    second = [*command(image), "-serial", "pty"]
    second[second.index("pty")] = "null"
    with pty_of(second, SERVING) as (pipe, _):
        link = Link(pipe, timeout=5.0)
        assert link.hello().clock_source == ClockSource.EMULATOR
        link.reset(0)
        assert link.hello().flags == SELFTEST_PASSED  # no emulator has the watchdog
        link.reboot()
        play(link, planner, 5)


@contextmanager
def flashed(image: Image, data: bytes, folder: Path) -> Iterator[Link]:
    """QEMU of the image's board with `data` in flash, as a flasher would have left it."""
    (folder / "flash.bin").write_bytes(data)
    start = load_board(image.board).flash_start
    loader = f"loader,file={folder / 'flash.bin'},addr={start:#x},force-raw=on"
    words = command(image)
    at = words.index("-kernel")
    words[at : at + 2] = ["-device", loader]
    with pty_of(words, SERVING) as (pipe, _):
        yield Link(pipe, timeout=5.0)


def test_a_damaged_image_answers_but_does_not_act(image_of: Callable[[str], Image], tmp_path: Path) -> None:
    image = image_of("stm32f405")
    data = bytearray(image.bin.read_bytes())
    data[data.index(b"stm32f405\0")] ^= 0x20  # a byte that no golden vector can notice
    with flashed(image, data, tmp_path) as link:
        hello = link.hello()
        assert hello.board == "Stm32f405" and hello.flags & SELFTEST_PASSED == 0
        assert link.selftest().passed == 0
        link.reset(0)
        with pytest.raises(Refused, match="code 5"):
            link.tick(0)


@pytest.mark.parametrize(
    ("board", "instruction"),
    [("stm32f405", UNDEFINED), ("riscv-virt", RISCV_UNDEFINED), ("riscv-virt", RISCV_NO_STACK_LEFT)],
)
def test_a_fault_restarts_into_idle_and_the_third_one_ends_all_action(
    board: str, instruction: bytes, image_of: Callable[[str], Image], tmp_path: Path
) -> None:
    image = image_of(board)
    with flashed(image, patched(image, "kdp_failsafe_arm", instruction), tmp_path) as link:
        assert link.hello().flags & (FAULTED | SELFTEST_PASSED) == SELFTEST_PASSED
        for fault in (1, 2, 3):
            link.reset(0)
            link.pipe.write(encode(Type.ARM, fault))
            hello = link.hello()
            assert hello.state == State.IDLE
            passed = SELFTEST_PASSED if fault < 3 else 0
            assert hello.flags & (FAULTED | SELFTEST_PASSED) == FAULTED | passed
        link.reset(0)
        with pytest.raises(Refused, match="code 5"):
            link.tick(0)
