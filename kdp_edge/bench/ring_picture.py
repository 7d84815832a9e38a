# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Plans at a fork as a picture: a dot is the mean force of one plan, red where it takes neither way.

SVG of a few lines, the same bytes whenever it is made of the same result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SIDE, GAP, TITLE, COLUMNS = 150, 14, 22, 4  # pixels of a panel, and panels in a row
WAY, BETWEEN, LINE = "#1d7a55", "#c2401a", "#96a0aa"


def svg(panels: Sequence[Mapping[str, Any]], clear: float) -> str:
    """One panel per planner.

    Args:
        panels: `what` made plans, and their `forces` [down, to the right], each from -1 to 1.
        clear: force to a side from which on a plan takes that way.
    """
    rows = -(-len(panels) // COLUMNS)
    width, height = COLUMNS * (SIDE + GAP) + GAP, rows * (SIDE + TITLE + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        x = GAP + number % COLUMNS * (SIDE + GAP)
        y = GAP + number // COLUMNS * (SIDE + TITLE + GAP)
        parts += _panel(panel["what"], panel["forces"], clear, x, y)
    return "\n".join([*parts, "</svg>", ""])


def _panel(name: str, forces: Sequence[Sequence[float]], clear: float, x: int, y: int) -> list[str]:
    half, top = SIDE / 2, y + TITLE
    parts = [
        f'<text x="{x}" y="{y + 14}">{name}</text>',
        f'<rect x="{x}" y="{top}" width="{SIDE}" height="{SIDE}" fill="none" stroke="{LINE}"/>',
    ]
    for border in (-clear, clear):
        at = f"{x + half * (1 + border):.1f}"
        dashes = f'stroke="{LINE}" stroke-dasharray="3"'
        parts.append(f'<line x1="{at}" y1="{top}" x2="{at}" y2="{top + SIDE}" {dashes}/>')
    for down, side in forces:
        colour = BETWEEN if abs(side) < clear else WAY
        where = f'cx="{x + half * (1 + side):.1f}" cy="{top + half * (1 + down):.1f}"'
        parts.append(f'<circle {where} r="2.5" fill="{colour}" fill-opacity="0.6"/>')
    return parts
