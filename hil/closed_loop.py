# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The closed loop as a function of the library: what to play is told, checked, played and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.base.folders import check_writable
from kdp_edge.exporters.bundle import Bundle, opened
from kdp_edge.exporters.targets import model_card
from kdp_edge.hil import report as reports
from kdp_edge.hil.boards_file import read_boards
from kdp_edge.hil.curves.sweep import Subject
from kdp_edge.hil.devices import NONE_GIVEN, check_all, runs_by_itself
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.environment import check_task
from kdp_edge.hil.evidence import Evidence
from kdp_edge.hil.faults import parse
from kdp_edge.hil.film import make_film
from kdp_edge.hil.fleet import play_fleet
from kdp_edge.hil.pace.timing import USUAL, Timing
from kdp_edge.hil.replay import Recorded
from kdp_edge.hil.result import Report
from kdp_edge.hil.session import ProgressBar, Session, no_bar
from kdp_edge.hil.status import Observer, Show, unobserved, unseen
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.run import Run


def closed_loop(
    source: Run | Bundle | Path | str,
    devices: Sequence[str] = ("reference",),
    *,
    episodes: int = 3,
    seed: int = 0,
    max_steps: int | None = None,
    faults: Sequence[str] = (),
    least_return: float | None = None,
    judge_return: bool = True,
    repeat: bool = False,
    with_float: bool = True,
    recorded: Recorded | None = None,
    timing: Timing = USUAL,
    out: Path | None = None,
    progress_bar: ProgressBar = no_bar,
    credentials: Credentials = NONE_GIVEN,
    boards: Path | None = None,
    observer: Observer = unobserved,
    show: Show = unseen,
    video: bool = False,
    rival: Run | Path | str | None = None,
) -> Report:
    """Play a task in MuJoCo with the planner on each device and hold every reply against its prediction.

    Args:
        source: a run, which is quantized if it is not yet, or a bundle; or the folder of either.
        devices: reference, native, qemu:BOARD, serial:PORT[@BAUD], agent:HOST:PORT or
            agent:/PATH/OF/SOCKET, each once.
        episodes: per device; their seeds count up from `seed`.
        max_steps: of an episode; without it the task's own limit.
        faults: to play, NAME[=VALUE][@FROM:TO] each.
        least_return: what each device's mean return must reach; without it the mean of the behaviour in
            the data.
        judge_return: whether the return is judged at all.
        repeat: play each device twice; returns and emulated times must repeat exactly.
        with_float: play the float policy on the same seeds as well.
        recorded: stream these episodes instead of playing the task; their actions are compared with.
        timing: the pace, and what link and emulated clock are taken for.
        out: folder for report.html, report.json, junit.xml, steps.csv, trace.json and run.mcap with a layout
            for Foxglove; without it nothing is written.
        credentials: for agents over TCP.
        boards: a boards file, whose devices are played at the same time in place of `devices`.
        observer: is handed each device's recording before its first step; see `hil/status.py`.
        show: is handed the status of each device of a boards file about four times a second.
        video: draw the last device and the float policy side by side into `out`, when all is played.
        rival: another run that is played on the same devices and episodes, for example an imported policy;
            its replies are judged, its returns shown.

    Returns:
        the report; `passed` says that no gate failed, `verdicts` whether device and behaviour were judged.
        A link that is lost does not raise: `Report.lost`.

    Raises:
        KdpError: bad input (2), or a device is missing or serves another policy (3).
    """
    if episodes < 1 or not devices:
        raise KdpError(f"{episodes} episodes on {len(devices)} devices; expected at least one of each")
    check_all(devices)
    timing.check()
    if timing.clock_hz is not None and not any(name.startswith("qemu:") for name in devices):
        raise KdpError("--clock-hz is of an emulated core; there is none: give --device qemu:BOARD")
    check_all([timing.address(name) for name in devices])
    if out is not None:
        check_writable(Path(out), reports.REPORT)
    parsed = tuple(parse(text) for text in faults)
    policy = opened(source)
    session = Session.of(policy, tuple(devices))
    scenario = replace(
        session.scenario,
        seeds=tuple(range(seed, seed + episodes)),
        max_steps=max_steps or (recorded.longest if recorded is not None else session.scenario.max_steps),
        faults=parsed,
        recorded=recorded,
        timing=timing,
    )
    session = replace(
        session,
        scenario=scenario,
        repeat=repeat,
        with_float=with_float,
        least_return=least_return,
        judge_return=judge_return,
        credentials=credentials,
        observer=observer,
    )
    if rival is not None:
        session = _with_rival(session, rival if isinstance(rival, Run) else Run.load(Path(rival)), boards)
    if boards is None:
        report, recordings = session.play(progress_bar)
    else:
        session.check_plant()
        report, recordings = play_fleet(session, read_boards(Path(boards), session.planner), show)
    film = (
        make_film(session.scenario.plant, recordings, report.rate_hz) if video and out is not None else None
    )
    if film is not None:
        report = replace(report, video=film.says)
    if out is not None:
        card = model_card(policy, session.planner)
        reports.write(Path(out), report, recordings, Evidence(session.planner.spec, card, film))
    return report


def _with_rival(session: Session, run: Run, boards: Path | None) -> Session:
    """The session with another policy beside its own."""
    name = Path(run.provenance.get("imported", {}).get("file", run.path.name)).stem
    fixed = [device for device in session.devices if runs_by_itself(device)]
    if fixed or boards is not None or session.scenario.faults:
        why = f"{fixed[0]} runs one policy" if fixed else "it plays without --boards and --fault"
        raise KdpError(f"--rival {run.path}: {why}; play each alone, then: kdp-edge report FIRST SECOND")
    other = replace(
        Session.of_run(run, session.devices),
        scenario=session.scenario,
        credentials=session.credentials,
        observer=session.observer,
    )
    other.check_plant()
    return replace(session, rival=other, rival_name=name)


def subject_of(
    source: Run | Bundle,
    devices: tuple[str, ...],
    seeds: range,
    max_steps: int | None,
    device_episodes: int,
    link_us: float,
    credentials: Credentials,
) -> Subject:
    """What `curves.sweep` plays: the policy of a run or a bundle, on its own task."""
    session = Session.of(source, devices)
    usual = session.scenario
    check_task(session.planner, usual.plant)
    scenario = replace(usual, seeds=tuple(seeds), max_steps=max_steps or usual.max_steps)

    def floating(planner: IntegerPlanner) -> FloatPlanner:
        same = planner is session.planner
        return session.float_planner if same else FloatPlanner.from_integer(planner)

    return Subject(scenario, session.planner, floating, devices, device_episodes, link_us, credentials)
