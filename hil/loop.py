# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The closed loop: MuJoCo on the host, the planner on a device or in float, the same seeds."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.base.progress import Progress, silent
from kdp_edge.hil.devices.device import Device
from kdp_edge.hil.faulty_pipe import FaultyPipe
from kdp_edge.hil.link import Link
from kdp_edge.hil.pace.choose import pacing, seconds_on
from kdp_edge.hil.pace.host import HostTime, undisturbed
from kdp_edge.hil.pace.pacing import Plant
from kdp_edge.hil.pace.timing import LOCKSTEP, REAL
from kdp_edge.hil.pipes import LinkLost
from kdp_edge.hil.player import Player, pose_of
from kdp_edge.hil.pushed import check_pushed
from kdp_edge.hil.replay import gap_to_recorded
from kdp_edge.hil.scenario import WARM_UP, PlayedEpisode, Recording, Scenario, Step
from kdp_edge.hil.status import Observer, unobserved
from kdp_edge.hil.trace.tap import Tap
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import HelloFlag, State
from kdp_edge.wire.protocol import Hello, check_hello, pack_step
from kdp_edge.wire.twin import limit_action

ECHOES = 50  # round trips of the bare link before the run
# a link that loses frames on purpose: repeat sooner, give up later
FAULTY_TIMEOUT = 0.1  # seconds
FAULTY_TRIES = 30
AFTERWARDS = 1.0  # seconds to ask a device that was lost whether it restarted


def play_device(
    device: Device,
    scenario: Scenario,
    planner: IntegerPlanner,
    float_planner: FloatPlanner,
    progress: Progress = silent,
    observer: Observer = unobserved,
) -> Recording:
    """Play `scenario` on an open device.

    A link that is lost ends the run early: `Recording.lost` says why, and what was played is there.

    Raises:
        KdpError: nobody answers, a device with another policy does, or one whose stop is latched.
    """
    _check_playable(scenario, device)
    recording, tap = Recording(device.name), Tap(device)
    faulty = FaultyPipe(tap, scenario.faults_of("link"), scenario.seeds[0], lambda: len(recording.steps))
    link = Link(tap, device.timeout)
    if scenario.faults_of("link"):
        link = Link(faulty, min(device.timeout, FAULTY_TIMEOUT), FAULTY_TRIES)
    hello = greeted(link, device, planner)
    tap.notes.clear()  # a greeting is repeated as often as it takes
    recording = replace(
        recording,
        notes=tap.notes,
        hello=hello,
        clock=device.clock(hello),
        counters=link.counters,
        flash_bytes=device.flash_bytes,
        ram_bytes=device.ram_bytes,
        toolchain=device.toolchain,
        exact=device.exact(hello),
        timeless=device.timeless,
        restarted=bool(hello.flags & HelloFlag.FAULTED),
    )
    observer(recording)
    start = time.perf_counter()
    real = scenario.timing.pace == REAL
    recording.host = HostTime(1 / planner.spec.rate_hz) if real else None
    seconds = seconds_on(device, recording.clock, hello)
    pace = pacing(scenario, link, seconds, recording.echo_rtt, planner.spec, recording.host)
    doing = (tap.pretend, tap.hang)
    player = Player(link, scenario, planner, float_planner, recording, progress, pace, *doing)
    try:
        _measure_link(link, planner, recording)
        link.counters.stray = 0  # answers to a greeting that was repeated are none of the run
        if recording.host is None:
            player.play()
        else:
            with undisturbed() as recording.host.permitted:
                player.play()
        recording.telemetry = link.telemetry()
    except KeyboardInterrupt:
        recording.interrupted = True
        recording.lost = f"{device.name}, {player.where()}: interrupted"
    except KdpError as error:
        recording.lost = f"{device.name}, {player.where()}: {error}"
        recording.restarted |= _restarted(link)
    recording.wall_seconds = time.perf_counter() - start
    recording.injected.update(faulty.injected)
    recording.marks = faulty.marks
    return recording


