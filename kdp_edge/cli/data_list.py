# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge data list`: the local data sets."""

from __future__ import annotations

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    app.command("list")(list_sets)


def list_sets(as_json: bool = JSON_OPTION) -> None:
    """List the local data sets.

    Example: `kdp-edge data list`
    """
    from kdp_edge.data import store

    if as_json:
        print_json(store.names())
        return
    for name in store.names():
        meta = store.read_meta(name)
        behaviour = meta["behaviour"]
        score = (
            f"behaviour score {behaviour['score_mean']}" if meta.get("has_rewards", True) else "no rewards"
        )
        print(f"{name}: {meta['transitions']} transitions, {score}")
