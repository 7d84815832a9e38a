# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench firmware`: instructions per MAC of every kernel on every emulated core."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from kdp_edge.bench.firmware.measure import KernelRow


def register(app: typer.Typer) -> None:
    """Add the subcommand."""

    @app.command()
    def firmware(
        boards: Annotated[
            str, typer.Option(help="Cores with commas between.")
        ] = "rp2040,stm32f405,mps2-an500,mps3-an547,riscv-virt",
        nets: Annotated[
            str, typer.Option(help="Nets with commas between: NET-A, NET-B, plan.")
        ] = "NET-A,NET-B,plan",
        k: Annotated[int, typer.Option(min=1, max=64, help="Candidates per call of a net.")] = 8,
        out: Annotated[Path | None, typer.Option(help="File for the result as JSON.")] = None,
        as_json: bool = JSON_OPTION,
    ) -> None:
        """Build, emulate and compare all kernels; print the table and write it as JSON.

        Example: `kdp-edge bench firmware --boards stm32f405`

        Instructions are those that QEMU executes, the same on every run. Exit code 1 when a result
        differs from the integer reference or a promised number is exceeded.
        """
        from kdp_edge.base.files import check_result_file
        from kdp_edge.base.progress import progress_bar
        from kdp_edge.bench.firmware import measure as firmware_bench
        from kdp_edge.bench.firmware.boards import board_named

        chosen = [board_named(name.strip()) for name in boards.split(",")]
        wanted = firmware_bench.subjects_named([name.strip() for name in nets.split(",")])
        path = out or firmware_bench.RESULT
        check_result_file(path)
        programs = firmware_bench.program_count(chosen, wanted)
        with progress_bar("Programs", programs) as show:
            rows = firmware_bench.run_bench(chosen, wanted, k, show)
        firmware_bench.write(rows, path)
        if as_json:
            print_json(firmware_bench.result(rows))
        else:
            _print(rows)
            typer.echo(f"Written: {path}")
        if not all(row.passed for row in rows):
            raise typer.Exit(1)


def _print(rows: list[KernelRow]) -> None:
    from itertools import groupby

    from rich.console import Console

    from kdp_edge.bench.firmware.measure import left_out

    console = Console()
    if not console.is_terminal:
        console.width = 92
    for _, of_board in groupby(rows, lambda row: row.board):
        console.print(_table(list(of_board)))
    for line in left_out(rows):
        console.print(f"Not run: {line}.", highlight=False)
    console.print(
        "per MAC: instructions, everything included, candidates as a batch unless 'singly'.\n"
        "x ref: times fewer instructions than TFLite-Micro's reference loop. ms: one plan, modelled\n"
        "from the Cortex-M4's cycle table without wait states, not measured. RAM: without stack.\n"
        "equal: every byte of every answer, to the integer reference. !: more than promised.",
        style="dim",
        highlight=False,
    )


def _table(rows: list[KernelRow]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"{rows[0].board} ({rows[0].core}, emulated), {rows[0].k} candidates"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("net", "kernel"):
        table.add_column(column, no_wrap=True)
    for column in ("per MAC", "bar", "x ref", "instr.", "ms", "flash", "RAM", "stack", "equal"):
        table.add_column(column, justify="right", no_wrap=True)
    reference = {row.net: row.instructions_per_plan for row in rows if row.kernel == "reference loop"}
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        cells = _cells(row, reference.get(row.net))
        table.add_row(*cells, end_section=following is None or following.net != row.net)
    return table


def _cells(row: KernelRow, reference: int | None) -> list[str]:
    def number(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    singly = not row.batch and row.kernel != "reference loop"
    return [
        row.net,
        f"{row.kernel}, singly" if singly else row.kernel,
        f"{row.instructions_per_mac:.3f}" + ("" if row.within_bar else "!"),
        number(row.bar, ".2f"),
        number(reference and reference / row.instructions_per_plan, ".1f"),
        f"{row.instructions_per_plan / 1e6:.3f}M",
        number(row.modelled_ms_per_plan, ".1f"),
        f"{row.flash_bytes / 1024:.0f}K",
        f"{row.ram_bytes / 1024:.1f}K",
        str(row.stack_bytes),
        {True: "yes", False: "NO", None: "-"}[row.equal_to_reference],
    ]
