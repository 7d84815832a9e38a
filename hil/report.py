# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The report of a closed-loop run: report.html, report.json, junit.xml, steps.csv, traces in one folder."""

from __future__ import annotations

import base64
import csv
import io
import os
import platform
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from kdp_edge import __version__
from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, write_json
from kdp_edge.base.folders import Purpose, written_folder
from kdp_edge.base.provenance import git_commit, versions
from kdp_edge.hil.evidence import FILES, Evidence
from kdp_edge.hil.faults import KINDS
from kdp_edge.hil.film import Film
from kdp_edge.hil.junit import junit
from kdp_edge.hil.plots import colour, draw_all
from kdp_edge.hil.reaction_check import judge
from kdp_edge.hil.rendering import template
from kdp_edge.hil.result import (
    SCHEMA,
    DeviceResult,
    Gate,
    Played,
    PlayedFault,
    Provenance,
    Report,
    Verdict,
)  # fmt: skip
from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.table import sections
from kdp_edge.hil.trace.failures import write_traces
from kdp_edge.hil.verdicts import may_i
from kdp_edge.hil.worst_case import worst_case
from kdp_edge.quantization.plan import IntegerPlanner, PlanSpec
from kdp_edge.run import Run

FILE = "report.json"
_PACKAGES = ("numpy", "mujoco", "gymnasium", "pyserial")


def _written(folder: Path) -> set[str] | None:
    """The files of a report folder, None if it is none."""
    try:
        value = read_json(folder / FILE)
    except KdpError:
        return None
    ours = isinstance(value, dict) and {"schema", "devices", "gates"} <= set(value)
    traces = {path.name for path in folder.glob("failed-*.jsonl")}
    return {FILE, "report.html", "junit.xml", "steps.csv", *FILES, *traces} if ours else None


REPORT = Purpose("closed-loop report", _written)


def build(
    scenario: Scenario,
    planner: IntegerPlanner,
    devices: dict[str, Played | DeviceResult],
    gates: list[Gate],
    run: Run | None,
    toolchain: str | None = None,
    verdicts: list[Verdict] | None = None,
    faults: list[PlayedFault] | None = None,
) -> Report:
    """The report of what `devices` did."""
    spec = planner.spec
    return Report(
        task=scenario.task,
        seeds=list(scenario.seeds),
        max_steps=scenario.max_steps,
        k=spec.k,
        horizon=spec.horizon,
        chunk=spec.chunk,
        rate_hz=spec.rate_hz,
        deadline_ms=spec.deadline_us / 1000,
        passed=all(gate.passed is not False for gate in gates),
        gates=gates,
        devices=devices,
        faults=faults or [],
        provenance=_provenance(planner, run, toolchain),
        verdicts=verdicts or [],
        mode=scenario.timing.pace,
        actions=[f"{name} ({unit})" for name, unit in zip(spec.act_names, spec.act_units, strict=True)],
        ahead=spec.ahead,
    )


def played_faults(scenario: Scenario, recordings: Sequence[Recording], spec: PlanSpec) -> list[PlayedFault]:
    """Each fault of a scenario: how often each device met it, and what was seen of what must follow."""
    behind_links = [one for one in recordings if one.hello is not None]
    return [
        PlayedFault(
            fault.name,
            str(fault),
            fault.place,
            KINDS[fault.name].meaning,
            KINDS[fault.name].expected,
            {one.device: one.injected.get(fault.name, 0) for one in behind_links},
            {one.device: judge(fault, scenario, one, spec) for one in behind_links},
        )
        for fault in scenario.faults
    ]


def write(
    folder: Path, report: Report, recordings: list[Recording], evidence: Evidence | None = None
) -> None:
    """Write the four files, and those of `evidence`, into `folder`, which appears whole or not at all."""
    plots = draw_all(recordings, report)
    with written_folder(folder, REPORT) as temporary:
        write_json(temporary / FILE, report.to_json())
        (temporary / "junit.xml").write_bytes(junit(report))
        (temporary / "steps.csv").write_text(steps_csv(recordings), encoding="utf-8")
        write_traces(temporary, report, recordings)
        if evidence is not None:
            evidence.write(temporary, report, recordings)
        film = evidence.film if evidence is not None and evidence.film and evidence.film.video else None
        beside = {path.name for path in temporary.iterdir()}
        (temporary / "report.html").write_text(html(report, plots, film, beside), encoding="utf-8")


