# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Rows of the suite as Markdown tables in docs/benchmarks.md, between markers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdp_edge.base.files import write_text
from kdp_edge.base.statistics import span

RIVAL = "diffusion-20"  # what KDP replaces

# "Amortizing Trajectory Diffusion with Keyed Drift Fields" (arXiv 2603.14056), on D4RL's own data.
METHOD_PUBLISHED = {
    "halfcheetah-medium": 62.1,
    "hopper-medium": 90.3,
    "walker2d-medium": 87.2,
    "halfcheetah-medium-expert": 92.5,
    "hopper-medium-expert": 103.6,
    "walker2d-medium-expert": 108.5,
    "relocate-cloned": 62.8,
    "maze2d-umaze": 122.3,
}

INTRODUCTION = """# Benchmarks of the planners

The method is reproduced from its paper's abstract. Rows marked *local twin* were measured on data that
`kdp-edge data make` rolls from this project's own behaviour policies: their scores use D4RL's reference
returns, but they are **not** D4RL results. The column *paper, on D4RL* repeats what the paper reports for
D4RL's own data: another data set, for orientation only.

Scores are D4RL-normalised: mean and 95 % interval over all episodes of all seeds. *KDP less 20 steps* is the
difference episode by episode: both planners begin from the same state. Times are for planning
one state, all planners interleaved in one process on one core. Repeat one task with
`kdp-edge bench task NAME --seeds 1`, everything with `kdp-edge bench suite`.
"""


def render(rows: list[dict[str, Any]]) -> str:
    """The tables of one result file: scores and times, then provenance."""
    parts = [_scores(rows), _times(rows), _provenance(rows)]
    return "\n\n".join(parts) + "\n"


def write_docs(path: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Put the tables of suite `name` into the page, in place of that suite's earlier ones."""
    put_section(path, INTRODUCTION, f"suite {name}", f"## {name}\n\n{render(rows)}")


def put_section(path: Path, introduction: str, name: str, text: str) -> None:
    """Write a marked section of a page, in place of its earlier text; a new page gets `introduction`."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    page = path.read_text(encoding="utf-8") if path.is_file() else introduction
    section = f"{begin}\n\n{text}\n{end}"
    if begin in page and end in page:
        before, _, rest = page.partition(begin)
        page = before + section + rest.partition(end)[2]
    else:
        page = page.rstrip() + "\n\n" + section + "\n"
    write_text(path, page)


def _scores(rows: list[dict[str, Any]]) -> str:
    planners = _planners(rows)
    compared = any(row.get("kdp_ahead") is not None for row in rows if row["planner"] == RIVAL)
    extra = ["KDP less 20 steps"] if compared else []
    lines = [["task", "data", "behaviour", *planners, *extra, "spread (KDP)", "paper, on D4RL"]]
    for task, by_planner in _by_task(rows).items():
        first = next(iter(by_planner.values()))
        cells = [_score(by_planner.get(name)) for name in planners]
        if compared:
            cells.append(_difference(by_planner.get(RIVAL)))
        spread = by_planner.get("kdp", {}).get("spread_ratio")
        paper = METHOD_PUBLISHED.get(task)
        lines.append(
            [task, first.get("data", "local twin"), _number(first["behaviour_score"]), *cells,
             _number(spread, 2), _number(paper)]
        )  # fmt: skip
    return _table(lines)


def _score(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    return f"{row['score_mean']:.1f} ({span(row['score_ci95'])})"


def _difference(row: dict[str, Any] | None) -> str:
    if row is None or row.get("kdp_ahead") is None:
        return "-"
    return f"{row['kdp_ahead']:+.1f} ({span(row['kdp_ahead_ci95'], '+.1f')})"


def _times(rows: list[dict[str, Any]]) -> str:
    planners = [name for name in _planners(rows) if any(r["latency_ms_p50"] for r in rows)]
    if not planners:
        return "No planning times measured."
    lines = [["planning time, p50 / p99 ms", *planners, "20 steps / KDP"]]
    for task, by_planner in _by_task(rows).items():
        cells = [_time(by_planner.get(name)) for name in planners]
        lines.append([task, *cells, _ratio(by_planner)])
    return _table(lines)


def _time(row: dict[str, Any] | None) -> str:
    if row is None or row["latency_ms_p50"] is None:
        return "-"
    return f"{row['latency_ms_p50']:.3f} / {row['latency_ms_p99']:.3f}"


def _ratio(by_planner: dict[str, dict[str, Any]]) -> str:
    rival, own = (by_planner.get(name, {}).get("latency_ms_p50") for name in (RIVAL, "kdp"))
    return f"{rival / own:.1f}" if rival and own else "-"


def _provenance(rows: list[dict[str, Any]]) -> str:
    lines = [["task", "seeds", "episodes", "K", "wall time, all seeds (s)", "data sha256", "commit"]]
    for task, by_planner in _by_task(rows).items():
        row = by_planner.get("kdp") or next(iter(by_planner.values()))
        lines.append(
            [task, " ".join(map(str, row["seeds"])), str(row["episodes"]), str(row["k"]),
             f"{row['wall_s']:.0f}", row["data_sha256"][:12], row["git"]]
        )  # fmt: skip
    return _table(lines)


def _planners(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["planner"] for row in rows))


def _by_task(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["task"], {})[row["planner"]] = row
    return found


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _table(lines: list[list[str]]) -> str:
    head, *rest = ["| " + " | ".join(line) + " |" for line in lines]
    rule = "| " + " | ".join("---" if i == 0 else "---:" for i in range(len(lines[0]))) + " |"
    return "\n".join([head, rule, *rest])
