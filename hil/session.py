# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""One policy on several devices: play, judge, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from math import isfinite

from kdp_edge.base.progress import Progress, silent
from kdp_edge.base.provenance import other_simulator
from kdp_edge.exporters.bundle import Bundle
from kdp_edge.hil import report as reports
from kdp_edge.hil.curves.tolerance import Tolerance, tolerance
from kdp_edge.hil.devices import NONE_GIVEN, open_device, prepare
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.devices.device import Device
from kdp_edge.hil.environment import check_task
from kdp_edge.hil.gates import TIMELESS, behaviour_gates, fault_gates, repeat_gates, standard_gates
from kdp_edge.hil.loop import play_device, play_float
from kdp_edge.hil.pace.timing import DEVICE
from kdp_edge.hil.result import DeviceResult, Gate, Played, Report
from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.status import Observer, unobserved
from kdp_edge.hil.summary import against_float, device_entry, two_clocks, without_host_time
from kdp_edge.hil.verdicts import Expectation, behaviour_verdict, device_verdict
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import planner_of
from kdp_edge.run import Run, task_in
from kdp_edge.tasks import Task
from kdp_edge.tasks.environments import check_installed

ProgressBar = Callable[[str, int], AbstractContextManager[Progress]]


MoreGates = Callable[[Mapping[str, Played]], list[Gate]]


def no_more(devices: Mapping[str, Played]) -> list[Gate]:
    """No gates besides those of every run."""
    return []


@contextmanager
def no_bar(label: str, total: int) -> Iterator[Progress]:
    """Progress that nobody watches."""
    yield silent


