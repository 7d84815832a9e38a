# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a plan of KDP and of its rivals costs: int8 C beside torch in one process, and on emulated cores.

Weights are random: time does not depend on them. Scores are the suite's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import write_json
from kdp_edge.base.progress import StageProgress, silent_stages
from kdp_edge.bench import compare
from kdp_edge.bench.beside import FOLDER
from kdp_edge.bench.diffusion import Denoiser
from kdp_edge.bench.firmware.boards import BenchBoard
from kdp_edge.bench.firmware.host import REPEATS, Compiled
from kdp_edge.bench.firmware.measure import parse
from kdp_edge.bench.firmware.programs import build_rivals
from kdp_edge.bench.firmware.rivals import CASES, Rivals, rivals_of
from kdp_edge.learn.checkpoint import save_arrays, save_weights
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.recipes import recipe_for
from kdp_edge.quantization.policy import quantize_run
from kdp_edge.run import CALIBRATION_STATES, Run, RunConfig
from kdp_edge.tasks import Task
from kdp_edge.tasks.robot_folder import write_robot

TORCH, HOST = "torch", "int8 C"


def untrained_run(folder: Path, task: Task, **settings: Any) -> Run:
    """A complete run in `folder` with the shapes of a trained one, its baselines too, and random weights."""
    config = recipe_for(task, task.name, **settings)
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    (folder / FOLDER).mkdir(parents=True)
    write_robot(folder, task.robot)
    for name, net in _nets(config).items():
        save_weights(folder / f"{name}.safetensors", net.state_dict())
    ones = np.ones(config.obs_dim, np.float32)
    save_arrays(folder / "normalizer.safetensors", {"obs_mean": 0 * ones, "obs_std": ones})
    states = rng.standard_normal((CALIBRATION_STATES, config.obs_dim)).astype(np.float32)
    change = np.ones(config.act_dim, np.float32)
    save_arrays(folder / "calibration.safetensors", {"observations": states, "action_change": change})
    write_json(folder / "config.json", config.to_json())
    write_json(folder / "metrics.json", {})
    write_json(folder / "run.json", {"data": {"name": "none", "sha256": "0" * 64}})
    return Run.load(folder)


def _nets(c: RunConfig) -> dict[str, torch.nn.Module]:
    return {
        "generator": ResidualMLP(c.obs_dim + c.latent_dim, c.width, c.blocks, c.window_dim),
        "critic": ResidualMLP(c.obs_dim + c.critic_steps * c.act_dim, c.critic_width, c.critic_blocks, 1),
        f"{FOLDER}/diffusion": Denoiser(c),
        f"{FOLDER}/clone": ResidualMLP(c.obs_dim, c.width, c.blocks, c.window_dim),
    }


def measure(
    task: Task,
    counts: Sequence[int],
    boards: Sequence[BenchBoard] = (),
    rounds: int = 400,
    show: StageProgress = silent_stages,
    **settings: Any,
) -> list[dict[str, Any]]:
    """A row for each planner, number of candidates and form: torch and C here, C on each emulated core.

    Args:
        counts: candidates per plan.
        rounds: plans of each planner that are timed here.
        settings: fields of `RunConfig` that the shapes follow from.

    Raises:
        KdpError: no compiler or emulator, or an answer that differs from the reference.
    """
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="kdp-deployed-") as work:
        run = untrained_run(Path(work) / "run", task, **settings)
        planner = quantize_run(run)
        for k in counts:
            of_k = replace(planner, spec=replace(planner.spec, k=k))
            rivals = rivals_of(of_k, run.config.width, run.config.blocks)
            rows += _here(run, rivals, rounds, show)
            for board in boards:
                show(f"emulating {board.name}, K={k}", len(rows), len(rows) + 1)
                rows += _emulated(board, rivals)
    return rows


def _here(run: Run, rivals: Rivals, rounds: int, show: StageProgress) -> list[dict[str, Any]]:
    k, compiled = rivals.planner.spec.k, Compiled.of(rivals)
    if wrong := compiled.wrong_answers():
        raise KdpError(f"{', '.join(wrong)} compiled for this computer: other answers than the reference's")
    plans = {(TORCH, kind.name): compare.plans(run, kind, k) for kind in compare.kinds_named(CASES)}
    plans |= {(HOST, name): compiled.turn(name) for name in CASES}
    times = compare.timed(plans, rounds, lambda done: show(f"timing K={k}", done, rounds))
    spent = {
        key: 1e3 * found["cpu_ms_p50"] / (REPEATS if key[0] == HOST else 1) for key, found in times.items()
    }
    return [
        _row(form, k, name, spent[form, name], spent[form, "kdp"]) | {"unit": "us", "macs": rivals.macs(name)}
        for form, name in plans
    ]


def _emulated(board: BenchBoard, rivals: Rivals) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="kdp-deployed-") as folder:
        program = build_rivals(board, board.kernels[0], rivals, Path(folder))
        cases = {case.name: case for case in parse(board.run(program.elf), program.elf.name)}
    if wrong := [name for name, case in cases.items() if case.equal != case.calls]:
        raise KdpError(f"{', '.join(wrong)} on {board.name}: other answers than the reference's")
    counted = {name: board.instructions(case.longest) for name, case in cases.items()}
    return [
        _row(f"{board.core}, emulated", rivals.planner.spec.k, name, count, counted["kdp"])
        | {"unit": "instructions", "macs": rivals.macs(name)}
        for name, count in counted.items()
    ]


def _row(form: str, k: int, name: str, cost: float, of_kdp: float) -> dict[str, Any]:
    return {
        "form": form,
        "k": k,
        "planner": name,
        "cost": round(cost, 2),
        "times_kdp": round(cost / of_kdp, 2),
    }
