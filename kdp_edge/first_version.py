"""How the first version trained: what `kdp-edge bench training` measures today's training against.

The same nets, batches and mathematics, step by step as they were: every layer's weights on their own,
everything float32, each batch drawn in its step, one temperature of the drift field after the other.
Nothing else uses this file.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from kdp_edge.bench.diffusion import TIME_FEATURES, Denoiser, signal
from kdp_edge.learn.drift import SCALE_FLOOR
from kdp_edge.learn.generator import CLIP_NORM
from kdp_edge.learn.matches import Matches, column_weights
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.values import CLIP, TARGET_RATE, Ensemble, Judge, Transitions
from kdp_edge.run import RunConfig


def draw(matches: Matches, rows: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Positives [B, count, C] of conditions `rows` [B]."""
    choice = torch.multinomial(matches.weight[rows], count, replacement=True, generator=rng)
    return matches.flat[matches.pool[rows].gather(1, choice)]


def drift_field(samples: Tensor, positives: Tensor, taus: tuple[float, ...]) -> Tensor:
    """As `kdp_edge.learn.drift.drift_field`."""
    samples, positives = samples.detach(), positives.detach()
    count, width = positives.shape[1], samples.shape[-1]
    distance = torch.cat([torch.cdist(samples, positives), torch.cdist(samples, samples)], -1)
    scale = distance.mean((1, 2), keepdim=True).clamp(min=SCALE_FLOOR * width**0.5)
    closeness = -distance / scale
    closeness[..., count:].diagonal(dim1=1, dim2=2).fill_(-torch.inf)
    total = torch.zeros_like(samples)
    for tau in taus:
        logits = closeness / tau
        affinity = (logits.softmax(-1) * logits.softmax(-2)).sqrt()
        attract, repel = affinity[..., :count], affinity[..., count:]
        field = (attract * repel.sum(-1, keepdim=True)) @ positives
        field -= (repel * attract.sum(-1, keepdim=True)) @ samples
        total += field / (field.square().mean().sqrt() + 1e-8)
    return total


