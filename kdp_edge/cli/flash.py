# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge flash`: put an image onto a board, verify it, start it, ask it who it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.cli import complete
from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.hil.flash.image import FlashImage


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("flash")(flash)


def flash(
    board: Annotated[
        str,
        typer.Option(
            help="The board the image must be for, such as stm32f405.", autocompletion=complete.boards
        ),
    ],
    image: Annotated[Path | None, typer.Option(help="Folder that `kdp-edge build` wrote.")] = None,
    run: Annotated[Path | None, typer.Option(help="Run to build and flash.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Firmware bundle to build and flash.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Build and flash the newest run of this task.", autocompletion=complete.tasks),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option(
            help="Serial port: of the STM32's or ESP32's ROM bootloader, or of the started firmware."
        ),
    ] = None,
    gdb: Annotated[str | None, typer.Option(help="HOST:PORT of a running gdb server.")] = None,
    openocd: Annotated[
        str | None, typer.Option(help="Debug probe that OpenOCD drives: stlink, cmsis-dap or jlink.")
    ] = None,
    drive: Annotated[Path | None, typer.Option(help="Where the board's UF2 drive is mounted.")] = None,
    teensy: Annotated[
        bool, typer.Option("--teensy", help="A Teensy on USB, through its makers' loader; press its button.")
    ] = False,
    baud: Annotated[int, typer.Option(help="Baud rate of the ROM bootloader, 1200 to 115200.")] = 115200,
    no_hello: Annotated[
        bool, typer.Option("--no-hello", help="Do not ask the started firmware who it is.")
    ] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Write an image onto a board, verify it, start it, and check by HELLO that it is the right one.

    Example: `kdp-edge flash --board stm32f405 --port /dev/ttyUSB0` (BOOT0 high, then reset)

    Or with a debug probe: `kdp-edge flash --board stm32f405 --openocd stlink --port /dev/ttyACM0`

    Exit codes: 0 passed, 1 verification failed, 2 bad input, 3 device missing, 4 link lost.
    """
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.hil.flash import methods

    method = methods.choose(board, port, gdb, openocd, drive, baud, teensy)
    chosen = _image(board, image, run, bundle, task, as_json)
    start = time.perf_counter()
    with progress_bar(f"flashing {board}", method.work(chosen)) as progress:
        result = methods.flash(method, chosen, progress)
    result["seconds"] = round(time.perf_counter() - start, 3)
    if port is not None and not no_hello:
        result["hello"] = methods.greet(port, chosen)
    if as_json:
        print_json(result)
        return
    typer.echo(
        f"{board}: {result['bytes']} bytes {result['verified']} in {result['seconds']:.2f} s "
        f"({method.kind}), model {result['model_sha256'][:16]}"
    )
    if "hello" in result:
        typer.echo(f"HELLO from {port}: board {board}, same model, self-test passed")


def _image(
    board: str, folder: Path | None, run: Path | None, bundle: Path | None, task: str | None, quiet: bool
) -> FlashImage:
    """The image to write, built if need be; says what it is."""
    from kdp_edge.base.errors import KdpError
    from kdp_edge.cli.common import choose_run, integer_planner, say_model
    from kdp_edge.exporters.boards import load_board
    from kdp_edge.exporters.bundle import load_bundle, model_score
    from kdp_edge.hil.devices.image import image_for
    from kdp_edge.hil.flash import image

    given = [name for name, value in _sources(folder, run, bundle, task).items() if value is not None]
    if folder is not None and run is not None:
        raise KdpError("give --image or --run, not both")
    if len(given) != 1:
        found = ", ".join(given) or "none of them"
        raise KdpError(
            f"what goes onto the board? give one of --image, --run, --bundle, --task; found {found}"
        )
    load_board(board)
    if folder is not None:
        chosen = image.load(folder, board)
        if not quiet:
            typer.echo(f"{board} gets {chosen.described}", err=True)
        return chosen
    if bundle is not None:
        opened = load_bundle(bundle)
        planner, score = opened.planner(), model_score(opened)
    else:
        chosen_run = choose_run(run, quiet, task)
        planner, score = integer_planner(chosen_run), model_score(chosen_run)
    if not quiet:
        say_model(planner, score, board)
    return image.load(image_for(planner, board).image.folder, board)


def _sources(*values: object) -> dict[str, object]:
    return dict(zip(("--image", "--run", "--bundle", "--task"), values, strict=True))
