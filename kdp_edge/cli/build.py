# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge build`: a firmware bundle -> an image for one board, with flash, RAM and stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.cli import complete
from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.exporters.boards import BuildOptions
    from kdp_edge.exporters.build import Image


def register(app: typer.Typer) -> None:
    """Add the command."""
    from kdp_edge.exporters.boards import board_names

    boards = ", ".join(board_names())

    example = "Example: `kdp-edge build --board stm32f405`"

    @app.command(help=f"Compile a policy for a board.\n\nBoards: {boards}.\n\n{example}")
    def build(
        board: Annotated[
            str,
            typer.Option(
                help="Board to build for, see above, or a folder with a board.toml, ./my-board.",
                autocompletion=complete.boards,
            ),
        ],
        run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
        bundle: Annotated[
            Path | None, typer.Option(help="Bundle of target firmware, instead of a run.")
        ] = None,
        out: Annotated[
            Path | None, typer.Option(help="Folder for the image; default: RUN/builds/BOARD.")
        ] = None,
        uart: Annotated[
            int | None, typer.Option(help="Number of the serial port; on stm32f405 1 (PA9/10) or 2 (PA2/3).")
        ] = None,
        baud: Annotated[
            int | None, typer.Option(help="Baud rate of the serial port; default: 921600.")
        ] = None,
        hse_mhz: Annotated[
            int | None, typer.Option(help="Frequency of the board's crystal in MHz; default: 8 on stm32f405.")
        ] = None,
        watchdog: Annotated[
            bool, typer.Option(help="Run the hardware watchdog, where the board has one.")
        ] = True,
        kernel: Annotated[
            str | None, typer.Option(help="Kernel: portable, m4, mve or dual; default: the core's best.")
        ] = None,
        sanitize: Annotated[
            bool, typer.Option(help="Native only: build with address and undefined-behaviour sanitizers.")
        ] = False,
        signed: Annotated[
            Path | None,
            typer.Option(help="Public key: over the link the image takes models signed with it, no others."),
        ] = None,
        sequence: Annotated[
            int | None,
            typer.Option(help="With --signed: number of the model compiled in; pushed ones need more."),
        ] = None,
        as_json: bool = JSON_OPTION,
    ) -> None:
        from kdp_edge.exporters.boards import BuildOptions
        from kdp_edge.exporters.signing import load_public

        key = load_public(signed).data.hex() if signed is not None else None
        chosen = (uart, baud, hse_mhz, None if watchdog else 0, kernel, sanitize)
        options = BuildOptions(*chosen, public_key=key, sequence=sequence)
        image = _build(board, run, bundle, out, options, as_json)
        if as_json:
            print_json(_result(image))
        else:
            _print(image)
        if not image.within_limits and image.stack_bytes:
            raise typer.Exit(1)


def _build(
    board: str, run: Path | None, bundle: Path | None, out: Path | None, options: BuildOptions, quiet: bool
) -> Image:
    from kdp_edge.base.folders import check_writable
    from kdp_edge.cli.common import choose_run, integer_planner
    from kdp_edge.exporters.boards import load_board
    from kdp_edge.exporters.build import IMAGE, build, compile_bundle

    if out is not None:
        check_writable(out, IMAGE)
    name = load_board(board).name  # an unknown board should not cost a quantization first
    if bundle is not None:
        folder = out or bundle.with_name(f"{bundle.name}-builds") / name
        return compile_bundle(bundle, board, folder, options)
    chosen = choose_run(run, quiet=quiet)
    integer_planner(chosen)
    return build(chosen, board, out, options)


def _result(image: Image) -> dict[str, object]:
    from kdp_edge.base.files import read_json

    paths = {"path": str(image.folder), "within_limits": image.within_limits}
    return read_json(image.folder / "build.json") | paths


def _print(image: Image) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"Firmware for {image.board}, kernel {image.kernel}", title_justify="left")
    for column in ("", "bytes", "limit"):
        table.add_column(column, justify="right" if column else "left")
    if image.stack_bytes:
        table.add_row("flash", f"{image.flash_bytes:,}", f"{image.limits.flash_bytes:,}")
        table.add_row("RAM, stack included", f"{image.ram_bytes:,}", f"{image.limits.ram_bytes:,}")
        table.add_row("stack reserved", f"{image.stack_bytes:,}", "")
        table.add_row("stack, computed worst case", f"{image.stack_bound_bytes:,}", f"{image.stack_bytes:,}")
    else:
        table.add_row("program", f"{image.flash_bytes:,}", "")
    console.print(table)
    console.print(f"Image: {image.elf}", soft_wrap=True, markup=False, highlight=False)
