# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Memory that is too small or not aligned, ports that have something to say, nets that do not run."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.exporters import targets
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire import protocol
from kdp_edge.wire.numbers import ERROR, HelloFlag, Pace, Refusal, State, Type
from kdp_edge.wire.protocol import Hello, Telemetry
from tests.firmware.core_device import CoreDevice

OBSERVATION = np.array([0.1, 0.2, -0.3], np.float32)
OUT_OF_MEMORY = -13


@pytest.fixture
def device(small_library: HostLibrary, small_planner: IntegerPlanner) -> CoreDevice:
    return CoreDevice(small_library, small_planner)


def _start_in(library: HostLibrary, offset: int, size: int) -> int:
    return int(library.c.kdp_library_start_in(ctypes.c_size_t(offset), ctypes.c_size_t(size)))


def test_too_little_memory_is_an_error_wherever_it_ends(small_library: HostLibrary) -> None:
    statuses = [_start_in(small_library, 0, size) for size in range(0, 1 << 16, 16)]
    enough = statuses.index(0)
    assert enough > 20
    assert set(statuses[:enough]) == {OUT_OF_MEMORY}
    assert set(statuses[enough:]) == {0}


@pytest.mark.parametrize("offset", [1, 4, 8, 15])
def test_memory_that_is_not_aligned_is_an_error(small_library: HostLibrary, offset: int) -> None:
    assert _start_in(small_library, offset, 1 << 16) == OUT_OF_MEMORY


def test_hello_says_what_the_port_says(device: CoreDevice) -> None:
    for faults, watchdog in ((0, False), (1, False), (0, True), (2**32 - 1, True)):
        device.library.c.kdp_library_set_port(ctypes.c_uint32(faults), int(watchdog))
        flags = HelloFlag(Hello.unpack(device.request(Type.HELLO)[1]).flags)
        assert (HelloFlag.FAULTED in flags, HelloFlag.WATCHDOG in flags) == (faults > 0, watchdog)
    device.library.c.kdp_library_set_port(ctypes.c_uint32(0), 0)


def test_a_net_that_does_not_run_is_refused_and_moves_nothing(device: CoreDevice) -> None:
    device.reset(1)
    device.step(0, OBSERVATION)
    device.library.c.kdp_library_break_planner()
    refused = device.request(Type.PLAN, protocol.pack_plan(0, 0, 0, OBSERVATION))
    assert refused == (ERROR, bytes([Refusal.SELFTEST_FAILED, Type.PLAN]))
    refused = device.request(Type.STEP, protocol.pack_step(100, OBSERVATION))
    assert refused == (ERROR, bytes([Refusal.SELFTEST_FAILED, Type.STEP]))
    telemetry = Telemetry.unpack(device.request(Type.TELEMETRY)[1])
    assert (telemetry.plans, telemetry.replayed, telemetry.safe) == (1, 0, 0)


def test_a_device_without_slots_says_so(device: CoreDevice) -> None:
    kind, payload = device.request(Type.SLOT_INFO)
    assert kind == Type.SLOT_INFO | 0x80
    assert payload[1] == 255 and payload[2:6] == bytes(4) and payload[10] == 0


def test_bad_frames_are_counted(device: CoreDevice) -> None:
    assert device.library.receive(b"\x00\x05\x01\x02\x03\x04\x00") == b""
    assert Telemetry.unpack(device.request(Type.TELEMETRY)[1]).frames_bad == 1
    assert Hello.unpack(device.request(Type.HELLO)[1]).state == State.IDLE


def test_the_first_step_may_have_the_largest_number(device: CoreDevice) -> None:
    device.reset(0)
    device.step(2**32 - 1, OBSERVATION)


def test_a_broken_image_plays_nothing_by_its_own_clock(device: CoreDevice) -> None:
    device.library.set_image(False)
    device.request(Type.SELFTEST)
    device.request(Type.RESET, protocol.pack_reset(0, Pace.REAL))
    device.library.wait(10_000_000)
    assert Telemetry.unpack(device.request(Type.TELEMETRY)[1]).own == 0


def test_the_main_loop_looks_at_the_clock_in_real_time_and_with_a_watchdog(device: CoreDevice) -> None:
    device.library.turn()
    device.reset(0, Pace.REAL)
    device.library.turn()
    device.reset(0)
    device.library.c.kdp_library_set_port(ctypes.c_uint32(0), 1)
    device.library.turn()
    device.library.c.kdp_library_set_port(ctypes.c_uint32(0), 0)
    assert device.library.watchdog_fed() == 3


def test_a_period_shorter_than_a_tick_counts_as_one(small_planner: IntegerPlanner, tmp_path: Path) -> None:
    fast = replace(small_planner, spec=replace(small_planner.spec, rate_hz=4e6, deadline_us=1))
    bundle = targets.export_planner(fast, "firmware", tmp_path / "bundle", {})
    device = CoreDevice(HostLibrary.compile(bundle.path), fast)
    device.reset(0)
    device.step(0, OBSERVATION, 10)  # ten periods late
    device.tick(1)
