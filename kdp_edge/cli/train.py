"""`kdp-edge train`: from a task's data set to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.base.errors import KdpError


def register(app: typer.Typer) -> None:
    app.command("train")(train)


def train(
    task: Annotated[str | None, typer.Argument(help="For example hopper-medium-expert.")] = None,
    data: Annotated[str | None, typer.Option(help="Data set; default: the task's, made if missing.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="Of products: auto, float32 or bfloat16.")] = "auto",
    resume: Annotated[Path | None, typer.Option(help="Go on with this unfinished run folder.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of the generator.")] = None,
    value_steps: Annotated[int | None, typer.Option(min=1, help="Steps of the values.")] = None,
    distill_steps: Annotated[int | None, typer.Option(min=1, help="Steps of the deployed critic.")] = None,
    width: Annotated[int | None, typer.Option(min=4, help="Width of the generator.")] = None,
    blocks: Annotated[int | None, typer.Option(min=0, help="Residual blocks of the generator.")] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Steps of a window.")] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Candidates a plan.")] = None,
    latent_dim: Annotated[int | None, typer.Option(min=1, help="Size of the latent.")] = None,
    critic_width: Annotated[int | None, typer.Option(min=4, help="Width of the deployed critic.")] = None,
    tilt: Annotated[float | None, typer.Option(help="Temperature of the advantage among neighbours.")] = None,
    improve: Annotated[
        float | None,
        typer.Option(min=0, help="Weight of values in the plans; 0 where the data hold an expert."),
    ] = None,
    actor_steps: Annotated[
        int | None, typer.Option(min=0, help="Steps of a policy better than the data's; 0: none.")
    ] = None,
    margin: Annotated[float | None, typer.Option(help="What a candidate must gain over latent 0.")] = None,
) -> None:
    """Train generator and critic; writes a run folder that every later command can use.

    Every option that is not given has the recorded default of the recipe (see config.json of a run).
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

    given = {name: value for name, value in options.items() if value is not None}

    def choose() -> Path:
        if resume is not None:
            if task or given:
                raise KdpError("--resume reads the run's own config.json; give no task or option with it")
            return resume
        if task is None:
            raise KdpError("which task? for example: kdp-edge train hopper-medium-expert")
        return _start(task, data, seed, device, precision, given)

    with distributed.group():
        path = distributed.from_first(choose)
        _train(distributed.from_first(lambda: _checked(path)))


def _checked(path: Path) -> Path:
    if not (path / "config.json").is_file():
        raise KdpError(f"{path}: no config.json there; expected a run folder")
    if (path / "run.json").is_file():
        raise KdpError(f"{path}: this run is complete; nothing to resume")
    print(f"run {path}", flush=True)
    return path


def _start(
    task: str, data: str | None, seed: int, device: str, precision: str, given: dict[str, Any]
) -> Path:
    from kdp_edge.tasks import get_task

    found = get_task(task)
    from kdp_edge.data import store
    from kdp_edge.learn.machine import pick_device, pick_precision
    from kdp_edge.learn.recipes import recipe_for
    from kdp_edge.learn.train import new_run_folder

    chosen = pick_device(device)
    rounding = pick_precision(precision, chosen)
    name = data or found.name
    if not store.exists(name):
        if data is not None:
            store.read_meta(name)  # raises: only a task's own set is made on the way
        _make_data(name)
    made_for = store.read_meta(name)["task"]
    if not found.fits(get_task(made_for)):
        raise KdpError(f"data set '{name}' was made for task {made_for}, not for {found.name}")
    config = recipe_for(found, name, seed=seed, device=chosen, precision=rounding, **given)
    return new_run_folder(config)


def _make_data(name: str) -> None:
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.data.making.make import make
    from kdp_edge.tasks import get_task

    task = get_task(name)
    print(f"no data set '{name}' yet; making it (kdp-edge data make {name})")
    with progress_bar(f"rolling {name}", task.default_steps) as progress:
        make(task, task.default_steps, seed=0, workers=2, progress=progress)


def _train(path: Path) -> None:
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.learn import distributed
    from kdp_edge.learn.train import Trainer

    if distributed.rank():
        Trainer(path, lambda stage, done, total: None).run()
        return
    with stage_bars() as show:
        run = Trainer(path, show).run()
    print(
        f"done: spread ratio {run.metrics['spread_ratio']:.2f}, "
        f"{run.provenance['wall_s']:.0f} s; next: kdp-edge eval --run {path}"
    )
