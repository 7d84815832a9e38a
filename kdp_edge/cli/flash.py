"""`kdp-edge flash`: put an image onto a board, verify it, start it, ask it who it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.hil.flash.image import FlashImage


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("flash")(flash)


def flash(
    board: Annotated[str, typer.Option(help="The board the image must be for, such as stm32f405.")],
    image: Annotated[Path | None, typer.Option(help="Folder that `kdp-edge build` wrote.")] = None,
    run: Annotated[Path | None, typer.Option(help="Run to build and flash; default: the newest run.")] = None,
    port: Annotated[
        str | None,
        typer.Option(help="Serial port: of the STM32 ROM bootloader, or of the started firmware."),
    ] = None,
    gdb: Annotated[str | None, typer.Option(help="HOST:PORT of a running gdb server.")] = None,
    openocd: Annotated[
        str | None, typer.Option(help="Debug probe that OpenOCD drives: stlink, cmsis-dap or jlink.")
    ] = None,
    drive: Annotated[Path | None, typer.Option(help="Where the board's UF2 drive is mounted.")] = None,
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

    method = methods.choose(board, port, gdb, openocd, drive, baud)
    chosen = _image(board, image, run, as_json)
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


def _image(board: str, folder: Path | None, run: Path | None, quiet: bool) -> FlashImage:
    from kdp_edge.base.errors import KdpError
    from kdp_edge.hil.flash import image

    if folder is not None and run is not None:
        raise KdpError("give --image or --run, not both")
    if folder is not None:
        return image.load(folder, board)
    from kdp_edge.cli.common import choose_run, integer_planner
    from kdp_edge.exporters.boards import load_board
    from kdp_edge.hil.devices.image import image_for

    load_board(board)
    built = image_for(integer_planner(choose_run(run, quiet)), board)
    return image.load(built.image.folder, board)
