"""The one-step generator and its training stage: (observation, latent) -> window of H steps."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from kdp_edge.drift import drift_field
from kdp_edge.errors import KdpError
from kdp_edge.feed import Feed
from kdp_edge.learner import DTYPES, Learner, Rounded, cosine, flatten
from kdp_edge.run import RunConfig
from kdp_edge.stage import Resumable
from kdp_edge.values import Judge

EMA_WARMUP = 200  # steps in which the average follows fast
CLIP_NORM = 2.0
SPREAD_STATES, SPREAD_SAMPLES = 512, 32


class ResidualMLP(nn.Module):
    """first -> relu -> blocks of h = relu(h + W2 relu(W1 h)) -> last.

    No normalisation layer and no other activation: what an int8 microcontroller does well.
    """

    def __init__(self, inputs: int, width: int, blocks: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)]) for _ in range(blocks)
        )
        self.last = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        h = self.first(x).relu_()
        for block in self.blocks:
            inner, outer = block.children()
            h = outer(inner(h).relu_()).add_(h).relu_()
        return self.last(h)


@dataclass(frozen=True)
class Matches:
    """Windows and their key neighbours on the training device.

    keys [M, obs]; flat [M, C]; pool int64 [M, n]: rows of neighbours; weight [M, n]: the chance
    with which each is drawn as a positive (sums to 1): key distance, advantage and trajectory
    together; cumulative float64 [M]: running sum of the chance with which each window is drawn as
    a condition (ends at 1); center [M, C], if given: the mean window of each key, and a neighbour
    stands for what was special about its window, not for how its key differs.
    """

    keys: Tensor
    flat: Tensor
    pool: Tensor
    weight: Tensor
    cumulative: Tensor
    center: Tensor | None = None

    def rows(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` conditions int64 [B], good trajectories more often, with replacement."""
        chance = torch.rand(count, generator=rng, device=rng.device, dtype=torch.float64)
        return torch.searchsorted(self.cumulative, chance).clamp(max=len(self.keys) - 1)

    def draw(self, rows: Tensor, count: int, rng: torch.Generator) -> Tensor:
        """`count` positives [B, count, C] for each of `rows` [B], with replacement."""
        running = self.running.index_select(0, rows)
        chance = torch.rand(len(rows), count, generator=rng, device=rng.device) * running[:, -1:]
        choice = torch.searchsorted(running, chance, right=True).clamp_(max=self.pool.shape[1] - 1)
        drawn = self.pool.view(-1).index_select(0, (rows[:, None] * self.pool.shape[1] + choice).view(-1))
        windows = self.residual.index_select(0, drawn).unflatten(0, (len(rows), count))
        return windows if self.center is None else windows + self.center.index_select(0, rows)[:, None]

    @cached_property
    def residual(self) -> Tensor:
        """What is special about each window [M, C]: all of it where there is no center."""
        return self.flat if self.center is None else self.flat - self.center

    @cached_property
    def running(self) -> Tensor:
        """Running sum of `weight` over the pool [M, n]."""
        return self.weight.cumsum(1)


def match_weights(distance2: Tensor, merit: Tensor | None, key_tau: float) -> Tensor:
    """softmax over the pool of -(distance / (key_tau * reach))^2 + merit.

    The reach of a window is the distance to the farthest neighbour of its pool: so as many
    neighbours count where keys are dense as where they are sparse, in few dimensions as in many
    (local scaling, Zelnik-Manor & Perona, NIPS 2004).

    Args:
        distance2: squared key distances [M, n], infinite where there is no neighbour.
        merit: of the neighbours, in nats [M, n].
    """
    reach2 = distance2.masked_fill(distance2.isinf(), 0.0).amax(-1, keepdim=True).clamp(min=1e-12)
    logits = -distance2 / (key_tau**2 * reach2)
    return (logits if merit is None else logits + merit).softmax(-1)


def condition_chances(merit: Tensor | None, count: int) -> Tensor:
    """Running sum, float64 [count], of softmax(merit) over all windows; uniform without it."""
    if merit is None:
        return torch.arange(1, count + 1, dtype=torch.float64) / count
    return merit.double().softmax(0).cumsum(0)


def column_weights(config: RunConfig) -> Tensor:
    """What each column of a window weighs in distances [C]: the actions that are played most."""
    weight = torch.ones(config.horizon, config.obs_dim + config.act_dim)
    weight[:, config.obs_dim :] = config.action_weight
    weight[: config.chunk, config.obs_dim :] = config.played_weight
    return weight.flatten()


