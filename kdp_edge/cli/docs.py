# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge docs`: the pages that came with this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import kdp_edge
from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("docs")(docs)


def docs(
    page: Annotated[str | None, typer.Argument(help="A page's name, like first-board.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """List the pages of the documentation that is installed here; with a name, print that page.

    Example: `kdp-edge docs first-board | less`
    """
    files = {file.stem: file for file in sorted(folder().glob("*.md"))}
    if page is not None:
        from kdp_edge.base.lookup import unknown

        if page not in files:
            raise unknown("page", page, files)
        typer.echo(files[page].read_text(encoding="utf-8"), nl=False)
    elif as_json:
        print_json({"folder": str(folder()), "pages": {name: title(file) for name, file in files.items()}})
    else:
        width = max(map(len, files), default=0)
        for name, file in files.items():
            typer.echo(f"{name:{width}}  {title(file)}")
        typer.echo(f"In {folder()}")


def folder() -> Path:
    """Where the pages are: in the installed package, or in a clone beside it."""
    package = Path(kdp_edge.__file__).parent
    installed = package / "docs"
    return installed if installed.is_dir() else package.parent / "docs"


def title(file: Path) -> str:
    """The heading of a page."""
    return file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
