# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A policy better than the one in the data, and the values of what it does.

Values of the data's own actions (values.py) say which of them were good; where all come from one
middling policy that is little. Here policy and values improve on each other: TD3+BC (Fujimoto & Gu,
arXiv 2106.06860) with normalised critics and long training as in ReBRAC (Tarasov et al., arXiv
2305.09836), pessimistic by the minimum over an ensemble (An et al., arXiv 2110.01548). It is
used while training only: matched windows are moved so that their mean is what this policy plays.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from kdp_edge.learn.feed import Feed
from kdp_edge.learn.learner import DTYPES, Learner, Rounded, cosine
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.replay import Replay
from kdp_edge.learn.stage import Resumable
from kdp_edge.learn.values import Ensemble, Judge, Transitions
from kdp_edge.run import RunConfig

TARGET_RATE = 0.01  # of the Polyak averages that make the targets
EVERY = 2  # steps of the critics per step of the policy
NOISE, NOISE_CLIP = 0.2, 0.5  # target policy smoothing: values must not hang on one action
LAST_SHARE = 0.1  # of the learning rate, after its cosine
PARTS = 8192  # states at once


class TD3BCStage(Resumable):
    """TD3+BC: an ensemble Q(s, a) of the policy's values, and the deterministic pi(s) that raises them.

    Delayed policy updates, target policy smoothing and Polyak-averaged target networks (`slow_...`) are
    TD3's.

    A policy's step minimises -Q(s, pi(s)) / mean |Q| + `actor_hold` * |pi(s) - a|^2 with the least of the
    ensemble's Q, a the data's action.
    """

    name = "actor"
    saved = ("critics", "slow_critics", "actor", "slow_actor", "feed")

    def __init__(self, config: RunConfig, data: Transitions, rng: torch.Generator) -> None:
        """`data`: with rewards of one step."""
        self.config, self.data, self.rng = config, data, rng
        device = data.inputs.device
        self.dtype = DTYPES[config.precision]
        q = Ensemble(config.actor_ensemble, data.inputs.shape[1], config.actor_width).to(device)
        with torch.no_grad():
            q.b3.add_(data.returns.mean())
        pi = ResidualMLP(config.obs_dim, config.actor_width, 1, config.act_dim).to(device)
        self.slow_critics = Rounded(copy.deepcopy(q).requires_grad_(False), self.dtype)
        self.slow_actor = Rounded(copy.deepcopy(pi).requires_grad_(False), self.dtype)
        self.critics = Learner(q, self.dtype, config.value_lr, decay=0.0)
        self.actor = Learner(pi, self.dtype, config.value_lr, decay=0.0)
        self.feed = Feed(self._draw, rng)
        self.update = Replay(self._update)
        self.total = config.actor_steps
        self.done = 0
        self.loss = torch.zeros((), device=device)

    def step(self) -> None:
        """One update of the critics, and every other time one of the policy."""
        share = LAST_SHARE + (1 - LAST_SHARE) * cosine(self.done, self.total)
        self.critics.at(share)
        self.actor.at(share)
        self.loss = self.update(*self.feed.next(), self.done % EVERY == 0)
        self.done += 1

    def _update(  # of the critics, or of both
        self, inputs: Tensor, following: Tensor, reward: Tensor, discount: Tensor, noise: Tensor, both: bool
    ) -> Tensor:
        c = self.config
        with torch.no_grad():
            played = act(self.slow_actor.net, following) + noise
            later = self.slow_critics.net(join(following, played.clamp(-1, 1)))
            goal = reward + discount * later.float().min(0).values
        loss = (self.critics.net(inputs).float() - goal).square().mean()
        self.critics.step(loss * c.actor_ensemble)
        if both:
            self._improve(inputs)
        return loss.detach()

    def _improve(self, inputs: Tensor) -> None:
        state, action = inputs.split([self.config.obs_dim, self.config.act_dim], -1)
        played = act(self.actor.net, state)
        value = self.critics.net(join(state, played)).float().min(0).values
        held = (played - action).square().sum(-1).mean()
        self.actor.step(self.config.actor_hold * held - value.mean() / value.detach().abs().mean())
        for slow, learner in (self.slow_critics, self.critics), (self.slow_actor, self.actor):
            slow.vector.lerp_(learner.vector, TARGET_RATE)
            slow.refresh()

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """What `steps` steps read, drawn evenly.

        Returns:
            inputs [steps, B, obs + act], following [steps, B, obs], reward and discount [steps, B],
            noise of the actions played there [steps, B, act].
        """
        data, batch = self.data, self.config.value_batch
        rows = torch.randint(len(data.inputs), (steps * batch,), generator=self.rng, device=self.rng.device)
        tables = (data.inputs, data.following, data.rewards, data.discount)
        inputs, following, *scalars = (table.index_select(0, rows) for table in tables)
        shape = (steps * batch, self.config.act_dim)
        noise = NOISE * torch.randn(shape, generator=self.rng, device=self.rng.device)
        noise.clamp_(-NOISE_CLIP, NOISE_CLIP)
        parts = (inputs.to(self.dtype), following.to(self.dtype), *scalars, noise)
        return tuple(part.unflatten(0, (steps, batch)) for part in parts)

    @torch.no_grad()
    def actions(self, states: Tensor) -> Tensor:
        """What the policy plays [M, act] in `states` [M, obs], in float32."""
        net = self.slow_actor.unrounded()
        return torch.cat([act(net, part) for part in states.split(PARTS)])

    @torch.no_grad()
    def judge(self, before: Judge) -> Judge:
        """The judge of the policy's values; of the data's actions it holds what `before` does."""
        q = self.slow_critics.unrounded()
        states = self.data.inputs[:, : self.config.obs_dim]
        own = join(states, self.actions(states))
        parts = zip(self.data.inputs.split(PARTS), own.split(PARTS), strict=True)
        gap = torch.cat([q(theirs).min(0).values - q(ours).min(0).values for theirs, ours in parts])
        return Judge(q, before.of_data, 1 / (gap.std().item() + 1e-8))

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}


def act(net: nn.Module, states: Tensor) -> Tensor:
    """Actions of a policy net, float32 in [-1, 1]."""
    return net(states).float().tanh()


def join(states: Tensor, actions: Tensor) -> Tensor:
    """Inputs of Q in the states' dtype."""
    return torch.cat([states, actions.to(states.dtype)], -1)
