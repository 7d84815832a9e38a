# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Two equal ways: does a plan take one of them, or lie between? And which, when one is closed?

On the task `ring-maze`, whose data go either way by the toss of a coin. Runs are trained as the recipe says,
but for fewer steps; beside them a variant whose latent 0 regresses on the mean, diffusion and cloning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, write_json
from kdp_edge.base.progress import StageProgress, silent_stages
from kdp_edge.base.statistics import rounded95, success_summary
from kdp_edge.base.workspace import workspace
from kdp_edge.bench.ablation import Variant, ensure_variant
from kdp_edge.bench.baselines import ensure_baselines
from kdp_edge.bench.compare import kinds_named
from kdp_edge.data import store
from kdp_edge.data.making.make import make
from kdp_edge.data.store import DataSet
from kdp_edge.learn.recipes import recipe_for
from kdp_edge.learn.train import train_run
from kdp_edge.learn.traits import traits_named, traits_of
from kdp_edge.play.evaluate import FIRST_SEED, play_episodes
from kdp_edge.play.planner import KdpPlanner, RankingPlanner
from kdp_edge.run import Run, RunConfig
from kdp_edge.tasks import get_task
from kdp_edge.tasks.maze import RING
from kdp_edge.tasks.ring_maze import NONE, RingMaze
from kdp_edge.window import window_starts

ACROSS = 1  # the action that pushes along the ring, at its start
CLEAR = 0.5  # of the data's median push: what a plan must push to have taken a way
EACH = 0.1  # share of a fork's candidates that must go each way for both to be offered
FORKS, CANDIDATES = 48, 64
MEAN = Variant("anchor on the mean", {"anchor_tau": 0.0, "distill_steps": 1})  # nothing of it is ranked
RIVALS = ("diffusion-20", "diffusion-5", "diffusion-1", "clone")
IN_THE_LOOP = ("kdp", "kdp-plan", "diffusion-20", "diffusion-1", "clone")
LABELS = {
    "kdp": "KDP, K ranked",
    "kdp-plan": "KDP, latent 0",
    "diffusion-20": "20 denoising steps",
    "diffusion-5": "5 denoising steps",
    "diffusion-1": "1 denoising step",
    "clone": "cloning",
}


@dataclass(frozen=True)
class Settings:
    """What is trained and played: training steps of a net, and episodes with each state of the ring."""

    seeds: tuple[int, ...] = (31, 32, 33)
    data_seed: int = 31
    steps: int = 3000
    episodes: int = 40


def parse_seeds(text: str) -> tuple[int, ...]:
    """`"31,32"` -> seeds; raises `KdpError` for anything else."""
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 0 or len(set(found)) < len(found):
        raise KdpError(f"--seeds {text}: expected different whole numbers from 0 up, with commas between")
    return found


def measure(settings: Settings, show: StageProgress = silent_stages) -> dict[str, Any]:
    """Train and play; see `rows_of` for what it returns beside the settings and the data's traits."""
    data = _data(settings.data_seed)
    forks = Forks.of(data)
    runs = [_run(settings, seed, show) for seed in settings.seeds]
    found = [_of_run(run, settings, forks, show) for run in runs]
    traits = traits_of(data)
    return {
        "task": RING,
        "data": {"seed": settings.data_seed, "transitions": len(data), "forks": round(traits.forks, 4)},
        "seeds": list(settings.seeds),
        "steps": settings.steps,
        "clear": round(CLEAR * forks.typical, 3),
        "ways": rows_of([{"data": forks.shares(forks.taken), **one["ways"]} for one in found]),
        "loop": loop_rows([one["loop"] for one in found]),
        "picture": found[0]["picture"],
    }


def _data(seed: int) -> DataSet:
    task = get_task(RING)
    name = f"{RING}-bench{seed}"
    make(task, task.default_steps, seed=seed, workers=2, name=name)
    return store.load_data(name)


def _run(settings: Settings, seed: int, show: StageProgress) -> Run:
    """The run of a seed, with all that is trained beside it; what is there already is taken."""
    task, name = get_task(RING), f"{RING}-bench{settings.data_seed}"
    config = recipe_for(task, name, traits_named(name), seed=seed, **quick(settings.steps))
    path = workspace() / "bench" / "ring" / f"d{settings.data_seed}-n{settings.steps}-s{seed}"
    if not (path / "config.json").is_file():
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / "config.json", config.to_json())
    if RunConfig.from_json(read_json(path / "config.json"), path / "config.json") != config:
        raise KdpError(f"{path}: started with other settings; delete it to train it again")
    run = Run.load(path) if (path / "run.json").is_file() else train_run(path, show)
    ensure_baselines(run, RIVALS, show)
    ensure_variant(run, MEAN, {}, show)
    return run


