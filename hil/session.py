"""One closed-loop run over several devices: play, judge, write the report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdp_edge.exporters.bundle import load_bundle
from kdp_edge.hil import report as reports
from kdp_edge.hil.devices import open_device, prepare
from kdp_edge.hil.environment import check_task
from kdp_edge.hil.gates import Gate, fault_gates, repeat_gates, standard_gates
from kdp_edge.hil.loop import play_device, play_float
from kdp_edge.hil.scenario import Progress, Recording, Scenario
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import load_planner
from kdp_edge.run import Run
from kdp_edge.tasks import get_task

ProgressBar = Callable[[str, int], AbstractContextManager[Progress]]


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

    @classmethod
    def of_run(cls, run: Run, devices: tuple[str, ...]) -> Session:
        """The quantized policy of a run against the run's own float weights."""
        planner = load_planner(run.path)
        return cls(_scenario(planner), devices, planner, FloatPlanner.from_run(run, planner.spec), run)

    @classmethod
    def of_bundle(cls, bundle: Path, devices: tuple[str, ...]) -> Session:
        """The policy of a verified bundle; its float side is the integers de-quantised."""
        planner = load_bundle(bundle).planner()
        return cls(_scenario(planner), devices, planner, FloatPlanner.from_integer(planner))

    def play(self, progress_bar: ProgressBar) -> tuple[dict[str, Any], list[Recording]]:
        """Play everything; returns (report.json as a value, recordings).

        Raises:
            KdpError: a device is missing or serves another policy. A link that is lost later does
                not raise: the device's entry says where (`lost`), and a gate fails.
        """
        check_task(self.planner, get_task(self.scenario.task))
        for name in self.devices:
            prepare(name, self.planner)
        recordings, repeats = [], []
        for name in self.devices:
            recordings.append(self._play(name, progress_bar, name))
            if self.repeat and recordings[-1].lost is None:
                again = self._play(name, progress_bar, f"{name}, again")
                repeats += repeat_gates(recordings[-1], again)
        if self.with_float:
            with progress_bar("float", self._most_steps()) as progress:
                recordings.insert(0, play_float(self.scenario, self.float_planner, progress))
        return self._report(recordings, repeats), recordings

    def _play(self, name: str, progress_bar: ProgressBar, label: str) -> Recording:
        with open_device(name, self.planner) as device, progress_bar(label, self._most_steps()) as progress:
            return play_device(device, self.scenario, self.planner, self.float_planner, progress)

    def _most_steps(self) -> int:
        return len(self.scenario.seeds) * self.scenario.max_steps

    def _report(self, recordings: list[Recording], repeats: list[Gate]) -> dict[str, Any]:
        devices = reports.entries(recordings, self.scenario)
        gates = standard_gates(devices, self.least_return) + repeats
        gates += fault_gates(self.scenario, devices)
        toolchain = next((r.toolchain for r in recordings if r.toolchain), None)
        return reports.build(self.scenario, self.planner, devices, gates, self.run, toolchain)


def _scenario(planner: IntegerPlanner) -> Scenario:
    task = get_task(planner.spec.task)
    return Scenario(task.name, (0,), task.max_episode_steps)


def lost_link(report: dict[str, Any]) -> str | None:
    """Why a device of the report was lost, if one was."""
    return next((e["lost"] for e in report["devices"].values() if e.get("lost")), None)


def report_folder(base: Path, task: str, stamp: str) -> Path:
    """A new folder for a report in `base`."""
    folder, number = base / f"{stamp}-{task}", 1
    while folder.exists():
        number += 1
        folder = base / f"{stamp}-{task}-{number}"
    return folder
