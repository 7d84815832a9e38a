# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Boards that no emulator has: their whole images on models of their chips' registers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kdp_edge.exporters.build import Image, compile_bundle
from kdp_edge.hil.link import Link
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import ClockSource, State
from tests.firmware.chip import Chip
from tests.firmware.chip_esp32c3 import Esp32c3
from tests.firmware.chip_nrf52840 import Nrf52840
from tests.firmware.chip_rp2350 import Rp2350, Rp2350Riscv
from tests.firmware.chip_stm32h743 import NucleoH743zi, Stm32h743
from tests.firmware.chip_teensy41 import Teensy41
from tests.firmware.on_link import play

CHIPS: dict[str, tuple[type[Chip], int]] = {  # and their cores' clocks
    "rp2350": (Rp2350, 150_000_000),
    "rp2350-riscv": (Rp2350Riscv, 150_000_000),
    "nrf52840": (Nrf52840, 64_000_000),
    "teensy41": (Teensy41, 600_000_000),
    "stm32h743": (Stm32h743, 400_000_000),
    "nucleo-h743zi": (NucleoH743zi, 400_000_000),
    "esp32c3": (Esp32c3, 160_000_000),
}
SELFTEST_PASSED, WATCHDOG, FAULTED = 1, 2, 4  # flags of HELLO


@pytest.fixture(scope="module")
def small_image(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Image]:
    made: dict[str, Image] = {}

    def image(board: str) -> Image:
        if board not in made:
            made[board] = compile_bundle(small_bundle, board, tmp_path_factory.mktemp(board) / "image")
        return made[board]

    return image


@pytest.mark.parametrize("board", CHIPS)
def test_forty_steps_equal_the_twin(
    board: str, small_image: Callable[[str], Image], small_planner: IntegerPlanner
) -> None:
    kind, clock_hz = CHIPS[board]
    image = small_image(board)
    chip = kind(image)
    link = Link(chip)
    hello = link.hello()
    source = ClockSource.INTERNAL if board == "stm32h743" else ClockSource.CRYSTAL
    assert (hello.board, hello.clock_source, hello.clock_hz) == (board, source, clock_hz)
    assert chip.system_hz() == clock_hz
    states = {reply.state for reply in play(link, small_planner, 40)}
    assert len(states) >= 2
    assert 0 < link.telemetry().stack_high_water_bytes <= image.stack_bound_bytes


@pytest.mark.parametrize("board", CHIPS)
def test_restarts_keep_the_latch_and_only_the_watchdogs_count(
    board: str, small_image: Callable[[str], Image]
) -> None:
    chip = CHIPS[board][0](small_image(board))
    link = Link(chip)
    assert link.hello().flags == SELFTEST_PASSED
    link.reset(0)
    step = 0
    while link.tick(step).state != State.LATCHED:
        step += 1
    assert link.hello().flags == SELFTEST_PASSED | WATCHDOG
    link.reboot()
    hello = link.hello()
    assert (chip.restarts, hello.state) == (1, State.LATCHED)
    assert hello.flags & ~WATCHDOG == SELFTEST_PASSED
    link.reset(0)
    for fault in (1, 2, 3):
        chip.bites()
        hello = link.hello()
        assert hello.state == State.LATCHED
        assert hello.flags & ~WATCHDOG == FAULTED | (SELFTEST_PASSED if fault < 3 else 0)
        if fault < 3:
            assert link.reset(0).state == State.LATCHED