def quick(steps: int) -> dict[str, int]:
    """Settings of a training that takes minutes: fewer steps on smaller batches than the recipe's."""
    few = max(1, steps // 3)
    lengths = {"steps": steps, "value_steps": steps, "value_warmup": few, "mean_steps": few}
    batches = {"batch": 32, "anchor_batch": 128, "value_batch": 128, "value_width": 128, "distill_batch": 256}
    return {**lengths, **batches, "distill_steps": max(1, steps // 2)}


def _of_run(run: Run, settings: Settings, forks: Forks, show: StageProgress) -> dict[str, Any]:
    """Of one training: shares of plans in each way by planner, episodes in the loop, and a fork's picture."""
    variant = ensure_variant(run, MEAN, {}, show)
    planners = {
        "latent 0, a mode": (run, "kdp-plan"),
        "latent 0, the mean": (variant, "kdp-plan"),
        "candidates, a mode": (run, "kdp"),
        "candidates, the mean": (variant, "kdp"),
        **{LABELS[name]: (run, name) for name in RIVALS},
    }
    chosen = played(run, forks.states)
    ways = {"played: ranked, a mode": forks.shares(chosen[..., ACROSS])}
    picture: list[dict[str, Any]] = []  # in this order in a file as well
    for label, (one, kind) in planners.items():
        pushes = candidates(one, kind, forks.states)
        ways[label] = forks.shares(pushes[..., ACROSS])
        drawn = pushes.shape[1] > 1
        shown = pushes[0] if drawn else pushes[:, 0]  # one fork's candidates, or the plans of all
        picture.append({"what": label, "forces": np.round(shown, 2).tolist()})
        show("forks", len(ways), len(planners))
    return {"ways": ways, "picture": picture, "loop": _in_the_loop(run, variant, settings.episodes, show)}


def candidates(run: Run, kind: str, states: np.ndarray) -> np.ndarray:
    """Mean force of each plan that is made for each of the states [F, n, 2]; one, where nothing is drawn."""
    planner: RankingPlanner = kinds_named([kind])[0].make(run, CANDIDATES)
    planner.sample_all = planner.k > 1
    planner.plan(states, torch.Generator().manual_seed(0))
    grid = planner.table.action_grid  # [horizon * act, F, n]
    made = grid.reshape(run.config.horizon, run.config.act_dim, *grid.shape[1:])
    return made.mean(0).transpose(1, 2, 0)


def played(run: Run, states: np.ndarray) -> np.ndarray:
    """Mean force of the plan that the run's critic chooses for each of the states, as deployed [F, 1, 2]."""
    actions, _ = KdpPlanner(run).plan(states, torch.Generator().manual_seed(0))
    return actions.mean(1)[:, None]


def _in_the_loop(run: Run, mean: Run, episodes: int, show: StageProgress) -> dict[str, dict[str, Any]]:
    """Episodes of each planner on the free ring, and with a way closed."""
    made = {LABELS[kind.name]: (run, kind) for kind in kinds_named(IN_THE_LOOP)}
    made["KDP, latent 0 on the mean"] = (mean, kinds_named(["kdp-plan"])[0])
    found: dict[str, dict[str, Any]] = {}
    for label, (one, kind) in made.items():
        found[label] = {}
        for state, seeds in ring_seeds(episodes).items():
            played = play_episodes(one, seeds, kind.make(one, one.config.k))
            found[label][state] = {
                "successes": [bool(success) for success in played.successes],
                "scores": [round(float(score), 1) for score in played.scores],
            }
        show("played", len(found), len(made))
    return found


def ring_seeds(episodes: int) -> dict[str, list[int]]:
    """The first seeds of episodes with no way closed, and with either."""
    env, found = RingMaze(), {"free": list[int](), "closed": list[int]()}
    seed = FIRST_SEED
    while min(map(len, found.values())) < episodes:
        state = "free" if env.reset(seed=seed)[1]["blocked"] == NONE else "closed"
        found[state] += [seed] if len(found[state]) < episodes else []
        seed += 1
    return found


@dataclass(frozen=True)
class Forks:
    """Where both ways are open and equal: states [F, obs], and the pushes that the data made there [F, 1]."""

    states: np.ndarray
    taken: np.ndarray
    typical: float  # median push of the data, either way

    @classmethod
    def of(cls, data: DataSet, horizon: int = 4) -> Forks:
        """First states of the data's episodes in which no way was closed."""
        starts = window_starts(data.ends, horizon)
        first = starts[np.isin(starts - 1, np.flatnonzero(data.ends))]
        first = first[data.observations[first, -1] == NONE]
        pushes = data.actions[first[:, None] + np.arange(horizon)][..., ACROSS].mean(1)[:, None]
        chosen = slice(None, FORKS)
        return cls(data.observations[first[chosen]], pushes[chosen], float(np.median(np.abs(pushes))))

    def shares(self, pushes: np.ndarray) -> dict[str, float]:
        """Of plans [F, n]: shares between the ways, to the left, to the right; of forks that offer both."""
        left, right = pushes < -CLEAR * self.typical, pushes > CLEAR * self.typical
        return {
            "between": float((~left & ~right).mean()),
            "left": float(left.mean()),
            "right": float(right.mean()),
            "both": float((np.minimum(left.mean(1), right.mean(1)) >= EACH).mean()),
        }


def rows_of(seeds: Sequence[dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """A row per planner: mean shares over the trainings, and the interval over them of the share between."""
    rows = []
    for label in seeds[0]:
        each = [one[label] for one in seeds]
        row: dict[str, Any] = {name: round(float(np.mean([s[name] for s in each])), 3) for name in each[0]}
        between = [round(s["between"], 3) for s in each]
        span = rounded95(between, 3)
        share = span and [min(max(end, 0.0), 1.0) for end in span]  # Student's t knows no share
        rows.append({"what": label, **row, "between_ci95": share, "between_by_seed": between})
    return rows


def loop_rows(seeds: Sequence[dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row per planner: success and score on the free ring and with a way closed, over all trainings."""
    rows = []
    for label in seeds[0]:
        row: dict[str, Any] = {"what": label}
        for state in seeds[0][label]:
            each = [one[label][state] for one in seeds]
            rate = success_summary([success for one in each for success in one["successes"]])
            by_seed = [round(float(np.mean(one["scores"])), 1) for one in each]
            row[state] = {
                **rate,
                "score": round(float(np.mean(by_seed)), 1),
                "score_ci95": rounded95(by_seed, 1),
                "score_by_seed": by_seed,
            }
        rows.append(row)
    return rows
