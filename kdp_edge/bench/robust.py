# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What is left of a policy on a plant that is not the nominal one: float, int8, and what made the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from kdp_edge.base.progress import StageProgress, silent_stages
from kdp_edge.bench.baseline_planners import DiffusionPlanner
from kdp_edge.bench.baselines import missing
from kdp_edge.data.making.behaviour import load_actor, part_label
from kdp_edge.play.evaluate import BatchedPlanner, play_episodes
from kdp_edge.play.integer_check import BatchPlanner
from kdp_edge.play.planner import KdpPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.run import Run
from kdp_edge.tasks import Part, Task
from kdp_edge.tasks.perturbed import NOMINAL, PERTURBATIONS

RIVAL_STEPS = 20


class BehaviourPlanner:
    """A behaviour policy of a local twin, in the form that `play_episodes` plays."""

    def __init__(self, task: Task, part: Part) -> None:
        self.robot, self.actor = task.robot, load_actor(task, part)
        self.noise = np.random.default_rng(0)

    def plan(self, observations: np.ndarray, rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Raw observations [E, obs] -> actions as shares [E, 1, act], winners [E]: all 0."""
        actions = self.actor.act(observations.astype(np.float32), self.noise)
        return self.robot.shares(actions)[:, None], np.zeros(len(observations), np.int64)


def planners_of(run: Run, integers: IntegerPlanner | None) -> dict[str, BatchedPlanner]:
    """What is played side by side: float, int8 if given, each policy of the data, the rival where trained."""
    task = run.task()
    found: dict[str, BatchedPlanner] = {"float": KdpPlanner(run)}
    if integers is not None:
        found["int8"] = BatchPlanner(integers, task.robot)
    if not missing(run.path, [f"diffusion-{RIVAL_STEPS}"]):
        found[f"diffusion-{RIVAL_STEPS}"] = DiffusionPlanner(run, RIVAL_STEPS)
    for part in task.recipe:
        found[f"data: {part_label(part)}"] = BehaviourPlanner(task, part)
    return found


def robustness(
    run: Run,
    integers: IntegerPlanner | None,
    seeds: Sequence[int],
    names: Sequence[str] = tuple(PERTURBATIONS),
    progress: StageProgress = silent_stages,
) -> list[dict[str, Any]]:
    """Every planner under every perturbation, the nominal plant first, on the same episodes."""
    plants = {"nominal": NOMINAL} | {name: PERTURBATIONS[name] for name in names}
    planners, rows = planners_of(run, integers), []
    for name, perturbation in plants.items():
        for label, planner in planners.items():
            chunk = 1 if isinstance(planner, BehaviourPlanner) else None
            played = play_episodes(run, seeds, planner, chunk, perturbation=perturbation)
            row = {"perturbation": name, "planner": label, **played.summary()}
            rows.append(row | {"scores": [round(float(score), 2) for score in played.scores]})
            progress("played", len(rows), len(plants) * len(planners))
    return rows
