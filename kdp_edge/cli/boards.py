# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge boards`: the boards of the package."""

from __future__ import annotations

from typing import Any

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("boards")(boards)


def boards(as_json: bool = JSON_OPTION) -> None:
    """List the boards: core, memory, ways to flash them, where their images have run.

    Example: `kdp-edge boards`. Your own: `--board ./my-board` (docs/port.md).
    """
    from kdp_edge.exporters.boards import BOARDS, board_names, load_board

    rows: list[dict[str, Any]] = []
    for board in map(load_board, board_names()):
        ways = {
            "stm32-rom": board.flash.stm32_rom,
            "openocd": board.flash.openocd,
            "uf2": board.flash.uf2_family,
            "teensy": board.flash.teensy,
            "esptool": board.flash.esptool,
        }
        rows.append(
            {"name": board.name, "title": board.title, "core": board.core, "kernel": board.kernel,
             "flash_bytes": board.flash_bytes, "ram_bytes": board.ram_bytes,
             "flash": [way for way, there in ways.items() if there], "emulated": bool(board.machine),
             "runs": board.runs}
        )  # fmt: skip
    if as_json:
        print_json({"boards": rows, "folder": str(BOARDS)})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("board", "what", "flash KiB", "RAM KiB", "ways to flash", "runs")
    for row in rows:
        sizes = [f"{row[key] // 1024:,}" if row[key] else "-" for key in ("flash_bytes", "ram_bytes")]
        table.add_row(
            row["name"],
            row["title"],
            *sizes,
            ", ".join(row["flash"]) or "-",
            row["runs"],
        )
    console = Console()
    console.print(table)
    console.print(f"Their folders, to copy one: {BOARDS}", soft_wrap=True, markup=False, highlight=False)