def read(folder: Path) -> Report:
    """The report in a folder (or of the report.json itself).

    Raises:
        KdpError: not a report, or one of another version.
    """
    path = Path(folder)
    file = path / FILE if path.is_dir() else path
    value = read_json(file)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA or "devices" not in value:
        found = value.get("schema") if isinstance(value, dict) else type(value).__name__
        raise KdpError(f"{file}: not a report of kdp-edge hil (schema {found}, expected {SCHEMA})")
    try:
        return Report.from_json(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise KdpError(
            f"{file}: a report of another version of kdp-edge hil ({error}); play it again"
        ) from None


def newest(folder: Path) -> Path:
    """The report folder in `folder` that was played last, by the report's own time."""
    found = sorted(folder.glob(f"*/{FILE}"), key=lambda file: (_played(file), file.parent.name))
    if not found:
        raise KdpError(f"no report in {folder}; make one: kdp-edge hil --device reference")
    return found[-1].parent


def _played(file: Path) -> float:
    try:
        return datetime.fromisoformat(read_json(file)["provenance"]["time"]).timestamp()
    except (KdpError, KeyError, TypeError, ValueError):
        return 0.0  # damaged: others come before it


def html(
    report: Report, plots: dict[str, str], film: Film | None = None, beside: Collection[str] = ()
) -> str:
    """The page: one file, no script, nothing to load; `beside` are the names of files in its folder."""
    colours = {name: colour(i) for i, name in enumerate(report.devices)}
    provenance = asdict(report.provenance)
    return template("report.html").render(
        report=report,
        sections=sections(report),
        plots=plots,
        colours=colours,
        provenance=provenance,
        film=film and {"video": _data_uri(film.video), "poster": _data_uri(film.poster)},
        beside=beside,
        answer=may_i(report) if report.verdicts else "",
        worst_cases={name: worst_case(entry) for name, entry in report.answering.items()},
    )


def _data_uri(webp: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"


_COLUMNS = (
    "device", "seed", "step", "reward", "state", "flags", "candidate", "age", "digest", "ticks", "rtt_ms",
    "matched", "fault", "action_gap", "same_candidate_gap",
)  # fmt: skip


def steps_csv(recordings: list[Recording]) -> str:
    """One row per control step of every device."""
    text = io.StringIO()
    width = max((len(s.action) for r in recordings for s in r.steps[:1]), default=0)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(f"action_{i}" for i in range(width))])
    for recording in recordings:
        for s in recording.steps:
            trip = None if s.rtt is None else f"{1e3 * s.rtt:.4f}"
            answered = (
                s.state,
                s.flags,
                s.candidate,
                s.age,
                s.digest,
                s.ticks,
                trip,
                int(s.matched),
                s.fault,
            )
            writer.writerow(
                [
                    recording.device,
                    s.seed,
                    s.step,
                    repr(s.reward),
                    *answered,
                    s.action_gap,
                    s.same_candidate_gap,
                ]
                + [repr(v) for v in s.action]
            )
    return text.getvalue()


def _provenance(planner: IntegerPlanner, run: Run | None, toolchain: str | None) -> Provenance:
    return Provenance(
        time=_now().isoformat(timespec="seconds"),
        git=git_commit(),
        run=run.path.name if run else None,
        model_sha256=planner.model_sha256(),
        data_sha256=run.provenance.get("data", {}).get("sha256") if run else None,
        packages={"kdp-edge": __version__, "python": platform.python_version(), **versions(_PACKAGES)},
        toolchain=toolchain,
        host=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def _now() -> datetime:
    """The time of the report; SOURCE_DATE_EPOCH (reproducible-builds.org) makes reports alike to the byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else datetime.now().astimezone()