class GeneratorStage(Resumable):
    """Trains the generator with the drift field, on windows whose columns are weighted.

    `average` is the running average of the trained net; `deployed()` is that net in plain units.
    """

    name = "generator"
    saved = ("learner", "average", "feed")

    def __init__(
        self, config: RunConfig, matches: Matches, rng: torch.Generator, judge: Judge | None = None
    ) -> None:
        """`judge`: of played actions, needed only where the configuration weighs it (`improve`).

        Raises:
            KdpError: the configuration weighs it, and there is none.
        """
        self.config, self.matches, self.rng = config, matches, rng
        self.device = matches.keys.device
        sizes = (config.obs_dim + config.latent_dim, config.width, config.blocks, config.window_dim)
        self.online = ResidualMLP(*sizes).to(self.device)
        self.average = copy.deepcopy(self.online).requires_grad_(False)
        self.averaged = flatten(self.average)
        self.dtype = DTYPES[config.precision]
        self.learner = Learner(self.online, self.dtype, config.lr, betas=(0.9, 0.95), clip=CLIP_NORM)
        self.weight = column_weights(config).to(self.device)
        self.feed = Feed(self._draw, rng)
        if config.improve:
            if judge is None:
                raise KdpError(f"improve is {config.improve} without values to judge by; expected 0")
            self.q, self.unit = Rounded(copy.deepcopy(judge.q), self.dtype).net, judge.unit
        self.total = config.steps
        self.done = 0
        self.loss = torch.zeros((), device=self.device)

    def step(self) -> None:
        """One update: drift for B conditions of G samples, the anchor of latent 0, and the judged gain."""
        c = self.config
        inputs, positives, target = self.feed.next()
        windows, anchored = self.online(inputs).float().split([c.batch * c.samples, len(target)])
        windows = windows.view(c.batch, c.samples, -1)
        drift = drift_field(windows, positives, c.taus)
        loss = (windows - (windows + drift).detach()).square().mean()
        if c.anchor:  # latent 0 is the deterministic plan: it regresses on the mean of the matched windows
            loss = loss + c.anchor * (anchored - target).square().mean()
        if c.improve:
            loss = loss - c.improve * self._judged(inputs, windows, anchored)
        self.learner.step(loss, cosine(self.done, self.total))
        self.averaged.lerp_(self.learner.vector, 0.1 if self.done < EMA_WARMUP else c.ema)
        self.loss = loss.detach()
        self.done += 1

    def _judged(self, inputs: Tensor, windows: Tensor, plans: Tensor) -> Tensor:
        """Mean value of played actions: of a candidate of each condition, plus that of plans of latent 0.

        In the judge's units, in the eyes of the least convinced member of its ensemble. With the
        drift as what holds a policy to the data, this is the policy gradient of TD3+BC (Fujimoto &
        Gu, arXiv 2106.06860), at values that were learned beforehand.
        """
        c = self.config
        count, played = c.improve_batch, slice(c.obs_dim, c.obs_dim + c.act_dim)
        state = inputs[:, : c.obs_dim]
        state = torch.cat([state[: c.batch * c.samples : c.samples], state[c.batch * c.samples :][:count]])
        weighted = torch.cat([windows[:, 0, played], plans[:count, played]])
        actions = (weighted / self.weight[played]).clamp(-1, 1)
        value = self.q(torch.cat([state, actions.to(self.dtype)], -1)).float().min(0).values
        candidates, planned = value.split([c.batch, len(value) - c.batch])
        return self.unit * (candidates.mean() + planned.sum() / max(len(planned), 1))

    def _draw(self, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """What `steps` steps read.

        Returns:
            inputs of the net [steps, B * G + anchored, obs + latent], weighted positives of the
            B conditions [steps, B, P, C], weighted targets of the anchored rest [steps, anchored, C].
        """
        c, rng = self.config, self.rng
        anchored = c.anchor_batch if c.anchor else 0
        rows, fixed = (self.matches.rows(steps * count, rng) for count in (c.batch, anchored))
        positives = self.matches.draw(rows, c.positives, rng) * self.weight
        target = self.matches.draw(fixed, 1, rng)[:, 0] * self.weight
        keys = self.matches.keys
        latents = torch.randn(len(rows) * c.samples, c.latent_dim, generator=rng, device=self.device)
        sampled = torch.cat([keys.index_select(0, rows.repeat_interleave(c.samples)), latents], -1)
        zeros = torch.zeros(len(fixed), c.latent_dim, device=self.device)
        planned = torch.cat([keys.index_select(0, fixed), zeros], -1)
        parts = (sampled, c.batch * c.samples), (planned, anchored)
        inputs = torch.cat([part.unflatten(0, (steps, count)) for part, count in parts], 1)
        positives = positives.unflatten(0, (steps, c.batch))
        return inputs.to(self.dtype), positives, target.unflatten(0, (steps, anchored))

    @torch.no_grad()
    def deployed(self) -> ResidualMLP:
        """The running average with the column weights folded into its last layer."""
        net = copy.deepcopy(self.average)
        net.last.weight.div_(self.weight[:, None])
        net.last.bias.div_(self.weight)
        return net

    def metrics(self) -> dict[str, float]:
        return {
            "loss": self.loss.item(),
            "spread_ratio": spread_ratio(self.deployed(), self.matches, self.config),
        }


@torch.no_grad()
def spread_ratio(
    net: ResidualMLP, matches: Matches, config: RunConfig, states: int = SPREAD_STATES, seed: int = 0
) -> float:
    """Spread of candidates / spread of the matched data they were drawn towards.

    Both are standard deviations within a condition, averaged over dimensions and `states`
    conditions; the data's is weighted by the chance of being drawn, with Bessel's correction.
    """
    rng = torch.Generator().manual_seed(seed)
    device = matches.keys.device
    rows = _drawn_rows(matches, states, rng).to(device)
    latents = torch.randn(states, SPREAD_SAMPLES, config.latent_dim, generator=rng).to(device)
    keys = matches.keys[rows][:, None].expand(-1, SPREAD_SAMPLES, -1)
    windows = net(torch.cat([keys, config.latent_scale * latents], -1))
    return (windows.std(1).mean() / _weighted_std(matches, rows).mean()).item()


def _drawn_rows(matches: Matches, count: int, rng: torch.Generator) -> Tensor:
    chance = torch.rand(count, generator=rng, dtype=torch.float64)
    return torch.searchsorted(matches.cumulative.cpu(), chance).clamp(max=len(matches.keys) - 1)


def _weighted_std(matches: Matches, rows: Tensor) -> Tensor:
    weight = matches.weight[rows][..., None]
    windows = matches.residual[matches.pool[rows]]
    mean = (weight * windows).sum(1, keepdim=True)
    unbiased = (1 - weight.square().sum(1)).clamp(min=0.05)
    return ((weight * (windows - mean).square()).sum(1) / unbiased).sqrt()
