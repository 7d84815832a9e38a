# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""foreign.json as the table of docs/benchmarks.md: python benchmarks/foreign/table.py"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HEAD = (
    "plant", "behaviour", "best policy in the data", "float", "int8", "native device", "emulated F405",
    "seeds", "replies, wrong ones",
)  # fmt: skip
BOARD = "qemu:stm32f405"


def played(found: Mapping[str, Any]) -> str:
    """A mean return, its interval over episodes and the success rate, as far as they are known."""
    text = f"{found['return_mean']:,.5g}"
    if found.get("return_ci95"):
        low, high = found["return_ci95"]
        text += f" ({low:,.5g} to {high:,.5g})"
    if found.get("success_rate") is not None:
        text += f", {found['success_rate']:.0%}"
    return text


def line(row: Mapping[str, Any]) -> list[str]:
    devices = [row["int8"], row["native"], row[BOARD]]
    seeds = f"{', '.join(map(str, row['seeds']))}{' (short)' if row['settings'] else ''}"
    return [
        row["plant"],
        *(played(row[name]) for name in ("behaviour", "best_in_data", "float", "int8", "native", BOARD)),
        seeds,
        f"{sum(one['replies'] for one in devices):,}, {sum(one['mismatched_replies'] for one in devices)}",
    ]


def main() -> None:
    rows = json.loads((Path(__file__).parents[1] / "results" / "foreign.json").read_text())
    for cells in (HEAD, ["---"] * len(HEAD), *map(line, rows)):
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
