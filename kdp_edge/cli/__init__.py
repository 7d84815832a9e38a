# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The command line: one short file per command; each parses, calls one function and prints.

Command modules import nothing heavy at the top, so `kdp-edge --help` answers at once.
"""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from importlib.util import find_spec
from io import TextIOWrapper

import typer

from kdp_edge.base.errors import INTERRUPTED, PIPE_CLOSED, SOFTWARE

COMMANDS = (
    "demo",
    "robot",
    "data",
    "policy",
    "train",
    "eval",
    "quantize",
    "export",
    "verify",
    "build",
    "flash",
    "push",
    "keys",
    "hil",
    "bench",
    "report",
    "info",
    "arm",
    "runs",
    "tasks",
    "boards",
    "ports",
    "check_tensorrt",
    "doctor",
    "docs",
)

app = typer.Typer(
    name="kdp-edge",
    help="From a data set of robot trajectories to a board that plans in one forward pass.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},  # of every command below it, too
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
    """Entry point: run a command; what a user or the machine did wrong is one line on stderr and a code."""
    from kdp_edge.cli.refusals import explained

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what the terminal cannot show must not end a command
            stream.reconfigure(errors="replace")
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _say("interrupted; what was not finished was not written")
        if end.code == 1 and not isinstance(sys.stdout, TextIOWrapper):  # typer's, after a closed pipe
            sys.exit(PIPE_CLOSED)
        raise
    except Exception as error:
        line = explained(error)
        if line is None:
            traceback.print_exc()
            _say("this is an error of kdp-edge itself; please report it with the lines above")
            sys.exit(SOFTWARE)
        _say(str(line))
        sys.exit(line.exit_code)


def _say(line: str) -> None:
    """On stderr, as one line, without control characters that a file name or a device may have brought."""
    shown = "".join(c if c.isprintable() else " " for c in line)
    print(f"kdp-edge: {shown}", file=sys.stderr)
