"""`kdp-edge data make | show | list`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json
from kdp_edge.errors import KdpError


def register(app: typer.Typer) -> None:
    data = typer.Typer(help="Make and inspect data sets.", no_args_is_help=True)
    data.command("make")(make)
    data.command("show")(show)
    data.command("list")(list_sets)
    app.add_typer(data, name="data")


def make(
    task: Annotated[str, typer.Argument(help="For example hopper-medium-expert.")],
    steps: Annotated[int | None, typer.Option(help="Transitions, all behaviour policies together.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of environments and policies.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    name: Annotated[str | None, typer.Option(help="Name of the data set; default: the task's.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a set of that name.")] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Roll the shipped behaviour policies in MuJoCo and store a Minari data set.

    Example: `kdp-edge data make hopper-medium-expert`
    """
    from kdp_edge.data.make import make as make_set
    from kdp_edge.progress import progress_bar
    from kdp_edge.tasks import get_task

    found = get_task(task)
    total = found.default_steps if steps is None else steps
    with progress_bar(f"rolling {found.name}", total) as progress:
        made = make_set(found, total, seed, workers, name, force, progress)
    if as_json:
        print_json(made.meta)
        return
    if made.reused:
        print(f"data set '{made.name}' is there already with this recipe; reused (--force remakes it)")
    _print(made.name, made.meta)


def show(
    name: Annotated[str | None, typer.Argument(help="Name; default: the only or first set.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Show where a data set lies, how it was made and what its behaviour scores.

    Example: `kdp-edge data show hopper-medium-expert`
    """
    from kdp_edge.data import store

    known = store.names()
    if name is None and not known:
        raise KdpError("no data set yet; make one with: kdp-edge data make hopper-medium-expert")
    chosen = name or known[0]
    meta = store.read_meta(chosen)
    if as_json:
        print_json(meta)
    else:
        _print(chosen, meta)


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
        print(f"{name}: {meta['transitions']} transitions, behaviour score {behaviour['score_mean']}")


def _print(name: str, meta: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from kdp_edge.data import store

    table = Table(title=f"{store.dataset_id(name)}: {meta['transitions']} transitions", title_justify="left")
    for column in ("policy", "complete episodes", "return", "score", "mean length"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for policy, row in [*meta["by_policy"].items(), ("all", meta["behaviour"])]:
        table.add_row(
            policy,
            str(row["complete_episodes"]),
            f"{row['return_mean']} ± {row['return_std']}",
            str(row["score_mean"]),
            str(row["length_mean"]),
        )
    console = Console()
    console.print(table)
    console.print(f"folder {store.dataset_path(name)}", soft_wrap=True, highlight=False)
    console.print(f"sha256 {meta['sha256']}", soft_wrap=True, highlight=False)
