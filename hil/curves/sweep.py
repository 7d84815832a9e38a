# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A sweep: the same episodes at each value of an axis, on the twin and on devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from kdp_edge.base.errors import LINK_LOST, KdpError
from kdp_edge.base.progress import Progress
from kdp_edge.base.statistics import rounded95
from kdp_edge.hil.curves.axis import CHUNK, CLOCK, Axis, K
from kdp_edge.hil.curves.box import Box, box
from kdp_edge.hil.curves.tolerance import Tolerance, tolerance
from kdp_edge.hil.curves.twin_play import play_twin
from kdp_edge.hil.devices import NONE_GIVEN, check, open_device, prepare, runs_by_itself
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.pace.timing import DEVICE, Timing
from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.summary import device_times, misses
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import State

SCHEMA = 1
TWIN = "twin"
ProgressBar = Callable[[str, int], AbstractContextManager[Progress]]


@dataclass(frozen=True)
class Row:
    """One value of the axis, played by one of them."""

    value: float
    by: str  # "twin" or a device
    returns: list[float]
    return_mean: float
    return_ci95: list[float] | None  # Student's t over episodes
    ended_early: int  # episodes that the environment ended before their time
    plans: int
    deadline_misses: int
    latched: int  # episodes in which the stop was latched
    plan_ms: float | None  # the slowest plan by the device's clock; of the twin what it was told
    period_share: float | None  # of a control period, by that plan
    period_share_mean: float | None
    mismatched_replies: int | None  # None: the twin is what replies are held against


@dataclass(frozen=True)
class Sweep:
    """What a sweep found; the content of sweep.json."""

    task: str
    axis: str
    seeds: list[int]
    max_steps: int
    rate_hz: float
    deadline_ms: float
    k: int
    horizon: int
    chunk: int
    link_us: float
    model_sha256: str
    rows: list[Row]
    boxes: list[Box]
    tolerances: list[Tolerance]
    says: list[str]
    schema: int = SCHEMA

    def to_json(self) -> dict[str, Any]:
        """sweep.json as a value."""
        return asdict(self)


@dataclass(frozen=True)
class Subject:
    """What is swept: a policy on its task, and on which devices besides the twin."""

    scenario: Scenario  # seeds and steps of the twin's episodes
    planner: IntegerPlanner
    floating: Callable[[IntegerPlanner], FloatPlanner]
    devices: tuple[str, ...] = ()
    device_episodes: int = 1  # the first of the seeds
    link_us: float = 0.0
    credentials: Credentials = NONE_GIVEN

    def check(self, axis: Axis) -> None:
        """Raise `KdpError` where a device cannot be given the axis's values."""
        if axis.name == CLOCK and not any(name.startswith("qemu:") for name in self.devices):
            raise KdpError(f"{axis.option} needs a core that counts instructions: give --device qemu:BOARD")
        for name in self.devices:
            check(axis.timing(axis.values[0], 0.0).address(name))
            check(axis.timing(axis.values[-1], 0.0).address(name))
            if axis.name in (K, CHUNK) and runs_by_itself(name):
                raise KdpError(
                    f"{name} runs with the policy that it has, whose {axis.name} is fixed; sweep "
                    f"{axis.option} on the twin, native or qemu:BOARD"
                )

    def on_device(self, name: str, planner: IntegerPlanner, timing: Timing, steps: int = 0) -> Recording:
        """Play a device; with `steps` so many of them in a single episode."""
        seeds = self.scenario.seeds[: 1 if steps else self.device_episodes]
        cut = replace(self.scenario, seeds=seeds, timing=timing, max_steps=steps or self.scenario.max_steps)
        with open_device(timing.address(name), planner, self.credentials) as device:
            found = play_device(replace(device, name=name), cut, planner, self.floating(planner))
        if found.interrupted:
            raise KeyboardInterrupt
        if found.lost is not None:
            raise KdpError(f"link lost: {found.lost}", LINK_LOST)
        return found


