# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A sweep as a table and as a page in the style of a report."""

from __future__ import annotations

from kdp_edge.base.statistics import span
from kdp_edge.hil.curves.axis import UNITS
from kdp_edge.hil.curves.sweep import Row, Sweep
from kdp_edge.hil.rendering import template


def columns(sweep: Sweep) -> tuple[str, ...]:
    """Headings of its table."""
    return (sweep.axis, "by", "return", "95 %", "early ends", "misses", "latched", "ms", "of period")


def cells(row: Row) -> list[str]:
    """A row of its table."""
    return [
        f"{row.value:g}",
        row.by,
        f"{row.return_mean:,.1f}",
        "-" if row.return_ci95 is None else span(row.return_ci95, ",.1f"),
        f"{row.ended_early}/{len(row.returns)}",
        f"{row.deadline_misses}/{row.plans}",
        f"{row.latched}/{len(row.returns)}",
        "-" if row.plan_ms is None else f"{row.plan_ms:.2f}",
        "-" if row.period_share is None else f"{100 * row.period_share:.0f} %",
    ]


def html(sweep: Sweep, curve: str) -> str:
    """The page: one file, no script, nothing to load; `curve` is SVG."""
    rows = [cells(row) for row in sweep.rows]
    content = {
        "sweep": sweep,
        "unit": UNITS[sweep.axis],
        "curve": curve,
        "columns": columns(sweep),
        "rows": rows,
    }
    return template("sweep.html").render(content)
