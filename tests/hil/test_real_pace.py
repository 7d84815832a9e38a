# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Pace `real`: absolute deadlines, no bursts, every reply predicted, and no verdict by an unfit host."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.faults import parse
from kdp_edge.hil.gates import standard_gates
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.pace.host import HostTime
from kdp_edge.hil.pace.real import LATE_SHARE
from kdp_edge.hil.pace.timing import Timing
from kdp_edge.hil.result import DeviceResult
from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.summary import device_entry
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.tasks import get_task

TASK = "hopper-medium-expert"
PERIOD = 1 / 125


@pytest.fixture(scope="module")
def stalled(planner: IntegerPlanner, float_planner: FloatPlanner) -> Recording:
    """Two episodes on the C of the firmware; in each the host stands still for 200 ms before step 5."""
    scenario = Scenario(TASK, (0, 1), 40, (parse("stall=0.2@5"),), timing=Timing("real"))
    with open_device("native", planner) as device:
        return play_device(device, scenario, planner, float_planner)


def test_every_reply_is_predicted_through_a_stall(
    stalled: Recording,
) -> None:
    assert (stalled.lost, stalled.mismatches) == (None, [])
    assert stalled.telemetry is not None
    assert stalled.own_steps == stalled.telemetry.own > 0


def test_a_stalled_host_skips_the_cycles_that_have_passed_and_never_bursts(stalled: Recording) -> None:
    for seed in (0, 1):
        steps = [s for s in stalled.steps if s.seed == seed]
        skipped = [s.step for s in steps if s.sent is None]
        # an episode may end in the stall: the robot falls
        assert min(skipped) <= 6 and len(skipped) >= min(0.2 / PERIOD - 2, len(steps) - 7)
        first = steps[0].sent
        assert first is not None
        for one in steps:
            if one.sent is not None:  # nothing is asked before its time, or far behind it
                off = one.sent - first - one.step * PERIOD
                assert -0.002 < off < (LATE_SHARE + 1) * PERIOD + 0.005
    assert stalled.host is not None and stalled.host.missed > 0


def test_a_host_that_cannot_keep_time_gives_no_verdict_on_the_device(stalled: Recording) -> None:
    entry = device_entry(stalled, get_task(TASK))
    assert isinstance(entry, DeviceResult) and entry.host is not None
    assert "missed" in (entry.host.unfit or "")
    assert set(entry.host.permitted) == {"SCHED_FIFO", "mlockall", "CPU pinning"}
    gates = {gate.name: gate for gate in standard_gates({"native": entry})}
    assert gates["deadline_misses native"].passed is None and gates["late_answers native"].passed is None
    assert gates["mismatched_replies native"].passed is True


def test_jitter_above_a_tenth_of_the_period_is_unfit() -> None:
    host = HostTime(0.01, before=[0.0002] * 50, lateness=[0.0005] * 100)
    assert host.why_unfit is None
    host.lateness = [0.0005] * 90 + [0.0012] * 10
    assert "more than a tenth of the period of 10 ms" in (host.why_unfit or "")
    assert "missed 2 cycles" in (HostTime(0.01, missed=2).why_unfit or "")


def test_a_late_answer_acts_when_it_comes_and_delays_the_next_question(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    from kdp_edge.hil.devices.device import Device, microseconds
    from kdp_edge.hil.pipes import MemoryPipe
    from kdp_edge.wire.server import Server

    class Slow(MemoryPipe):
        """Holds every third reply back for two periods and a half."""

        count = 0

        def write(self, data: bytes) -> None:
            import time

            self.count += 1
            self.until = time.monotonic() + (2.5 * PERIOD if self.count % 3 == 0 else 0.0)
            super().write(data)

        def read(self, timeout: float) -> bytes:
            import time

            left = self.until - time.monotonic()
            if left > 0:
                time.sleep(min(left, timeout))
                if left > timeout:
                    return b""
            return super().read(timeout)

    slow = replace(planner.spec, rate_hz=25.0, deadline_us=40_000)  # NumPy on a busy computer needs time
    policy = replace(planner, spec=slow)
    device = Device("slow", Slow(Server(policy).feed), microseconds, timeout=1.0, timeless=True)
    scenario = Scenario(TASK, (0,), 12, timing=Timing("real"))
    recording = play_device(device, scenario, policy, replace(float_planner, spec=slow))
    assert (recording.lost, recording.mismatches) == (None, [])
    assert all(s.latency is None or np.isfinite(s.latency) for s in recording.steps)
    assert any(s.latency is not None and s.latency > 2 * PERIOD for s in recording.steps)


def test_a_restart_takes_longer_than_a_period(planner: IntegerPlanner, float_planner: FloatPlanner) -> None:
    scenario = Scenario(TASK, (0,), 12, (parse("reboot@3"),), timing=Timing("real"))
    with (
        open_device("reference", planner) as device,
        pytest.raises(KdpError, match="play reboot at pace lockstep or device"),
    ):
        play_device(device, scenario, planner, float_planner)


def test_an_emulated_board_plays_in_real_time_and_goes_on_by_its_own_clock_when_the_host_stalls(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    """Its timer then counts this computer's time whenever it waits; answers that are late are no board's."""
    slow = replace(planner.spec, rate_hz=25.0, deadline_us=40_000)
    policy = replace(planner, spec=slow)
    scenario = Scenario(TASK, (0,), 20, (parse("stall=0.5@5"),), timing=Timing("real"))
    with open_device(scenario.timing.address("qemu:stm32f405"), policy) as device:
        found = play_device(device, scenario, policy, replace(float_planner, spec=slow))
    assert (found.lost, found.mismatches) == (None, [])
    assert found.telemetry is not None and found.own_steps == found.telemetry.own > 4
    found.host = HostTime(0.04, late_answers=2)
    entry = device_entry(found, get_task(TASK))
    assert isinstance(entry, DeviceResult) and entry.host is not None
    assert entry.host.unfit == "2 answers of the emulator were late: it is as fast as this computer lets it"
