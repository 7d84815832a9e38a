# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge keys`: keys that models and bundles are signed with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json

keys = typer.Typer(
    name="keys",
    help="Keys that models and bundles are signed with.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(keys)


@keys.command()
def new(
    file: Annotated[Path, typer.Argument(help="File of the private key; FILE.pub gets the public key.")],
    as_json: bool = JSON_OPTION,
) -> None:
    """Make a key: FILE signs and stays with you, FILE.pub goes into images and to whoever verifies.

    Example: `kdp-edge keys new robot.key`
    """
    from kdp_edge.exporters.signing import new_key, public_path_of

    public = new_key(file)
    if as_json:
        print_json(
            {"private": str(file), "public": str(public_path_of(file)), "public_key": public.data.hex()}
        )
        return
    typer.echo(f"{file}: private key, readable by you alone; who has it decides what your robots run")
    typer.echo(f"{public_path_of(file)}: {public.text()}")


@keys.command()
def show(
    file: Annotated[Path, typer.Argument(help="File of a private or a public key.")],
    as_json: bool = JSON_OPTION,
) -> None:
    """Print the public key in a file, or the public half of the private key there.

    Example: `kdp-edge keys show robot.key`
    """
    from kdp_edge.exporters.signing import load_either

    public = load_either(file)
    if as_json:
        print_json({"public_key": public.data.hex()})
    else:
        typer.echo(public.text())