@dataclass(frozen=True)
class Session:
    """What to play on which devices, and what must hold."""

    scenario: Scenario
    devices: tuple[str, ...]
    planner: IntegerPlanner
    float_planner: FloatPlanner
    run: Run | None = None
    with_float: bool = True
    repeat: bool = False
    least_return: float | None = None
    judge_return: bool = True
    behaviour_score: float | None = None  # of the data that the policy was trained on
    simulator: str | None = None  # MuJoCo's version whose physics the policy learned
    credentials: Credentials = NONE_GIVEN
    observer: Observer = unobserved
    rival: Session | None = None  # another policy on the same devices and episodes: shown beside this one
    rival_name: str = ""

    @classmethod
    def of(cls, source: Run | Bundle, devices: tuple[str, ...]) -> Session:
        """The policy of a run or a bundle."""
        return cls.of_run(source, devices) if isinstance(source, Run) else cls.of_bundle(source, devices)

    @classmethod
    def of_run(cls, run: Run, devices: tuple[str, ...]) -> Session:
        """The quantized policy of a run against the run's own float weights."""
        planner = planner_of(run)
        score = _number(run.metrics.get("behaviour_score"))
        floating = FloatPlanner.from_run(run, planner.spec)
        return cls(
            _scenario(run.task()),
            devices,
            planner,
            floating,
            run,
            behaviour_score=score,
            simulator=run.simulator,
        )

    @classmethod
    def of_bundle(cls, bundle: Bundle, devices: tuple[str, ...]) -> Session:
        """The policy of a verified bundle; its float side is the integers de-quantised."""
        planner = bundle.planner()
        made_by = bundle.manifest["provenance"]
        score, simulator = _number(made_by.get("behaviour_score")), made_by.get("mujoco")
        simulator = simulator if isinstance(simulator, str) else None
        floating = FloatPlanner.from_integer(planner)
        task = task_in(bundle.path, planner.spec.task)
        return cls(_scenario(task), devices, planner, floating, behaviour_score=score, simulator=simulator)

    def play(self, progress_bar: ProgressBar = no_bar) -> tuple[Report, list[Recording]]:
        """Play everything; returns the report and what every device did.

        Raises:
            KdpError: a device is missing or serves another policy. A link that is lost later does
                not raise: the device's result says where (`lost`), and a gate fails. Nor does Ctrl-C:
                what was played by then is in the report, which says that it was interrupted.
        """
        self.check_plant()
        for name in self.devices:
            prepare(name, self.planner, self.credentials)
        recordings, repeats = [], []
        for name in self.devices:
            recordings.append(self._play(name, progress_bar, name))
            if self.repeat and recordings[-1].lost is None:
                again = self._play(name, progress_bar, f"{name}, again")
                recordings[-1].interrupted |= again.interrupted
                repeats += repeat_gates(recordings[-1], again)
            if recordings[-1].interrupted:
                return self.report_of(recordings, repeats), recordings
        if self.with_float:
            with progress_bar("float", self.most_steps()) as progress:
                recordings.insert(0, self.play_floating(progress))
        recordings += self._play_rival(progress_bar)
        report = self.report_of(recordings, repeats)
        return replace(report, tolerances=self._tolerances(report, progress_bar)), recordings

    def _tolerances(self, report: Report, progress_bar: ProgressBar) -> list[Tolerance]:
        """At pace `device`: how much slower each device that keeps time may get, or else any."""
        if self.scenario.timing.pace != DEVICE or self.scenario.recorded is not None or report.lost:
            return []
        slowest: dict[str, float | None] = {
            name: one.device_ms.max / 1e3
            for name, one in report.answering.items()
            if one.device_ms is not None
            and one.device_ms.max is not None
            and name in self.devices
            and name not in TIMELESS
        }
        found = []
        for name, seconds in (slowest or {"the device": None}).items():
            with progress_bar(f"how much slower, {name}", 0) as progress:
                found.append(tolerance(self.scenario, self.planner, name, seconds, progress))
        return found

    def _play_rival(self, progress_bar: ProgressBar) -> list[Recording]:
        """What the other policy does on each device, built for it."""
        recordings: list[Recording] = []
        if self.rival is None:
            return recordings
        for address, name in zip(self.devices, self._rival_devices(), strict=True):
            prepare(address, self.rival.planner, self.credentials)
            recording = self.rival._play(address, progress_bar, name)
            recording.device, recording.address = name, recording.address or address
            recordings.append(recording)
        return recordings

    def _rival_devices(self) -> list[str]:
        """How the report calls the devices with the other policy."""
        return [] if self.rival is None else [f"{self.rival_name} on {name}" for name in self.devices]

    def _play(self, name: str, progress_bar: ProgressBar, label: str) -> Recording:
        address = self.scenario.timing.address(name)
        opened = open_device(address, self.planner, self.credentials)
        with opened as device, progress_bar(label, self.most_steps()) as progress:
            recording = self.play_on(replace(device, name=name), progress)
        recording.address = "" if address == name else address
        return recording

    def check_plant(self) -> None:
        """Raise `KdpError` unless what is played has the policy's signals."""
        recorded = self.scenario.recorded
        if recorded is None:
            check_installed()
        check_task(self.planner, self.scenario.plant if recorded is None else recorded.task)

    def observed(self, observer: Observer) -> Session:
        """The same, with somebody who watches."""
        return replace(self, observer=observer)

    def play_on(self, device: Device, progress: Progress = silent) -> Recording:
        """What an open device does; see `play_device`."""
        return play_device(device, self.scenario, self.planner, self.float_planner, progress, self.observer)

    def play_floating(self, progress: Progress = silent) -> Recording:
        """What the float policy does; see `play_float`."""
        return play_float(self.scenario, self.float_planner, progress, self.observer)

    def most_steps(self) -> int:
        """Control steps of a device at most."""
        return len(self.scenario.seeds) * self.scenario.max_steps

    def report_of(
        self, recordings: list[Recording], repeats: Sequence[Gate] = (), more_gates: MoreGates = no_more
    ) -> Report:
        """Judge what was played; `repeats` and `more_gates` belong to the device's verdict, too."""
        task = self.scenario.plant
        devices = {r.device: device_entry(r, task) for r in recordings}
        if self.scenario.timing.pace == DEVICE:  # where the host's clock says nothing
            devices = {name: without_host_time(one) for name, one in devices.items()}
        floating = devices.get("float")
        others = {name: devices[name] for name in self._rival_devices() if name in devices}
        own = {name: one for name, one in devices.items() if name not in others}
        for name, one in own.items():
            if isinstance(one, DeviceResult):
                devices[name] = own[name] = against_float(one, floating, task.point)
        expected = self._expectation(task, own)
        faults = reports.played_faults(self.scenario, recordings, self.planner.spec)
        standard = [*standard_gates(own), *standard_gates(others)]
        device = [*more_gates(devices), *standard, *repeats, *fault_gates(faults)]
        behaviour = behaviour_gates(own, expected)  # how well another policy does is for the reader to judge
        report = reports.build(
            self.scenario,
            self.planner,
            devices,
            device + behaviour,
            self.run,
            next((r.toolchain for r in recordings if r.toolchain), None),
            [device_verdict(device), behaviour_verdict(behaviour, expected)],
            faults,
        )
        if self.rival is not None:
            rival = f"{self.rival_name}: model {self.rival.planner.model_sha256()}"
            report = replace(report, provenance=replace(report.provenance, rival=rival))
        notes = other_simulator(self.simulator) if self.scenario.recorded is None else []
        notes += [note for one in recordings if (note := two_clocks(one))]
        return replace(report, interrupted=any(r.interrupted for r in recordings), notes=notes)

    def _expectation(self, task: Task, devices: Mapping[str, Played]) -> Expectation:
        """What the mean return must reach, or why none is asked for."""
        if not self.judge_return:
            return Expectation(None, "left out on request (--no-gate-return)", task.point)
        unfit = [one.host.unfit for one in devices.values() if isinstance(one, DeviceResult) and one.host]
        if any(unfit):
            return Expectation(None, next(why for why in unfit if why), task.point)
        if self.least_return is not None:
            return Expectation(self.least_return, "as given by --gate-return", task.point)
        if self.scenario.recorded is not None:
            return Expectation(None, "recorded observations were streamed: nothing acts back", task.point)
        if self.scenario.faults:
            return Expectation(None, "faults were played; a run without them judges it", task.point)
        if self.scenario.max_steps < task.max_episode_steps:
            cut = f"episodes were cut at {self.scenario.max_steps} of {task.max_episode_steps} steps"
            return Expectation(None, cut, task.point)
        if self.behaviour_score is None:
            nothing = "nothing says what the data's behaviour returns; give --gate-return"
            return Expectation(None, nothing, task.point)
        least = task.ref_min + self.behaviour_score * task.point
        return Expectation(least, "the mean of the behaviour in the data", task.point)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and isfinite(value) else None


def _scenario(task: Task) -> Scenario:
    return Scenario(task.name, (0,), task.max_episode_steps, own=task)