def greeted(link: Link, device: Device, planner: IntegerPlanner) -> Hello:
    """What the device says about itself; raises `KdpError` (3) unless it is ready to play `planner`."""
    hello = link.hello(device.hello_within)
    check_hello(hello, planner, device.name)
    check_pushed(hello, planner, device.name)
    _check_not_latched(hello, device.name)
    return hello


def _check_playable(scenario: Scenario, device: Device) -> None:
    """Refuse faults that this device cannot be given, or this pace."""
    if scenario.timing.pace != LOCKSTEP and any(fault.name == "silence" for fault in scenario.faults):
        raise KdpError("fault 'silence' is played in lockstep only; leave --pace out")
    for fault in scenario.faults_of("device"):
        if fault.name == "overrun" and device.pretend is None:
            raise KdpError(f"{device.name} cannot be made to overrun on command; only native can")
        if fault.name == "reboot" and scenario.timing.pace == REAL:
            raise KdpError("a restart takes longer than a period; play reboot at pace lockstep or device")
        if fault.name == "hang" and device.hang is None:
            raise KdpError(f"{device.name} cannot be made to hang on command; only native and qemu can")


def _check_not_latched(hello: Hello, where: str) -> None:
    """Refuse a latch that was there before the run: whoever leaves it should know why it came."""
    if hello.state == State.LATCHED:
        raise KdpError(
            f"{where}: its stop is latched; see why: kdp-edge info --device {where}, leave it: kdp-edge arm "
            f"--device {where}, then repeat",
            DEVICE_MISSING,
        )


def _restarted(link: Link) -> bool:
    """Whether a device that does not go on says that a fault or its watchdog restarted it."""
    try:
        return bool(link.hello(AFTERWARDS).flags & HelloFlag.FAULTED)
    except (KdpError, OSError):
        return False


def _measure_link(link: Link, planner: IntegerPlanner, recording: Recording) -> None:
    data = pack_step(0, np.zeros(planner.spec.obs_dim, np.float32))
    for number in range(WARM_UP + ECHOES):
        if link.echo(data) != data:
            raise LinkLost("ECHO came back changed although its CRC is right; flash again")
        if number >= WARM_UP:
            recording.echo_rtt.append(link.rtt)


def play_float(
    scenario: Scenario,
    float_planner: FloatPlanner,
    progress: Progress = silent,
    observer: Observer = unobserved,
) -> Recording:
    """Play `scenario` with the float policy, in process, without faults and without a fail-safe."""
    recording = Recording("float")
    observer(recording)
    start = time.perf_counter()
    plant = scenario.open_plant()
    played = np.asarray(float_planner.spec.safe_action, np.float32)  # last, over all episodes, as on a device
    try:
        for number, seed in enumerate(scenario.seeds):
            played = _float_episode(plant, seed, scenario, float_planner, recording, played)
            progress((number + 1) * scenario.max_steps)
    finally:
        plant.close()
    recording.wall_seconds = time.perf_counter() - start
    return recording


def _float_episode(
    plant: Plant,
    seed: int,
    scenario: Scenario,
    planner: FloatPlanner,
    recording: Recording,
    previous: np.ndarray,
) -> np.ndarray:
    """One episode; returns the action played last."""
    spec = planner.spec
    observation, _ = plant.reset(seed=seed)
    total, length, success = 0.0, 0, None
    before: np.ndarray | None = None  # the observation of the step before
    while length < scenario.max_steps:
        now = np.array(observation, np.float32)
        index, age = divmod(length, spec.chunk)
        if age == 0:
            plan = planner.plan(now if before is None else before, seed, index)
        before = now if spec.ahead else None
        previous = limit_action(spec, plan.actions[plan.best, age], previous)
        seen, pose = tuple(now.tolist()), pose_of(plant)
        observation, reward, terminated, truncated, info = plant.step(previous)
        step = Step(seed, length, float(reward), tuple(float(v) for v in previous))
        gap = gap_to_recorded(previous, info)
        recording.steps.append(
            replace(step, candidate=plan.best, age=age, recorded_gap=gap, observation=seen, pose=pose)
        )
        total, length = total + float(reward), length + 1
        success = scenario.succeeded(info, success)
        if terminated or truncated:
            break
    recording.episodes.append(PlayedEpisode(seed, total, length, True, success))
    return previous
