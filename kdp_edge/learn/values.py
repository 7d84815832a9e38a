# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Values learned from the data, used while training only: an ensemble Q(s, a) and V(s).

n-step implicit Q-learning (IQL, Kostrikov et al., arXiv 2110.06169), warm started on Monte-Carlo
returns so that few steps suffice. The values judge actions of the data, which tilts the generator's
positives, and candidates, which teaches the deployed critic.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kdp_edge.data.store import DataSet
from kdp_edge.learn.feed import Feed
from kdp_edge.learn.learner import DTYPES, Learner, Rounded, cosine
from kdp_edge.learn.replay import Replay
from kdp_edge.learn.stage import Resumable
from kdp_edge.run import RunConfig

TARGET_RATE = 0.01  # of the Polyak average that makes the targets
JUDGED = 4096  # actions judged at once
CLIP = 3.0  # standard deviations of the advantage; beyond, nothing is worth telling apart


class Ensemble(nn.Module):
    """E independent two-layer nets with LayerNorm, evaluated by batched products: [B, in] -> [E, B].

    The last bias is exact whatever the precision: it holds the mean of all values, and what is rounded
    are differences from it.
    """

    exact = ("b3",)

    def __init__(self, members: int, inputs: int, width: int) -> None:
        super().__init__()
        self.members = members
        self.w1, self.b1 = _layer(members, inputs, width)
        self.w2, self.b2 = _layer(members, width, width)
        self.w3, self.b3 = _layer(members, width, 1)
        self.gain = nn.Parameter(torch.ones(members, 1, width))
        self.shift = nn.Parameter(torch.zeros(members, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """[B, in], or [E, B, in] of each member's own -> [E, B]."""
        hidden = torch.baddbmm(self.b1, x.expand(self.members, -1, -1), self.w1).relu_()
        hidden = torch.baddbmm(self.b2, hidden, self.w2)
        hidden = nn.functional.layer_norm(hidden, hidden.shape[-1:])
        hidden = (hidden * self.gain).add_(self.shift).relu_()
        return (torch.bmm(hidden, self.w3) + self.b3)[..., 0]

    @torch.no_grad()
    def first(self, count: int) -> Ensemble:
        """A copy of the first `count` members."""
        made = Ensemble(count, *self.w1.shape[1:]).to(self.w1.device).requires_grad_(False)
        for mine, theirs in zip(made.parameters(), self.parameters(), strict=True):
            mine.copy_(theirs[:count])
        return made


def _layer(members: int, inputs: int, outputs: int) -> tuple[nn.Parameter, nn.Parameter]:
    bound = 1 / math.sqrt(inputs)
    weight = torch.empty(members, inputs, outputs).uniform_(-bound, bound)
    bias = torch.empty(members, 1, outputs).uniform_(-bound, bound)
    return nn.Parameter(weight), nn.Parameter(bias)


@dataclass(frozen=True)
class Transitions:
    """What value learning reads, on the training device; rewards in units of the returns' spread.

    inputs [N, obs+act]: normalised observation and action; following [N, obs]: the observation
    after the step; returns [N]: Monte-Carlo; rewards [N]: sum of up to n discounted rewards;
    last int64 [N]: transition after which to bootstrap; discount [N]: 0 where the episode terminated.
    """

    inputs: Tensor
    following: Tensor
    returns: Tensor
    rewards: Tensor
    last: Tensor
    discount: Tensor

    @property
    def obs_dim(self) -> int:
        return self.following.shape[1]


def monte_carlo(rewards: np.ndarray, terminals: np.ndarray, ends: np.ndarray, discount: float) -> np.ndarray:
    """Discounted return to go [N]; a truncated episode goes on at the data's mean reward."""
    rest = float(rewards.mean()) / (1 - discount)
    returns = np.empty(len(rewards), np.float64)
    following = 0.0
    for i in range(len(rewards) - 1, -1, -1):
        if ends[i]:
            following = 0.0 if terminals[i] else rest
        following = returns[i] = float(rewards[i]) + discount * following
    return returns.astype(np.float32)


def n_step(
    rewards: np.ndarray, terminals: np.ndarray, ends: np.ndarray, n: int, discount: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of up to n discounted rewards within the episode, for bootstrapping after them.

    Returns:
        sums float32 [N], number of the last transition summed int64 [N], discount of the value
        that follows it float32 [N] (0 after a terminal).
    """
    rows = np.arange(len(rewards))
    episode_end = np.flatnonzero(ends)[np.cumsum(np.concatenate([[0], ends[:-1]]))]
    last = np.minimum(rows + n - 1, episode_end)
    sums = np.zeros(len(rewards), np.float32)
    for k in range(n):
        inside = rows + k <= last
        sums[inside] += discount**k * rewards[rows[inside] + k]
    factor = np.where(terminals[last], 0.0, discount ** (last - rows + 1.0))
    return sums, last, factor.astype(np.float32)


def make_transitions(
    data: DataSet, state: np.ndarray, following: np.ndarray, config: RunConfig
) -> Transitions:
    """Tensors for value learning from normalised observations `state` and `following` [N, obs]."""
    returns = monte_carlo(data.rewards, data.terminals, data.ends, config.discount)
    spread = float(returns.std())  # in the unit of the rewards, which may be a small one
    unit = 1 / (spread + min(1e-6, spread)) if spread > 0 else 1.0
    sums, last, factor = n_step(
        data.rewards * unit, data.terminals, data.ends, config.n_step, config.discount
    )
    arrays = (np.concatenate([state, data.actions], 1), following, returns * unit, sums, last, factor)
    tensors = [torch.as_tensor(np.ascontiguousarray(array), device=config.device) for array in arrays]
    return Transitions(*tensors)


class IQLStage(Resumable):
    """Implicit Q-learning: an ensemble Q_1..Q_E(s, a), and V(s) by expectile regression on their minimum.

    V is member E + 1 of one `Ensemble`, with zeros in place of the action, so that one batched product
    gives all values. `slow` is the target network: the Polyak average of Q, and V as it is (rate 1).
    """

    name = "values"
    saved = ("learner", "slow", "feed")

    def __init__(self, config: RunConfig, data: Transitions, rng: torch.Generator) -> None:
        self.config, self.data, self.rng = config, data, rng
        device = data.inputs.device
        net = Ensemble(config.value_ensemble + 1, data.inputs.shape[1], config.value_width).to(device)
        with torch.no_grad():
            net.b3.add_(data.returns.mean())
        self.dtype = DTYPES[config.precision]
        self.slow = Rounded(copy.deepcopy(net).requires_grad_(False), self.dtype)
        self.learner = Learner(net, self.dtype, config.value_lr, decay=0.0)
        rates = torch.full((config.value_ensemble + 1, 1, 1), TARGET_RATE, device=device)
        rates[-1] = 1.0
        self.rates = torch.cat([rates.expand_as(p).flatten() for p in self.learner.parameters])
        self.feed = Feed(self._draw, rng)
        self.update = Replay(self._update)
        self.total = config.value_warmup + config.value_steps
        self.done = 0
        self.loss = torch.zeros((), device=device)

    def step(self) -> None:
        """One update: regress on Monte-Carlo returns at first, then implicit Q-learning."""
        c = self.config
        warm = self.done < c.value_warmup
        if self.done == c.value_warmup:
            self._follow(torch.ones_like(self.rates))
        share = 1.0 if warm else 0.1 + 0.9 * cosine(self.done - c.value_warmup, c.value_steps)
        self.learner.at(share)
        self.loss = self.update(*self.feed.next(), warm)
        self.done += 1

    def _update(
        self, inputs: Tensor, later: Tensor, returns: Tensor, rewards: Tensor, discount: Tensor, warm: bool
    ) -> Tensor:
        c = self.config
        q, v = self._split(self.learner.net(inputs))
        if warm:
            goal, v_loss = returns, (v - returns).square().mean()
        else:
            with torch.no_grad():
                q_slow, v_later = self._split(self.slow.net(later))
            goal = rewards + discount * v_later
            gap = q_slow.min(0).values - v  # V's expectile loss towards the ensemble's minimum
            weight = torch.where(gap > 0, c.expectile, 1 - c.expectile)
            v_loss = (weight * gap.square()).mean()
        loss = v_loss + (q - goal).square().mean() * c.value_ensemble
        self.learner.step(loss)
        if not warm:
            self._follow(self.rates)
        return loss.detach()

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """Rows of `Transitions` for `steps` steps, drawn evenly.

        Returns:
            inputs [steps, E + 1, B, in] for the values now; inputs for the targets: the same for Q,
            the observation after n steps for V; returns, rewards and discount [steps, B].
        """
        data, batch = self.data, self.config.value_batch
        rows = torch.randint(len(data.inputs), (steps * batch,), generator=self.rng, device=self.rng.device)
        inputs = data.inputs.index_select(0, rows)
        following = data.following.index_select(0, data.last.index_select(0, rows))
        scalars = (part.index_select(0, rows) for part in (data.returns, data.rewards, data.discount))
        both = (self._join(inputs, state) for state in (inputs[:, : data.obs_dim], following))
        members = (
            part.to(self.dtype).unflatten(1, (steps, batch)).transpose(0, 1).contiguous() for part in both
        )
        return *members, *(part.unflatten(0, (steps, batch)) for part in scalars)

    def _join(self, inputs: Tensor, state: Tensor) -> Tensor:
        """What the members of Q and the one of V see [E + 1, B, in]: `inputs`, and `state` alone."""
        alone = nn.functional.pad(state, (0, inputs.shape[1] - state.shape[1]))
        return torch.stack([inputs] * self.config.value_ensemble + [alone])

    def _split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Q [E, B] and V [B]."""
        return values[:-1], values[-1]

    def _follow(self, rates: Tensor) -> None:
        self.slow.vector.lerp_(self.learner.vector, rates)
        self.slow.refresh()

    @torch.no_grad()
    def advantages(self, net: Ensemble) -> Tensor:
        """min_e Q_e(s, a) - V(s) of the data's own actions [N]; `net` is `slow` in float32."""
        found = []
        for part in self.data.inputs.split(JUDGED):
            q, v = self._split(net(self._join(part, part[:, : self.data.obs_dim])))
            found.append(q.min(0).values - v)
        return torch.cat(found)

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}


@dataclass(frozen=True)
class Judge:
    """What learned values say of actions, in standard deviations of the advantage over the data.

    `of_data` [N]: pessimistic advantage min_e Q_e(s, a) - V(s) of the data's own actions, clipped.
    """

    q: Ensemble
    of_data: Tensor
    unit: float

    @torch.no_grad()
    def gain(self, state: Tensor, actions: Tensor, baseline: Tensor) -> Tensor:
        """How much better `actions` are than `baseline` in the eyes of the least convinced member.

        Comparing within a member cancels what it misjudges about the state; the minimum over
        members keeps a candidate from exploiting one member's error. All [B, ...] -> [B].
        """
        return self.gain_over(self.q(torch.cat([state, baseline], -1)), state, actions)

    @torch.no_grad()
    def gain_over(self, baseline: Tensor, state: Tensor, actions: Tensor) -> Tensor:
        """`gain` over actions whose values `q` [E, B] are known."""
        difference = self.q(torch.cat([state, actions], -1)) - baseline
        return (difference.min(0).values * self.unit).clamp(-CLIP, CLIP)


@torch.no_grad()
def judge(values: IQLStage) -> Judge:
    """The judge that trained values make, in float32: it compares values that differ little."""
    net = values.slow.unrounded()
    raw = values.advantages(net)
    unit = 1 / (raw.std().item() + 1e-8)
    return Judge(net.first(values.config.value_ensemble), (raw * unit).clamp(-CLIP, CLIP), unit)
