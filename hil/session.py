"""One closed-loop run over several devices: play, judge, write the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import Progress, silent
from kdp_edge.exporters.bundle import Bundle, opened
from kdp_edge.hil import report as reports
from kdp_edge.hil.devices import check_all, open_device, prepare
from kdp_edge.hil.environment import check_task
from kdp_edge.hil.faults import parse
from kdp_edge.hil.gates import fault_gates, repeat_gates, standard_gates
from kdp_edge.hil.loop import play_device, play_float
from kdp_edge.hil.result import Gate, Report
from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.summary import device_entry
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import planner_of
from kdp_edge.run import Run
from kdp_edge.tasks import get_task

ProgressBar = Callable[[str, int], AbstractContextManager[Progress]]


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

    @classmethod
    def of_run(cls, run: Run, devices: tuple[str, ...]) -> Session:
        """The quantized policy of a run against the run's own float weights."""
        planner = planner_of(run)
        return cls(_scenario(planner), devices, planner, FloatPlanner.from_run(run, planner.spec), run)

    @classmethod
    def of_bundle(cls, bundle: Bundle, devices: tuple[str, ...]) -> Session:
        """The policy of a verified bundle; its float side is the integers de-quantised."""
        planner = bundle.planner()
        return cls(_scenario(planner), devices, planner, FloatPlanner.from_integer(planner))

    def play(self, progress_bar: ProgressBar = no_bar) -> tuple[Report, list[Recording]]:
        """Play everything; returns the report and what every device did.

        Raises:
            KdpError: a device is missing or serves another policy. A link that is lost later does
                not raise: the device's result says where (`lost`), and a gate fails.
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

    def _report(self, recordings: list[Recording], repeats: list[Gate]) -> Report:
        devices = {r.device: device_entry(r, get_task(self.scenario.task)) for r in recordings}
        gates = standard_gates(devices, self.least_return) + repeats
        gates += fault_gates(self.scenario, devices)
        toolchain = next((r.toolchain for r in recordings if r.toolchain), None)
        return reports.build(self.scenario, self.planner, devices, gates, self.run, toolchain)


def _scenario(planner: IntegerPlanner) -> Scenario:
    task = get_task(planner.spec.task)
    return Scenario(task.name, (0,), task.max_episode_steps)


def closed_loop(
    source: Run | Bundle | Path | str,
    devices: Sequence[str] = ("reference",),
    *,
    episodes: int = 3,
    seed: int = 0,
    max_steps: int | None = None,
    faults: Sequence[str] = (),
    least_return: float | None = None,
    repeat: bool = False,
    with_float: bool = True,
    out: Path | None = None,
    progress_bar: ProgressBar = no_bar,
) -> Report:
    """Play a task in MuJoCo with the planner on each device and hold every reply against its prediction.

    Args:
        source: a run, which is quantized if it is not yet, or a bundle; or the folder of either.
        devices: reference, native, qemu:BOARD, serial:PORT[@BAUD] or agent:HOST:PORT, each once.
        episodes: per device; their seeds count up from `seed`.
        max_steps: of an episode; without it the task's own limit.
        faults: to play, NAME[=VALUE][@FROM:TO] each.
        least_return: a gate on each device's mean return.
        repeat: play each device twice; returns and emulated times must repeat exactly.
        with_float: play the float policy on the same seeds as well.
        out: folder for report.html, report.json, junit.xml and steps.csv; without it nothing is written.

    Returns:
        the report; `passed` says whether all gates did. A link that is lost does not raise: `Report.lost`.

    Raises:
        KdpError: bad input (2), or a device is missing or serves another policy (3).
    """
    if episodes < 1 or not devices:
        raise KdpError(f"{episodes} episodes on {len(devices)} devices; expected at least one of each")
    check_all(devices)
    parsed = tuple(parse(text) for text in faults)
    session = _session_of(opened(source), tuple(devices))
    scenario = replace(
        session.scenario,
        seeds=tuple(range(seed, seed + episodes)),
        max_steps=max_steps or session.scenario.max_steps,
        faults=parsed,
    )
    session = replace(
        session, scenario=scenario, repeat=repeat, with_float=with_float, least_return=least_return
    )
    report, recordings = session.play(progress_bar)
    if out is not None:
        reports.write(Path(out), report, recordings)
    return report


def _session_of(source: Run | Bundle, devices: tuple[str, ...]) -> Session:
    return Session.of_run(source, devices) if isinstance(source, Run) else Session.of_bundle(source, devices)


def report_folder(base: Path, task: str, stamp: str) -> Path:
    """A new folder for a report in `base`."""
    folder, number = base / f"{stamp}-{task}", 1
    while folder.exists():
        number += 1
        folder = base / f"{stamp}-{task}-{number}"
    return folder
