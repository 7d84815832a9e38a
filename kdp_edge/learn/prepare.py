"""What every stage of a run is trained on: data -> windows -> values -> tilted (and improved) matches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from kdp_edge.base.errors import KdpError
from kdp_edge.data.store import DataSet
from kdp_edge.data.trajectory import trajectory_merit
from kdp_edge.data.windows import Windows, cached_nearest, make_windows
from kdp_edge.learn import distributed
from kdp_edge.learn.actor import ActorStage
from kdp_edge.learn.matches import Matches, make_matches
from kdp_edge.learn.values import Judge, Transitions, ValueStage, judge, make_transitions
from kdp_edge.run import RunConfig
from kdp_edge.window import Normalizer


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
    improve: Callable[[Transitions], ActorStage],
) -> Prepared:
    """Everything the generator and its rivals are trained on.

    `learn` trains the values; `center` the mean window of each key [M, C]; `improve`, where the recipe
    has it, a policy better than the data's.

    Raises:
        KdpError: there is a policy to move the mean windows to, and no mean windows.
    """
    if config.actor_steps and not config.mean_steps:
        raise KdpError("actor_steps moves mean windows, and mean_steps is 0; expected more than 0")
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
    if config.actor_steps:
        single = make_transitions(data, state, following, replace(config, n_step=1))
        actor = improve(single)
        matches = led(matches, actor, config)
        verdict = actor.judge(verdict)
    return Prepared(data, normalizer, windows, distance2, pool, verdict, matches)


@torch.no_grad()
def led(matches: Matches, actor: ActorStage, config: RunConfig) -> Matches:
    """The matches, with windows moved by as much as their played mean actions are from the policy's.

    What is special about a window stays: candidates spread around the better plan as the data do
    around theirs.
    """
    if matches.center is None:
        raise ValueError("matches without mean windows")
    mean = matches.center.unflatten(1, (config.horizon, -1))
    center = mean.clone()
    for step in range(config.chunk):
        states = mean[:, step, : config.obs_dim] if step else matches.keys
        center[:, step, config.obs_dim :] = actor.actions(states)
    center = center.flatten(1)
    return replace(matches, flat=matches.residual + center, center=center)


def first_actions(windows: Windows, config: RunConfig) -> Tensor:
    """Actions of each window's first `critic_steps` steps, on the training device [M, steps * act]."""
    steps = windows.flat.reshape(len(windows.flat), config.horizon, -1)
    actions = steps[:, : config.critic_steps, config.obs_dim :].reshape(len(steps), -1)
    return torch.as_tensor(actions.copy(), device=config.device)
