# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge data show`: how a data set was made, and its quality."""

from __future__ import annotations

from typing import Annotated

import typer

from kdp_edge.base.errors import KdpError
from kdp_edge.cli.common import JSON_OPTION, print_json
from kdp_edge.cli.data import print_set


def register(app: typer.Typer) -> None:
    app.command("show")(show)


def show(
    name: Annotated[str | None, typer.Argument(help="Name; default: the only or first set.")] = None,
    plot: Annotated[bool, typer.Option(help="Write quality.png and quality.html beside the data.")] = True,
    as_json: bool = JSON_OPTION,
) -> None:
    """Show how a data set was made and its quality: returns, lengths, coverage; printed and plotted.

    Example: `kdp-edge data show hopper-medium-expert`
    """
    from kdp_edge.data import store

    known = store.names()
    if name is None and not known:
        raise KdpError("no data set yet; make one with: kdp-edge data make hopper-medium-expert")
    chosen = name or known[0]
    meta = store.read_meta(chosen)
    from kdp_edge.base.provenance import simulator_note
    from kdp_edge.data.quality import measure, print_quality, write_plots

    data = store.load_data(chosen)
    quality = measure(data)
    if as_json:
        notes = [*meta.get("notes", []), *simulator_note(meta)]
        print_json({**meta, "notes": notes, "quality": quality.to_json()})
        return
    print_set(chosen, meta)
    print_quality(quality)
    if plot:
        print(f"plots {write_plots(data, quality)}")
