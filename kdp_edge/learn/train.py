# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Training, top to bottom: data -> windows -> values -> matches -> generator -> critic -> run."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdp_edge import __version__
from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_object, sha256_file, write_json
from kdp_edge.base.folders import new_folder
from kdp_edge.base.lookup import unknown
from kdp_edge.base.progress import StageProgress, silent_stages
from kdp_edge.base.provenance import git_commit, versions
from kdp_edge.base.workspace import runs_folder
from kdp_edge.data import store
from kdp_edge.data.calibration import action_change, calibration_states
from kdp_edge.data.making.make import make
from kdp_edge.data.store import DataSet
from kdp_edge.learn import distributed
from kdp_edge.learn.checkpoint import save_arrays, save_weights
from kdp_edge.learn.critic import DistillStage
from kdp_edge.learn.generator import GeneratorStage, enlarge
from kdp_edge.learn.machine import gpu_of, pick_device, pick_precision
from kdp_edge.learn.matches import Matches, first_actions, spread_ratio
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.plant import Brace, PlantStage, PlantSteps
from kdp_edge.learn.prepare import Prepared, prepare
from kdp_edge.learn.recipes import explained, recipe_for
from kdp_edge.learn.stage_runner import StageRunner
from kdp_edge.learn.traits import traits_named, traits_of
from kdp_edge.run import CALIBRATION_STATES, GIVEN, Run, RunConfig, task_in
from kdp_edge.tasks import TASKS, Task, get_task
from kdp_edge.tasks.robot_folder import write_robot

PACKAGES = ("torch", "numpy", "faiss-cpu", "safetensors", "mujoco", "gymnasium")
GENERATOR, CRITIC, PLANT = 1, 2, 7  # numbers of the stages, for their seeds
SPREAD_STATES = 2048


def train(
    task: str | Task,
    *,
    data: str | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    show: StageProgress = silent_stages,
    **settings: Any,
) -> Run:
    """Train generator and critic with the recipe that the data ask for (see recipes.py).

    Args:
        task: a task or its name.
        data: name of the data set; without it the task's own local twin, made if it is missing.
        seed: of all random numbers.
        device: auto, cpu or cuda.
        precision: of products: auto, float32 or bfloat16.
        show: is told stage, steps done and steps in all, now and then.
        settings: fields of `RunConfig` that differ from the recipe.

    Raises:
        KdpError: unknown task, data set or setting, a setting out of its range, more numbers than a device
            takes, data of another task, or an interrupt (exit code 130).
    """
    return train_run(start_run(task, data, seed, device, precision, settings, show), show)


def start_run(
    task: str | Task,
    data: str | None,
    seed: int,
    device: str,
    precision: str,
    settings: dict[str, Any],
    show: StageProgress,
) -> Path:
    """Create the folder of a run that is ready to be trained; see `train`."""
    found, name = task_and_data(task, data)
    chosen = pick_device(device)
    rounding = pick_precision(precision, chosen)
    known = [field.name for field in fields(RunConfig) if field.name not in GIVEN]
    for setting in settings:
        if setting not in known:
            raise unknown("setting", setting, known)
    given = {"seed": seed, "device": chosen, "precision": rounding, **settings}
    recipe_for(found, name, **given).check_deployable()  # before data are made for nothing
    if not store.exists(name):
        if data is not None:
            store.read_meta(name)  # raises: only a task's own set is made on the way
        _make_data(found, show)
    made_for = store.read_meta(name)["task"]
    if not found.fits(get_task(made_for)):
        raise KdpError(f"data set '{name}' was made for task {made_for}, not for {found.name}")
    return new_run_folder(recipe_for(found, name, traits_named(name), **given), found)


def explanations(path: Path) -> list[str]:
    """Why the run of a folder has the settings it has, a sentence each."""
    config = RunConfig.from_json(read_object(path / "config.json"), path / "config.json")
    found = explained(config, traits_named(config.data), task_in(path, config.task))
    return [choice["why"] for choice in found["choices"]]


def task_and_data(task: str | Task, data: str | None) -> tuple[Task, str]:
    """The task, and the name of its data: as given, or what a data set called `task` was made for."""
    if isinstance(task, Task):
        return task, data or task.name
    if data is None and task not in TASKS and store.exists(task):
        return get_task(store.read_meta(task)["task"]), task
    return get_task(task), data or task


def _make_data(task: Task, show: StageProgress) -> None:
    def progress(done: int) -> None:
        show(f"rolling {task.name}", done, task.default_steps)

    make(task, task.default_steps, seed=0, workers=2, progress=progress)


def new_run_folder(config: RunConfig, task: Task) -> Path:
    """Create runs/<task>-<utc>-s<seed>/ with its config.json and the task's robot file."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = new_folder(runs_folder() / f"{config.task}-{stamp}-s{config.seed}")
    write_robot(path, task.robot)
    write_json(path / "config.json", config.to_json())
    return path


def train_run(path: Path, show: StageProgress, stop_after: int | None = None) -> Run:
    """Train the run of a folder to its end, from its checkpoint if there is one.

    Args:
        stop_after: see `StageRunner`.

    Raises:
        KdpError: interrupted (exit code 130, all is saved), or what was saved cannot be gone on with, or
            another process trains this run.
    """
    config = RunConfig.from_json(read_object(path / "config.json"), path / "config.json")
    resume = f"go on with: kdp-edge train --resume {path}"
    runner = StageRunner(path, config.device, show, resume, stop_after)
    with runner.session():
        prepared = prepare(config, store.load_data(config.data), runner)
        nets = train_nets(config, prepared, prepared.matches, runner)
        write_run(path, config, prepared, nets, measure(config, prepared, nets.generator), runner)
    return Run.load(path)


@dataclass(frozen=True)
class Nets:
    """What is deployed; `brace` says how the plan's gain was found, if one was looked for."""

    generator: ResidualMLP
    critic: ResidualMLP
    brace: Brace | None


