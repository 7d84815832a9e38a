# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A sweep on disk: sweep.json, its curve as SVG and a page with both, in one folder."""

from __future__ import annotations

from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, write_json
from kdp_edge.base.folders import Purpose, written_folder
from kdp_edge.hil.curves.axis import LATENCY, UNITS, K
from kdp_edge.hil.curves.page import html
from kdp_edge.hil.curves.sweep import Sweep
from kdp_edge.hil.plots import Curve, draw_curves

FILE, CURVE, PAGE = "sweep.json", "curve.svg", "sweep.html"


def _written(folder: Path) -> set[str] | None:
    """The files of a sweep's folder, None if it is none."""
    try:
        value = read_json(folder / FILE)
    except KdpError:
        return None
    return (
        {FILE, CURVE, PAGE} if isinstance(value, dict) and {"schema", "axis", "rows"} <= set(value) else None
    )


SWEEP = Purpose("sweep", _written)


def write(folder: Path, sweep: Sweep) -> None:
    """Write the three files into `folder`, which appears whole or not at all."""
    with written_folder(folder, SWEEP) as temporary:
        write_json(temporary / FILE, sweep.to_json())
        curve = drawn(sweep)
        (temporary / CURVE).write_text(curve, encoding="utf-8")
        (temporary / PAGE).write_text(html(sweep, curve), encoding="utf-8")


def drawn(sweep: Sweep) -> str:
    """Return against the axis with its intervals and, where a device keeps time, misses and its share."""
    names = dict.fromkeys(row.by for row in sweep.rows)
    rows = {name: [row for row in sweep.rows if row.by == name] for name in names}
    returns = [
        Curve(name, [r.value for r in own], [r.return_mean for r in own], [r.return_ci95 for r in own])
        for name, own in rows.items()
    ]
    panels = [("mean return", returns)]
    ends = [
        Curve(n, [r.value for r in own], [r.ended_early / len(r.returns) for r in own])
        for n, own in rows.items()
    ]
    if any(row.ended_early for row in sweep.rows):
        panels.append(("share of episodes\nthat end early", ends))
    timed = {n: own for n, own in rows.items() if any(r.plan_ms for r in own) and sweep.axis != LATENCY}
    if timed:
        shares = [
            Curve(n, [r.value for r in own], [100 * (r.period_share or 0) for r in own])
            for n, own in timed.items()
        ]
        lost = [
            Curve(n, [r.value for r in own], [100 * r.deadline_misses / max(r.plans, 1) for r in own])
            for n, own in timed.items()
        ]
        panels += [("slowest plan,\n% of the period", shares), ("plans that miss\ntheir deadline, %", lost)]
    return draw_curves(UNITS[sweep.axis], panels, whole=sweep.axis == K)
