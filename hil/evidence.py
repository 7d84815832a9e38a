# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What lies beside a report for whoever looks closer: run.mcap with a layout, trace.json, the video."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from kdp_edge.base.files import write_json
from kdp_edge.hil import foxglove_layout, trace_events, trace_mcap
from kdp_edge.hil.film import Film
from kdp_edge.hil.result import Report
from kdp_edge.hil.scenario import Recording
from kdp_edge.quantization.plan import PlanSpec

VIDEO = "video.webp"
FILES = {trace_mcap.FILE, foxglove_layout.FILE, trace_events.FILE, VIDEO}


@dataclass(frozen=True)
class Evidence:
    """What is written besides the report itself, from what the run left in memory."""

    spec: PlanSpec
    card: str = ""  # the model card; empty: none is attached
    film: Film | None = None

    def write(self, folder: Path, report: Report, recordings: Sequence[Recording]) -> None:
        """Write the files into `folder`; run.mcap and its layout only where the library mcap is installed."""
        events = trace_events.trace_events(recordings, self.spec)
        text = json.dumps(events, separators=(",", ":"), allow_nan=False)
        (folder / trace_events.FILE).write_text(text, encoding="utf-8")
        if find_spec("mcap") is not None:
            times = trace_mcap.Timeline(report.seeds, report.max_steps, report.rate_hz)
            trace_mcap.write_mcap(folder / trace_mcap.FILE, recordings, self.spec, times, self.card)
            write_json(folder / foxglove_layout.FILE, foxglove_layout.layout(recordings, self.spec))
        if self.film is not None and self.film.video:
            (folder / VIDEO).write_bytes(self.film.video)
