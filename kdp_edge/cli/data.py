"""`kdp-edge data make | import | show | list | policy`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdp_edge.base.errors import KdpError
from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.tasks import Part


def register(app: typer.Typer) -> None:
    data = typer.Typer(help="Make and inspect data sets.", no_args_is_help=True)
    data.command("make")(make)
    data.command("import")(import_set)
    data.command("show")(show)
    data.command("list")(list_sets)
    data.command("policy")(policy)
    app.add_typer(data, name="data")


def make(
    task: Annotated[str, typer.Argument(help="For example hopper-medium-expert.")],
    steps: Annotated[
        int | None, typer.Option(help="Transitions of all behaviour policies together; default: the task's.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of environments and policies.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    name: Annotated[str | None, typer.Option(help="Name of the data set; default: the task's.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the data set of that name.")] = False,
    policies: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            help="Behaviour policy of your own, FILE.npz[:SHARE], instead of the shipped ones; repeatable.",
        ),
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Roll the shipped behaviour policies in MuJoCo and store a Minari data set.

    Example: `kdp-edge data make hopper-medium-expert`
    """
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.data.making.make import make as make_set
    from kdp_edge.tasks import get_task

    found = get_task(task)
    if policies:
        found = replace(found, recipe=_own_recipe(policies))
    total = found.default_steps if steps is None else steps
    with progress_bar(f"rolling {found.name}", total) as progress:
        made = make_set(found, total, seed, workers, name, force, progress)
    if as_json:
        print_json(made.meta)
        return
    if made.reused:
        print(f"data set '{made.name}' is there already with this recipe; reused (--force remakes it)")
    _print(made.name, made.meta)


def _own_recipe(texts: list[str]) -> tuple[Part, ...]:
    from kdp_edge.data.making.policy import load_policy
    from kdp_edge.tasks import Part

    shares = []
    for text in texts:
        file, _, share = text.partition(":")
        load_policy(Path(file))  # raises if it is none
        try:
            shares.append((str(Path(file).absolute()), float(share or 1.0)))
        except ValueError:
            raise KdpError(f"--policy {text}: expected FILE.npz or FILE.npz:SHARE, found '{share}'") from None
    whole = sum(share for _, share in shares)
    if whole <= 0 or min(share for _, share in shares) <= 0:
        raise KdpError("--policy: expected shares above 0")
    return tuple(Part(file, share / whole) for file, share in shares)


def policy(
    task: Annotated[str, typer.Argument(help="Whose environment to train on, for example hopper-medium.")],
    steps: Annotated[int, typer.Option(min=100, help="Number of environment steps.")] = 300_000,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    evaluate_every: Annotated[int, typer.Option(min=50, help="Steps between checkpoints.")] = 50_000,
    stop_at: Annotated[float | None, typer.Option(help="Stop at this mean return.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of checkpoints; default: the workspace.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Train a behaviour policy with soft actor-critic; every evaluation leaves a checkpoint.

    Then: `kdp-edge data make hopper-medium --policy kdp-work/policies/hopper-medium_0300000.npz --name mine`

    Example: `kdp-edge data policy hopper-medium --steps 300000 --stop-at 1400`
    """
    from math import inf

    from kdp_edge.base.progress import progress_bar
    from kdp_edge.base.workspace import workspace
    from kdp_edge.data.making.sac import SacConfig, train_policy
    from kdp_edge.tasks import get_task

    found = get_task(task)
    config = SacConfig(
        steps=steps, seed=seed, evaluate_every=evaluate_every, random_steps=min(5_000, steps // 2)
    )
    folder = out or workspace() / "policies"
    with progress_bar(f"training on {found.name}", steps) as progress:
        records = train_policy(found, config, folder, inf if stop_at is None else stop_at, progress)
    if as_json:
        print_json(records)
        return
    for record in records:
        mean, std = record["return_mean"], record["return_std"]
        print(f"{record['steps']} steps: return {mean} ± {std}, score {record['score']}, {record['file']}")


def import_set(
    source: Annotated[str, typer.Argument(help="FILE.hdf5, URL of one, Minari id or folder.")],
    name: Annotated[str, typer.Option(help="Name of the data set here.")],
    task: Annotated[str | None, typer.Option(help="Task of the data; known for published files.")] = None,
    sha256: Annotated[str | None, typer.Option(help="SHA-256 of the file; needed for a URL.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Let Minari download the set.")] = False,
    clip_actions: Annotated[
        bool, typer.Option("--clip-actions", help="Clip actions outside the range instead of refusing them.")
    ] = False,
    rate_hz: Annotated[float | None, typer.Option(min=0.01, help="Own robot: control rate.")] = None,
    env_id: Annotated[str, typer.Option(help="Own robot: Gymnasium environment, module:id.")] = "",
    observations: Annotated[str, typer.Option(help="Own robot: names, with commas between.")] = "",
    actions: Annotated[str, typer.Option(help="Own robot: names, with commas between.")] = "",
    act_low: Annotated[float, typer.Option(help="Own robot: smallest action.")] = -1.0,
    act_high: Annotated[float, typer.Option(help="Own robot: largest action.")] = 1.0,
    force: Annotated[bool, typer.Option("--force", help="Replace the data set of that name.")] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Check a published data set, or your own, and store it for training.

    Published: `kdp-edge data import hopper_medium_expert-v2.hdf5 --name hopper-d4rl`

    Your robot: `kdp-edge data import arm.hdf5 --name my-arm --rate-hz 50`, then `kdp-edge train my-arm`
    """
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.data.importing import OwnRobot, Source
    from kdp_edge.data.importing import import_set as import_it

    robot = None
    if rate_hz is not None:
        robot = OwnRobot(rate_hz, env_id, _names(observations), _names(actions), act_low, act_high)
    with stage_bars() as show_bar:
        made = import_it(
            Source(source, task, sha256, download, clip_actions), name, robot, force,
            lambda done, total: show_bar("download", done, total),
        )  # fmt: skip
    if as_json:
        print_json(made.meta)
        return
    _print(made.name, made.meta)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


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
    from kdp_edge.data.quality import measure, print_quality, write_plots

    data = store.load_data(chosen)
    quality = measure(data)
    if as_json:
        print_json({**meta, "quality": quality.to_json()})
        return
    _print(chosen, meta)
    print_quality(quality)
    if plot:
        print(f"plots {write_plots(data, quality)}")


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

    title = f"{store.dataset_id(name)}: {meta['transitions']} transitions, {meta.get('origin', 'local twin')}"
    table = Table(title=title, title_justify="left")
    for column in ("policy", "complete episodes", "return", "score", "mean length"):
        table.add_column(
            column, justify="left" if column == "policy" else "right", no_wrap=column == "policy"
        )
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
    for note in meta.get("notes", []):
        console.print(f"note: {note}", soft_wrap=True, highlight=False)
    console.print(f"folder {store.dataset_path(name)}", soft_wrap=True, highlight=False)
    console.print(f"sha256 {meta['sha256']}", soft_wrap=True, highlight=False)
