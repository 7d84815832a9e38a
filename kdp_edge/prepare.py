"""What every stage of a run is trained on: data -> windows -> values -> tilted matches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from kdp_edge import distributed
from kdp_edge.data.store import DataSet
from kdp_edge.data.trajectory import trajectory_merit
from kdp_edge.data.windows import Normalizer, Windows, cached_nearest, make_windows
from kdp_edge.generator import Matches, condition_chances, match_weights
from kdp_edge.run import RunConfig
from kdp_edge.values import Judge, Transitions, ValueStage, judge, make_transitions


@dataclass(frozen=True)
class Prepared:
    """distance2 float32 [M, n], pool int32 [M, n]: of each window's key neighbours, nearest first."""

    data: DataSet
    normalizer: Normalizer
    windows: Windows
    distance2: np.ndarray
    pool: np.ndarray
    verdict: Judge
    matches: Matches


def prepare(
    config: RunConfig,
    data: DataSet,
    learn: Callable[[Transitions], ValueStage],
    center: Callable[[Matches], Tensor],
) -> Prepared:
    """Everything the generator and its rivals are trained on.

    `learn` trains the values; `center` the mean window of each key [M, C].
    """
    normalizer = Normalizer.fit(data.observations)
    windows = make_windows(data, normalizer, config.horizon)
    with distributed.first_alone():
        distance2, pool = cached_nearest(data, windows, config.horizon, config.pool)
    state, following = normalizer(data.observations), normalizer(data.next_observations)
    verdict = judge(learn(make_transitions(data, state, following, config)))
    worth = trajectory_merit(data, config.trajectory_tilt, config.trajectory_share)
    matches = make_matches(config, windows, distance2, pool, verdict, worth)
    if config.mean_steps:
        matches = replace(matches, center=center(matches))
    return Prepared(data, normalizer, windows, distance2, pool, verdict, matches)


def make_matches(
    config: RunConfig,
    windows: Windows,
    distance2: np.ndarray,
    pool: np.ndarray,
    verdict: Judge | None = None,
    trajectory: np.ndarray | None = None,
) -> Matches:
    """`verdict` and `trajectory` [N], of the data's transitions, tilt the draw; without them it is plain."""
    device = config.device
    rows = torch.as_tensor(pool.astype(np.int64), device=device)
    start = torch.as_tensor(windows.start, device=device)
    merit, chance = None, None
    if verdict is not None and trajectory is not None:
        worth = torch.as_tensor(trajectory, device=device)
        merit = verdict.of_data[start[rows]] / config.tilt + worth[start[rows]]
        chance = worth[start]
    cumulative = condition_chances(chance, len(start)).to(device)
    weight = match_weights(torch.as_tensor(distance2, device=device), merit, config.key_tau)
    keys, flat = (torch.as_tensor(array, device=device) for array in (windows.keys, windows.flat))
    return Matches(keys, flat, rows, weight, cumulative)


def first_actions(windows: Windows, config: RunConfig) -> Tensor:
    """Actions of each window's first `critic_steps` steps, on the training device [M, steps * act]."""
    steps = windows.flat.reshape(len(windows.flat), config.horizon, -1)
    actions = steps[:, : config.critic_steps, config.obs_dim :].reshape(len(steps), -1)
    return torch.as_tensor(actions.copy(), device=config.device)
