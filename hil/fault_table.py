# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The table of faults: on the terminal, as JSON and in docs/closed-loop.md."""

from __future__ import annotations

from typing import Any

from kdp_edge.hil.faults import KINDS, Kind


def rows() -> list[dict[str, Any]]:
    """One row a fault: name, where it acts, its value, what happens, what must follow and when."""
    return [
        {
            "name": name,
            "place": kind.place,
            "default": kind.default,
            "least": kind.least,
            "largest": kind.largest,
            "steps": _steps(kind),
            "meaning": kind.meaning,
            "reactions": [{"says": one.says, "limit": one.limit} for one in kind.reactions],
        }
        for name, kind in KINDS.items()
    ]


def _steps(kind: Kind) -> str:
    return "needed" if kind.needs_steps else "allowed" if kind.spans else "none"


def markdown() -> str:
    """The table in docs/closed-loop.md; faults with the same reactions follow each other."""
    lines = ["| fault | of | value | what happens | what must follow |", "|---|---|---|---|---|"]
    for row in rows():
        kind = KINDS[row["name"]]
        steps = "@STEP" if kind.needs_steps else ""
        value = f"{kind.default:g}" if kind.largest != kind.default else "-"
        lines.append(
            f"| `{row['name']}{steps}` | {kind.place} | {value} | {kind.meaning} | {kind.expected} |"
        )
    return "\n".join(lines) + "\n"