class FirstEnsemble(Ensemble):
    """Every operation writes a tensor of its own."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(torch.baddbmm(self.b1, x.expand(self.members, -1, -1), self.w1))
        hidden = torch.baddbmm(self.b2, hidden, self.w2)
        hidden = nn.functional.layer_norm(hidden, hidden.shape[-1:])
        hidden = torch.relu(torch.addcmul(self.shift, self.gain, hidden))
        return torch.baddbmm(self.b3, hidden, self.w3)[..., 0]


class FirstMLP(ResidualMLP):
    """Every operation writes a tensor of its own."""

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.first(x))
        for block in self.blocks:
            inner, outer = block.children()
            h = torch.relu(h + outer(torch.relu(inner(h))))
        return self.last(h)


class FirstStage:
    """Optimizer, schedule and running average, layer by layer."""

    def __init__(self, config: RunConfig, rng: torch.Generator, device: torch.device) -> None:
        self.config, self.rng, self.device = config, rng, device

    def optimize(
        self,
        parameters: Iterable[nn.Parameter],
        rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        decay: float = 0.01,
    ) -> None:
        self.parameters = list(parameters)
        self.optimizer = torch.optim.AdamW(self.parameters, rate, betas, weight_decay=decay, fused=True)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, self.config.steps)

    def update(self, loss: Tensor, clip: bool = False) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(self.parameters, CLIP_NORM)
        self.optimizer.step()
        self.schedule.step()

    @torch.no_grad()
    def follow(self, average: nn.Module, net: nn.Module, rate: float) -> None:
        torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), rate)


class FirstValues(FirstStage):
    """Implicit Q-learning."""

    def __init__(self, config: RunConfig, data: Transitions, rng: torch.Generator) -> None:
        super().__init__(config, rng, data.inputs.device)
        self.data = data
        sizes = (config.value_ensemble, data.inputs.shape[1], config.value_width)
        self.q, self.q_slow = (FirstEnsemble(*sizes).to(self.device) for _ in range(2))
        self.q_slow.requires_grad_(False)
        self.v = FirstEnsemble(1, data.obs_dim, config.value_width).to(self.device)
        self.optimize([*self.q.parameters(), *self.v.parameters()], config.value_lr, decay=0.0)

    def step(self) -> None:
        c, data = self.config, self.data
        rows = torch.randint(len(data.inputs), (c.value_batch,), generator=self.rng, device=self.device)
        inputs = data.inputs[rows]
        with torch.no_grad():
            goal = data.rewards[rows] + data.discount[rows] * self.v(data.following[data.last[rows]])[0]
            best = self.q_slow(inputs).min(0).values
        gap = best - self.v(inputs[:, : data.obs_dim])[0]
        weight = torch.where(gap > 0, c.expectile, 1 - c.expectile)
        v_loss = (weight * gap.square()).mean()
        self.update(v_loss + (self.q(inputs) - goal).square().mean() * c.value_ensemble)
        self.follow(self.q_slow, self.q, TARGET_RATE)


class FirstGenerator(FirstStage):
    """The drift field and the anchor of latent 0, one forward pass each."""

    def __init__(self, config: RunConfig, matches: Matches, rng: torch.Generator) -> None:
        super().__init__(config, rng, matches.keys.device)
        self.matches = matches
        sizes = (config.obs_dim + config.latent_dim, config.width, config.blocks, config.window_dim)
        self.net = FirstMLP(*sizes).to(self.device)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.weight = column_weights(config).to(self.device)
        self.optimize(self.net.parameters(), config.lr, (0.9, 0.95))

    def step(self) -> None:
        c, matches = self.config, self.matches
        rows = matches.rows(c.batch, self.rng)
        latents = torch.randn(c.batch, c.samples, c.latent_dim, generator=self.rng, device=self.device)
        states = matches.keys[rows][:, None].expand(-1, c.samples, -1)
        windows = self.net(torch.cat([states, latents], -1))
        drift = drift_field(windows, draw(matches, rows, c.positives, self.rng) * self.weight, c.taus)
        loss = (windows - (windows + drift).detach()).square().mean()
        rows = matches.rows(c.anchor_batch, self.rng)
        target = (draw(matches, rows, 1, self.rng) * self.weight)[:, 0]
        zeros = torch.zeros(len(rows), c.latent_dim, device=self.device)
        plan = self.net(torch.cat([matches.keys[rows], zeros], -1))
        self.update(loss + c.anchor * (plan - target).square().mean(), clip=True)
        self.follow(self.average, self.net, c.ema)


class FirstCritic(FirstStage):
    """Plans of latent 0 and their values made anew in every step."""

    def __init__(
        self,
        config: RunConfig,
        matches: Matches,
        actions: Tensor,
        generator: ResidualMLP,
        judge: Judge,
        rng: torch.Generator,
    ) -> None:
        super().__init__(config, rng, matches.keys.device)
        self.matches, self.actions, self.generator = matches, actions, generator
        q = FirstEnsemble(judge.q.members, *judge.q.w1.shape[1:]).to(self.device)
        q.load_state_dict(judge.q.state_dict())
        self.judge = replace(judge, q=q)
        inputs = config.obs_dim + config.critic_steps * config.act_dim
        self.net = FirstMLP(inputs, config.critic_width, config.critic_blocks, 1).to(self.device)
        self.optimize(self.net.parameters(), config.distill_lr)

    def step(self) -> None:
        c = self.config
        rows = self.matches.rows(c.distill_batch, self.rng)
        state = self.matches.keys[rows]
        actions, plan = self.candidates(state, self.rng), self.candidates(state, None)
        part = c.distill_batch // 8
        actions[:part] = self.actions[rows[:part]]
        actions[part : 2 * part] = plan[part : 2 * part]
        gain = self.judge.gain(state, actions[:, : c.act_dim], plan[:, : c.act_dim])
        target = (gain - c.distance_penalty * (actions - plan).square().mean(-1)).clamp(-CLIP, CLIP)
        self.update((self.net(torch.cat([state, actions], -1))[:, 0] - target).square().mean())

    @torch.no_grad()
    def candidates(self, state: Tensor, rng: torch.Generator | None) -> Tensor:
        c = self.config
        latents = torch.zeros(len(state), c.latent_dim, device=state.device)
        if rng is not None:
            latents.normal_(generator=rng).mul_(c.latent_scale)
        windows = self.generator(torch.cat([state, latents], -1))
        steps = windows.view(len(state), c.horizon, -1)[:, : c.critic_steps, c.obs_dim :]
        return steps.reshape(len(state), -1).clamp(-1, 1)


class FirstDiffusion(FirstStage):
    """The denoiser."""

    def __init__(self, config: RunConfig, matches: Matches, rng: torch.Generator) -> None:
        super().__init__(config, rng, matches.keys.device)
        self.matches = matches
        self.net = Denoiser(config)
        self.net.net = FirstMLP(
            config.obs_dim + config.window_dim + TIME_FEATURES, config.width, config.blocks, config.window_dim
        )
        self.net.to(self.device)
        self.net.fit_columns(matches.flat)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        weight = column_weights(config).to(self.device).square()
        self.weight = weight / weight.mean()
        self.optimize(self.net.parameters(), config.lr, (0.9, 0.95))

    def step(self) -> None:
        c = self.config
        rows = self.matches.rows(c.batch * c.samples + c.anchor_batch, self.rng)
        clean = (draw(self.matches, rows, 1, self.rng)[:, 0] - self.net.mean) / self.net.std
        level = torch.rand(len(rows), generator=self.rng, device=self.device)
        noise = torch.randn(clean.shape, generator=self.rng, device=self.device)
        share = signal(level)[:, None]
        noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
        error = (self.net(self.matches.keys[rows], noisy, level) - clean).square()
        self.update((self.weight * error).mean(), clip=True)
        self.follow(self.average, self.net, c.ema)


class FirstClone(FirstStage):
    """Regression on each state's own window."""

    def __init__(self, config: RunConfig, matches: Matches, rng: torch.Generator) -> None:
        super().__init__(config, rng, matches.keys.device)
        self.matches = matches
        self.net = FirstMLP(config.obs_dim, config.width, config.blocks, config.window_dim).to(self.device)
        self.optimize(self.net.parameters(), config.lr)

    def step(self) -> None:
        c, m = self.config, self.matches
        count = c.batch * c.samples + c.anchor_batch
        rows = torch.randint(len(m.keys), (count,), generator=self.rng, device=self.device)
        self.update((self.net(m.keys[rows]) - m.flat[rows]).square().mean())