def train_nets(config: RunConfig, prepared: Prepared, matches: Matches, runner: StageRunner) -> Nets:
    """Generator and critic on `matches`, as they are deployed."""
    part, rng = runner.seeded(config, GENERATOR)
    stage = runner.run(GeneratorStage(part, matches, rng, prepared.verdict))
    net = stage.deployed()
    brace = _brace(config, prepared, net, runner) if config.brace else None
    if brace:
        net = stage.deployed(brace.lead)
        for rows in net.last.parameters():
            enlarge(rows, config, brace.gain)
    part, rng = runner.seeded(config, CRITIC)
    actions = first_actions(prepared.source.windows, config)
    critic = runner.run(DistillStage(part, matches, actions, net, prepared.verdict, rng))
    return Nets(net, critic.net, brace)  # not rounded: it is learned in float32


def _brace(config: RunConfig, prepared: Prepared, net: ResidualMLP, runner: StageRunner) -> Brace:
    """See in a model of the plant whether the plan of latent 0 is near an edge."""
    part, rng = runner.seeded(config, PLANT)
    source = prepared.source
    steps = PlantSteps.of(source.data, source.normalizer, config.device)
    plant = runner.run(PlantStage(part, steps, rng))
    starts = plant.starts(torch.Generator(config.device).manual_seed(config.seed))  # in all processes
    played = config.shape.action_columns(1)

    def plan(state: Tensor) -> Tensor:
        return net(nn.functional.pad(state, (0, config.latent_dim)))[:, played]

    return Brace.of(plant.fallen(plan, starts), plant.fallen(plan, starts, config.brace), config)


def measure(config: RunConfig, prepared: Prepared, net: ResidualMLP) -> dict[str, float]:
    """How far candidates spread, against the matched data and against the same data without tilt."""
    matches = prepared.matches
    untilted = replace(prepared.source.untilted(config), flat=matches.flat, center=matches.center)
    return {
        "spread_ratio": spread_ratio(net, matches, config, states=SPREAD_STATES),
        "spread_ratio_untilted": spread_ratio(net, untilted, config, states=SPREAD_STATES),
    }


def write_run(
    path: Path,
    config: RunConfig,
    prepared: Prepared,
    nets: Nets,
    measured: dict[str, float],
    runner: StageRunner,
) -> None:
    """Write the run's files, by the first process alone; run.json comes last."""
    if distributed.rank() == 0:
        _write_arrays(path, config, prepared, nets)
        metrics = _metrics(config, prepared.source.data, measured, runner)
        metrics["recipe"] = explained(config, traits_of(prepared.source.data), task_in(path, config.task))
        if nets.brace:
            metrics["brace"] = nets.brace.to_json()
        write_json(path / "metrics.json", metrics)
        hashes = {file.name: sha256_file(file) for file in sorted(path.glob("*.safetensors"))}
        write_json(path / "run.json", {**provenance(config, prepared.source.data, metrics), "files": hashes})
    distributed.wait()


def _write_arrays(path: Path, config: RunConfig, prepared: Prepared, nets: Nets) -> None:
    data, normalizer = prepared.source.data, prepared.source.normalizer
    save_weights(path / "generator.safetensors", nets.generator.state_dict())
    save_weights(path / "critic.safetensors", nets.critic.state_dict())
    save_arrays(path / "normalizer.safetensors", {"obs_mean": normalizer.mean, "obs_std": normalizer.std})
    states = calibration_states(data, config.seed, CALIBRATION_STATES)
    change = action_change(data.actions, data.ends)
    save_arrays(path / "calibration.safetensors", {"observations": states, "action_change": change})


def _metrics(
    config: RunConfig, data: DataSet, measured: dict[str, float], runner: StageRunner
) -> dict[str, Any]:
    windows = config.steps * config.batch * config.samples
    return {
        **measured,
        "losses": runner.losses,
        "behaviour_score": data.meta["behaviour"]["score_mean"],
        "wall_s": runner.seconds("wall_s"),
        "cpu_s": runner.seconds("cpu_s"),
        "windows_per_s": round(windows / runner.saved["wall_s"]["generator"], 1),
        "world_size": distributed.size(),
    }


def provenance(config: RunConfig, data: DataSet, metrics: dict[str, Any]) -> dict[str, Any]:
    """What made this run: code, packages, data, machine, time."""
    return {
        "finished_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "kdp_edge": __version__,
        "git": git_commit(),
        "data": {
            "name": data.name,
            "sha256": data.sha256,
            "recipe": data.meta["recipe"],
            "packages": data.meta.get("packages", {}) if data.meta.get("origin") in store.ROLLED else {},
        },
        "packages": versions(PACKAGES),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores{gpu_of(config.device)}",
        "wall_s": round(sum(metrics["wall_s"].values()), 1),
        "cpu_s": round(sum(metrics["cpu_s"].values()), 1),  # what the machine's other load cannot stretch
    }
