"""The command line: one short file per command; each parses, calls one function and prints.

Command modules import nothing heavy at the top, so `kdp-edge --help` answers at once.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

import typer

from kdp_edge.base.errors import KdpError

COMMANDS = (
    "demo",
    "data",
    "train",
    "eval",
    "quantize",
    "export",
    "build",
    "flash",
    "push",
    "hil",
    "bench",
    "report",
    "ports",
    "check_tensorrt",
    "doctor",
)

app = typer.Typer(
    name="kdp-edge",
    help="From a data set of robot trajectories to a board that plans in one forward pass.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(show: bool) -> None:
    if show:
        from kdp_edge import __version__

        typer.echo(f"kdp-edge {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Options of every command."""


for _name in COMMANDS:
    if find_spec(f"kdp_edge.cli.{_name}") is not None:  # the benchmarks may have been left out
        import_module(f"kdp_edge.cli.{_name}").register(app)


def main() -> None:
    """Entry point: run a command; a `KdpError` becomes one line on stderr and its exit code."""
    try:
        app()
    except KdpError as error:
        print(f"kdp-edge: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("kdp-edge: interrupted", file=sys.stderr)
        sys.exit(130)
