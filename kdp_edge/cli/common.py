"""What several commands share: options and the choice of a run."""

from __future__ import annotations

import json
from typing import Any

import typer

JSON_OPTION = typer.Option(False, "--json", help="Print one JSON object for machines instead of text.")


def print_json(value: Any) -> None:
    """Print `value` as one JSON object on standard output."""
    typer.echo(json.dumps(value, indent=2, sort_keys=True))