def sweep(subject: Subject, axis: Axis, progress_bar: ProgressBar) -> Sweep:
    """Play every value; raises `KdpError` when a device is missing or lost."""
    subject.check(axis)
    for name in subject.devices:
        prepare(name, subject.planner, subject.credentials)
    scenario, planner, rows = subject.scenario, subject.planner, []
    steps = len(scenario.seeds) * scenario.max_steps
    for value in axis.values:
        policy, timing = axis.policy(planner, value), axis.timing(value, subject.link_us)
        slowest = None
        for name in subject.devices:
            with progress_bar(f"{name}, {value:g}", 0):
                row = _of_device(value, subject.on_device(name, policy, timing), policy)
            rows.append(row)
            slowest = slowest or row.plan_ms
        own = 0.0 if axis.name not in (K, CHUNK, CLOCK) or slowest is None else slowest / 1e3
        with progress_bar(f"twin, {value:g}", steps) as progress:
            rows.append(_of_twin(value, replace(scenario, timing=timing), policy, own, progress))
    boxes = [
        made for name in subject.devices if (made := box(subject.on_device, name, planner, subject.link_us))
    ]
    tolerances = [_tolerance(subject, TWIN, None, progress_bar)]
    tolerances += [_tolerance(subject, one.device, one.plan_ms / 1e3, progress_bar) for one in boxes]
    spec = planner.spec
    return Sweep(
        scenario.task, axis.name, list(scenario.seeds), scenario.max_steps, spec.rate_hz,
        spec.deadline_us / 1e3, spec.k, spec.horizon, spec.chunk, subject.link_us, planner.model_sha256(),
        rows, boxes, tolerances, [one.says for one in boxes] + [one.says for one in tolerances],
    )  # fmt: skip


def _tolerance(subject: Subject, device: str, plan: float | None, progress_bar: ProgressBar) -> Tolerance:
    timed = replace(subject.scenario, timing=Timing(DEVICE, subject.link_us))
    with progress_bar(f"how much slower, {device}", 0):
        return tolerance(timed, subject.planner, device, plan)


def _of_twin(
    value: float, scenario: Scenario, planner: IntegerPlanner, own: float, progress: Progress
) -> Row:
    played = play_twin(scenario, planner, own, progress)
    share = own * planner.spec.rate_hz if own else None
    return Row(
        value=value,
        by=TWIN,
        returns=(returns := [one.episode_return for one in played]),
        return_mean=float(np.mean(returns)),
        return_ci95=rounded95(returns, 4),
        ended_early=sum(one.ended for one in played),
        plans=sum(one.plans for one in played),
        deadline_misses=sum(one.misses for one in played),
        latched=sum(one.latched for one in played),
        plan_ms=1e3 * own if own else None,
        period_share=share,
        period_share_mean=share,
        mismatched_replies=None,
    )


def _of_device(value: float, recording: Recording, planner: IntegerPlanner) -> Row:
    times = _times_ms(recording)
    period = 1e3 / planner.spec.rate_hz
    returns = [one.episode_return for one in recording.episodes]
    seeds: Sequence[int] = [one.seed for one in recording.episodes]
    return Row(
        value=value,
        by=recording.device,
        returns=returns,
        return_mean=float(np.mean(returns)),
        return_ci95=rounded95(returns, 4),
        ended_early=sum(one.ended for one in recording.episodes),
        plans=sum(s.ticks > 0 for s in recording.steps),
        deadline_misses=misses(recording),
        latched=sum(
            any(s.state == State.LATCHED and s.seed == seed for s in recording.steps) for seed in seeds
        ),
        plan_ms=max(times, default=None),
        period_share=max(times) / period if times else None,
        period_share_mean=float(np.mean(times)) / period if times else None,
        mismatched_replies=recording.mismatched,
    )


def _times_ms(recording: Recording) -> list[float]:
    clock = recording.clock
    timed = clock is not None and not recording.timeless
    return [1e3 * t / clock.hz for t in device_times(recording)] if clock is not None and timed else []
