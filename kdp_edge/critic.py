"""Values for ranking: heavy critics while training, distilled into the small net that is deployed.

Values are learned with n-step implicit Q-learning (IQL, Kostrikov et al., arXiv 2110.06169), warm
started on Monte-Carlo returns so that few steps suffice. They judge actions of the data (which
tilts the generator's positives) and candidates (which teaches the deployed critic).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdp_edge.data.store import DataSet
from kdp_edge.generator import ResidualMLP
from kdp_edge.run import RunConfig

TARGET_RATE = 0.01
ADVANTAGE_CLIP = 3.0  # standard deviations; keeps the int8 output's step fine where ranking happens


class Ensemble(nn.Module):
    """E independent two-layer nets with LayerNorm, evaluated by batched products: [B, in] -> [E, B]."""

    def __init__(self, members: int, inputs: int, width: int) -> None:
        super().__init__()
        self.members = members
        self.w1, self.b1 = _layer(members, inputs, width)
        self.w2, self.b2 = _layer(members, width, width)
        self.w3, self.b3 = _layer(members, width, 1)
        self.gain = nn.Parameter(torch.ones(members, 1, width))
        self.shift = nn.Parameter(torch.zeros(members, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(torch.baddbmm(self.b1, x.expand(self.members, -1, -1), self.w1))
        hidden = torch.baddbmm(self.b2, hidden, self.w2)
        hidden = nn.functional.layer_norm(hidden, hidden.shape[-1:])
        hidden = torch.relu(torch.addcmul(self.shift, self.gain, hidden))
        return torch.baddbmm(self.b3, hidden, self.w3)[..., 0]


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
    unit = 1 / (float(returns.std()) + 1e-6)
    sums, last, factor = n_step(
        data.rewards * unit, data.terminals, data.ends, config.n_step, config.discount
    )
    arrays = (np.concatenate([state, data.actions], 1), following, returns * unit, sums, last, factor)
    tensors = [torch.as_tensor(np.ascontiguousarray(array), device=config.device) for array in arrays]
    return Transitions(*tensors)


class ValueStage:
    """Learns an ensemble Q(s, a) and V(s) on the data's own actions."""

    name = "values"

    def __init__(self, config: RunConfig, data: Transitions, rng: torch.Generator) -> None:
        self.config, self.data, self.rng = config, data, rng
        device = data.inputs.device
        sizes = (config.value_ensemble, data.inputs.shape[1], config.value_width)
        self.q, self.q_slow = Ensemble(*sizes).to(device), Ensemble(*sizes).to(device)
        self.v = Ensemble(1, data.obs_dim, config.value_width).to(device)
        with torch.no_grad():
            self.q.b3.add_(data.returns.mean())
            self.v.b3.add_(data.returns.mean())
        self.q_slow.load_state_dict(self.q.state_dict())
        self.q_slow.requires_grad_(False)
        self.parameters = [*self.q.parameters(), *self.v.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, config.value_lr, fused=True)
        self.total = config.value_warmup + config.value_steps
        self.done = 0
        self.loss = torch.zeros((), device=device)

    def step(self) -> None:
        c, data = self.config, self.data
        warm = self.done < c.value_warmup
        if self.done == c.value_warmup:
            self.q_slow.load_state_dict(self.q.state_dict())
        self._set_rate(0 if warm else (self.done - c.value_warmup) / c.value_steps)
        rows = torch.randint(
            len(data.inputs), (c.value_batch,), generator=self.rng, device=data.inputs.device
        )
        inputs = data.inputs[rows]
        state = inputs[:, : data.obs_dim]
        if warm:
            goal, v_error = data.returns[rows], self.v(state)[0] - data.returns[rows]
            v_loss = v_error.square().mean()
        else:
            goal, v_loss = self._targets(rows, inputs, state)
        loss = v_loss + (self.q(inputs) - goal).square().mean() * c.value_ensemble
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if not warm:
            self._follow()
        self.loss = loss.detach()
        self.done += 1

    def _targets(self, rows: Tensor, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """n-step targets of Q, and V's expectile loss towards the ensemble's minimum."""
        data = self.data
        with torch.no_grad():
            goal = data.rewards[rows] + data.discount[rows] * self.v(data.following[data.last[rows]])[0]
            best = self.q_slow(inputs).min(0).values
        gap = best - self.v(state)[0]
        weight = torch.where(gap > 0, self.config.expectile, 1 - self.config.expectile)
        return goal, (weight * gap.square()).mean()

    def _set_rate(self, progress: float) -> None:
        rate = self.config.value_lr * (0.1 + 0.45 * (1 + math.cos(math.pi * progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    @torch.no_grad()
    def _follow(self) -> None:
        torch._foreach_lerp_(list(self.q_slow.parameters()), list(self.q.parameters()), TARGET_RATE)

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}

    def state(self) -> dict[str, Any]:
        modules = {"q": self.q, "q_slow": self.q_slow, "v": self.v}
        return {
            **{name: module.state_dict() for name, module in modules.items()},
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.get_state(),
            "done": self.done,
            "loss": self.loss,
        }

    def load(self, state: dict[str, Any]) -> None:
        for name, module in {"q": self.q, "q_slow": self.q_slow, "v": self.v}.items():
            module.load_state_dict(state[name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.set_state(state["rng"].cpu())
        self.done = state["done"]
        self.loss = state["loss"]


class Advantage:
    """Pessimistic advantage min_e Q_e(s, a) - V(s) in standard deviations over the data, clipped."""

    def __init__(self, values: ValueStage) -> None:
        self.q, self.v, self.obs_dim = values.q_slow, values.v, values.data.obs_dim
        self.unit = 1.0
        self.of_data = self._evaluate(values.data.inputs)  # [N]
        self.unit = 1 / (self.of_data.std().item() + 1e-8)
        self.of_data = (self.of_data * self.unit).clamp(-ADVANTAGE_CLIP, ADVANTAGE_CLIP)

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """[B, obs+act] -> [B]."""
        raw = self.q(inputs).min(0).values - self.v(inputs[:, : self.obs_dim])[0]
        return (raw * self.unit).clamp(-ADVANTAGE_CLIP, ADVANTAGE_CLIP)

    @torch.no_grad()
    def _evaluate(self, inputs: Tensor) -> Tensor:
        parts = [
            self.q(part).min(0).values - self.v(part[:, : self.obs_dim])[0] for part in inputs.split(8192)
        ]
        return torch.cat(parts)


class DistillStage:
    """Teaches the deployed critic the advantage, on actions of the data and of the generator."""

    name = "critic"

    def __init__(
        self,
        config: RunConfig,
        keys: Tensor,
        actions: Tensor,
        generator: ResidualMLP,
        advantage: Advantage,
        rng: torch.Generator,
    ) -> None:
        self.config, self.keys, self.actions, self.rng = config, keys, actions, rng
        self.generator, self.advantage = generator, advantage
        inputs = config.obs_dim + config.critic_steps * config.act_dim
        self.net = ResidualMLP(inputs, config.critic_width, config.critic_blocks, 1).to(keys.device)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), config.distill_lr, fused=True)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, config.distill_steps)
        self.total = config.distill_steps
        self.done = 0
        self.loss = torch.zeros((), device=keys.device)

    def step(self) -> None:
        c = self.config
        rows = torch.randint(len(self.keys), (c.distill_batch,), generator=self.rng, device=self.keys.device)
        state = self.keys[rows]
        actions = self._candidate_actions(state)
        own = c.distill_batch // 4
        actions[:own] = self.actions[rows[:own]]
        inputs = torch.cat([state, actions], -1)
        goal = self.advantage(inputs[:, : c.obs_dim + c.act_dim])
        loss = (self.net(inputs)[:, 0] - goal).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.loss = loss.detach()
        self.done += 1

    @torch.no_grad()
    def _candidate_actions(self, state: Tensor) -> Tensor:
        c = self.config
        latents = torch.randn(len(state), c.latent_dim, generator=self.rng, device=state.device)
        windows = self.generator(torch.cat([state, c.latent_scale * latents], -1))
        steps = windows.view(len(state), c.horizon, -1)[:, : c.critic_steps, c.obs_dim :]
        return steps.reshape(len(state), -1).clamp(-1, 1)

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}

    def state(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": self.rng.get_state(),
            "done": self.done,
            "loss": self.loss,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.rng.set_state(state["rng"].cpu())
        self.done = state["done"]
        self.loss = state["loss"]
