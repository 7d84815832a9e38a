# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Two equal ways: does a plan take one of them, or lie between?

A point moves on a ring towards a goal. Where the goal is about opposite, its controller goes either way, by
the toss of a coin: the mean of the matched windows stands still there. No simulator: an answer takes minutes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdp_edge.base.progress import StageProgress, silent_stages
from kdp_edge.data.store import DataSet
from kdp_edge.data.windows import Windows, make_windows, nearest
from kdp_edge.learn.clone import CloneStage
from kdp_edge.learn.generator import GeneratorStage
from kdp_edge.learn.matches import make_matches
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.run import RunConfig
from kdp_edge.window import Normalizer

STRIDE = 0.1  # that a full action moves
TIE = 0.8 * np.pi  # a goal farther than this is about as far either way
OPPOSITE = 0.9 * np.pi
REACHED = 0.15  # radians
NOISE = 0.1  # of actions
CLEAR = 0.5  # of the data's median way: what a window must make to have taken one
PROBED, CANDIDATES = 48, 64


def ring_data(episodes: int, seed: int) -> DataSet:
    """Observations [x, y, goal x, goal y], actions: the direction of the next step, each 1 at most."""
    rng = np.random.default_rng(seed)
    seen, played, following, ends = [], [], [], []
    for _ in range(episodes):
        start, goal = rng.uniform(-np.pi, np.pi, 2)
        place = (1 + 0.05 * rng.normal()) * np.array([np.cos(start), np.sin(start)])
        apart = _apart(goal, start)
        side = rng.choice([-1, 1]) if abs(apart) > TIE else np.sign(apart)
        there = np.array([np.cos(goal), np.sin(goal)])
        while True:
            angle, radius = np.arctan2(place[1], place[0]), np.hypot(*place)
            along = side * np.array([-np.sin(angle), np.cos(angle)])
            action = 0.8 * along - (radius - 1) * place / radius + NOISE * rng.normal(size=2)
            action = np.clip(action, -1, 1)
            after = place + STRIDE * action
            seen.append(np.concatenate([place, there]))
            played.append(action)
            following.append(np.concatenate([after, there]))
            place = after
            done = abs(_apart(goal, np.arctan2(place[1], place[0]))) < REACHED
            ends.append(done)
            if done:
                break
    arrays = [np.array(part, np.float32) for part in (seen, played, following)]
    last = np.array(ends)
    return DataSet("ring", arrays[0], arrays[1], last.astype(np.float32), arrays[2], last, last, "", {})


def _apart(goal: float, angle: float) -> float:
    return float((goal - angle + np.pi) % (2 * np.pi) - np.pi)


def ways(
    anchor_taus: tuple[float, ...],
    steps: int,
    episodes: int,
    seed: int,
    progress: StageProgress = silent_stages,
) -> list[dict[str, Any]]:
    """Train on the ring with each anchor, and cloning; then look at plans where both ways are equal.

    Returns:
        a row for the data, cloning, and latent 0 and candidates of each anchor. `between` and `clear`: shares
        of windows that make less than half of a way, and more; `both`: share of forks where a tenth goes each
        way.
    """
    data = ring_data(episodes, seed)
    base = RunConfig("ring", "ring", 4, 2, seed=seed, horizon=8, steps=steps, anchor=3.0)
    windows = make_windows(data, Normalizer.fit(data.observations), base.horizon)
    matches = make_matches(base, windows, *nearest(windows.keys, base.pool))
    forks = Forks(data, windows, base, seed)
    rows = [forks.row("data", matches.flat[matches.pool[forks.rows]])]
    clone = CloneStage(base, matches.keys, matches.flat, torch.Generator().manual_seed(seed))
    keys = matches.keys[forks.rows]
    rows.append(forks.row("cloning", _windows(_trained(clone, progress), keys, 1, 0, seed)))
    for tau in anchor_taus:
        config = replace(base, anchor_tau=tau)
        torch.manual_seed(seed)
        net = _trained(GeneratorStage(config, matches, torch.Generator().manual_seed(seed)), progress)
        label = f"anchor_tau {tau:g}" if tau else "anchor on the mean"
        for what, count in (("latent 0", 1), ("candidates", CANDIDATES)):
            made = _windows(net, keys, count, config.latent_dim, seed)
            rows.append(forks.row(f"{what}, {label}", made))
    return rows


class Forks:
    """States of the data from which both ways are about equal, and what windows make of them."""

    def __init__(self, data: DataSet, windows: Windows, config: RunConfig, seed: int) -> None:
        x, y, goal_x, goal_y = data.observations[windows.start].T.astype(np.float64)
        apart = np.abs((np.arctan2(goal_y, goal_x) - np.arctan2(y, x) + np.pi) % (2 * np.pi) - np.pi)
        equal = np.flatnonzero(apart > OPPOSITE)
        self.rows = np.random.default_rng(seed).choice(equal, min(PROBED, len(equal)), replace=False)
        self.shape = config.shape
        radius = np.hypot(x, y)
        self.along = np.stack([-y / radius, x / radius], 1)
        self.typical = float(
            np.median(np.abs(self._way(torch.as_tensor(windows.flat[equal][:, None]), equal)))
        )

    def row(self, what: str, made: Tensor) -> dict[str, Any]:
        """Shares of windows [F, n, C] that were made for the forks."""
        way = self._way(made, self.rows) / self.typical
        each = np.minimum((way > CLEAR).mean(1), (way < -CLEAR).mean(1))
        between = float((np.abs(way) < CLEAR).mean())
        return {
            "what": what,
            "between": round(between, 3),
            "clear": round(1 - between, 3),
            "both": round(float((each >= 0.1).mean()), 3),
        }

    def _way(self, made: Tensor, rows: np.ndarray) -> np.ndarray:
        """How far windows go along the ring, as seen from where they begin [F, n]."""
        actions = self.shape.actions(made.reshape(-1, made.shape[-1])).clamp(-1, 1).sum(1)
        moved = actions.reshape(len(rows), -1, 2).numpy()
        return (moved * self.along[rows][:, None]).sum(-1)


def _trained(stage: GeneratorStage | CloneStage, progress: StageProgress) -> ResidualMLP:
    while stage.done < stage.total:
        stage.step()
        if stage.done % 100 == 0:
            progress(stage.name, stage.done, stage.total)
    return stage.deployed()


@torch.no_grad()
def _windows(net: ResidualMLP, keys: Tensor, count: int, latent_dim: int, seed: int) -> Tensor:
    """`count` windows [F, count, C] for each of `keys`; a single one is that of latent 0."""
    rng = torch.Generator().manual_seed(seed)
    latents = torch.randn(len(keys), count, latent_dim, generator=rng) * (count > 1)
    made: Tensor = net(torch.cat([keys[:, None].expand(-1, count, -1), latents], -1))
    return made
