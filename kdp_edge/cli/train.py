# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge train`: from a task's data set to a run folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import complete
from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.run import RunConfig


def register(app: typer.Typer) -> None:
    app.command("train")(train)


def train(
    task: Annotated[
        str | None, typer.Argument(help="For example hopper-medium-expert.", autocompletion=complete.tasks)
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Data set; default: the task's, made if missing.", autocompletion=complete.data_sets
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="Precision of products: auto, float32 or bfloat16.")
    ] = "auto",
    resume: Annotated[Path | None, typer.Option(help="Go on with this unfinished run folder.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps of the generator.")] = None,
    value_steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps of the values, after their warm-up.")
    ] = None,
    distill_steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps of the deployed critic.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=4, help="Hidden width of the generator.")] = None,
    blocks: Annotated[int | None, typer.Option(min=0, help="Residual blocks of the generator.")] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Control steps per window.")] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Candidates per plan.")] = None,
    latent_dim: Annotated[int | None, typer.Option(min=1, help="Dimensions of the latent.")] = None,
    critic_width: Annotated[
        int | None, typer.Option(min=4, help="Hidden width of the deployed critic.")
    ] = None,
    tilt: Annotated[float | None, typer.Option(help="Temperature of the advantage among neighbours.")] = None,
    improve: Annotated[
        float | None,
        typer.Option(min=0, help="Weight of values in the plans; 0 where the data hold an expert."),
    ] = None,
    actor_steps: Annotated[
        int | None, typer.Option(min=0, help="Training steps of a policy better than the data's; 0: none.")
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="Critic units that a candidate must gain over latent 0.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting of config.json; repeatable."),
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Train generator and critic; writes a run folder that every later command can use.

    TASK may be a data set: it knows its task. Every setting that is not given follows from the data; what was
    chosen and why is printed, and stands in the run's metrics.json.
    TensorBoard: `tensorboard --logdir kdp-work/runs`

    Several processes share the batches: `torchrun --nproc-per-node 2 -m kdp_edge train TASK`

    Example: `kdp-edge train hopper-medium-expert --seed 1`
    """
    options: dict[str, Any] = {
        "steps": steps, "value_steps": value_steps, "distill_steps": distill_steps, "width": width,
        "blocks": blocks, "horizon": horizon, "k": k, "latent_dim": latent_dim,
        "critic_width": critic_width, "tilt": tilt, "improve": improve, "margin": margin,
        "actor_steps": actor_steps,
    }  # fmt: skip
    from kdp_edge.learn import distributed
    from kdp_edge.run import setting

    given = {name: value for name, value in options.items() if value is not None}
    for text in set_ or ():
        name, value = setting(text)
        if name in given:
            raise KdpError(f"--set {text}: {name} is given twice")
        given[name] = value

    def choose() -> Path:
        if resume is not None:
            if task or given:
                raise KdpError("--resume reads the run's own config.json; give no task or option with it")
            return resume
        if task is None:
            raise KdpError("which task? for example: kdp-edge train hopper-medium-expert")
        return _start(task, data, seed, device, precision, given, as_json)

    with distributed.group():
        path = distributed.from_first(choose)
        _train(distributed.from_first(lambda: _checked(path, as_json)), as_json)


def _checked(path: Path, quiet: bool) -> Path:
    if not (path / "config.json").is_file():
        raise KdpError(f"{path}: no config.json there; expected a run folder")
    if (path / "run.json").is_file():
        raise KdpError(f"{path}: this run is complete; nothing to resume")
    print(f"run {path}", file=sys.stderr if quiet else sys.stdout, flush=True)
    return path


def _start(
    task: str,
    data: str | None,
    seed: int,
    device: str,
    precision: str,
    given: dict[str, Any],
    quiet: bool,
) -> Path:
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.data import store
    from kdp_edge.learn.train import explanations, start_run, task_and_data

    if not store.exists(task_and_data(task, data)[1]):
        print(
            f"no data set '{task}' yet; making it (kdp-edge data make {task})",
            file=sys.stderr if quiet else sys.stdout,
        )
    with stage_bars() as show:
        path = start_run(task, data, seed, device, precision, given, show)
    for why in explanations(path):
        print(f"  {why}", file=sys.stderr if quiet else sys.stdout)
    return path


def _train(path: Path, as_json: bool) -> None:
    from kdp_edge.base.progress import silent_stages, stage_bars
    from kdp_edge.learn import distributed
    from kdp_edge.learn.train import train_run

    if distributed.rank():
        train_run(path, silent_stages)
        return
    with stage_bars() as show:
        run = train_run(path, show)
    if as_json:
        print_json({"run": str(run.path), "metrics": run.metrics, "provenance": run.provenance})
        return
    for line in braced(run.metrics, run.config):
        print(f"  {line}")
    print(
        f"done: spread ratio {run.metrics['spread_ratio']:.2f}, "
        f"{run.provenance['wall_s']:.0f} s; next: kdp-edge eval --run {path}"
    )


def braced(metrics: dict[str, Any], config: RunConfig) -> list[str]:
    """What the model of the plant said of the plan, in words; nothing where none was learned."""
    if "brace" not in metrics:
        return []
    found = metrics["brace"]
    words = f"in the model of the plant {found['fallen']:.0%} of the rollouts end early"
    words += f", {found['fallen_weaker']:.0%} with actuators {config.brace:.0%} weaker"
    if found["gain"] > 1:
        words += f": an edge is near, actions are played {found['gain']:g} times as large"
        words += " and read as they are" if found["lead"] < config.lead else ""
    return [words]
