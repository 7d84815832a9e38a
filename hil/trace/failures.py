# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The traces that a run leaves: one for each device that is not as predicted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kdp_edge import __version__
from kdp_edge.hil.result import DEVICE, Report
from kdp_edge.hil.scenario import Recording
from kdp_edge.hil.trace.file import Head, Trace, events_of, write


def write_traces(folder: Path, report: Report, recordings: Sequence[Recording]) -> None:
    """Write `failed-DEVICE.jsonl` into `folder` for each device of which a gate failed, behaviour apart."""
    judged = {name for verdict in report.verdicts if verdict.name == DEVICE for name in verdict.gates}
    failed = [gate.name for gate in report.failed if gate.name in judged]
    for one in recordings:
        gates = [name for name in failed if name.partition(" ")[2] == one.device]
        if not gates or not one.notes or one.interrupted:
            continue
        head = Head(
            device=one.address or one.device,
            task=report.task,
            model_sha256=report.provenance.model_sha256,
            run=report.provenance.run,
            seeds=report.seeds,
            max_steps=report.max_steps,
            faults=[fault.fault for fault in report.faults],
            failed=gates,
            version=__version__,
            git=report.provenance.git,
            toolchain=one.toolchain,
        )
        name = re.sub(r"[^\w.@-]+", "-", one.device)
        write(folder / f"failed-{name}.jsonl", Trace(head, events_of(one.notes)))
