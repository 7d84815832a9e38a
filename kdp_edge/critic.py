"""The small critic that is deployed: which candidate deserves to replace the plan of latent 0."""

from __future__ import annotations

import torch
from torch import Tensor

from kdp_edge.generator import Matches, ResidualMLP
from kdp_edge.run import RunConfig
from kdp_edge.stage import Resumable
from kdp_edge.values import CLIP, Judge

SPREAD_STATES = 4096


class DistillStage(Resumable):
    """Teaches the deployed critic to compare candidates with the plan of latent 0.

    Its target is the judge's pessimistic gain over that plan, minus a penalty for the squared
    distance to it in units of the candidates' spread: 0 for the plan itself. Only the ranking of
    one state's candidates matters, so the state's value is left out, and an int8 output suffices.
    """

    name = "critic"
    saved = ("net", "optimizer", "schedule")

    def __init__(
        self,
        config: RunConfig,
        matches: Matches,
        actions: Tensor,
        generator: ResidualMLP,
        judge: Judge,
        rng: torch.Generator,
    ) -> None:
        """`actions` [M, critic_steps * act]: of the windows in `matches`."""
        self.config, self.matches, self.actions, self.rng = config, matches, actions, rng
        keys = self.keys = matches.keys
        self.generator, self.judge = generator, judge
        inputs = config.obs_dim + config.critic_steps * config.act_dim
        self.net = ResidualMLP(inputs, config.critic_width, config.critic_blocks, 1).to(keys.device)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), config.distill_lr, fused=True)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, config.distill_steps)
        self.total = config.distill_steps
        self.done = 0
        self.loss = torch.zeros((), device=keys.device)
        self.spread = self._candidate_spread()

    @torch.no_grad()
    def _candidate_spread(self) -> Tensor:
        """Standard deviation of candidates around the plan of latent 0 [critic_steps * act]."""
        seeded = torch.Generator(self.keys.device).manual_seed(self.config.seed)
        state = self.keys[:: max(1, len(self.keys) // SPREAD_STATES)]
        difference = self._candidates(state, seeded) - self._candidates(state, None)
        return difference.std(0).clamp(min=1e-3)

    def step(self) -> None:
        self.optimizer.zero_grad()
        loss = self._error().square().mean()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.loss = loss.detach()
        self.done += 1

    def _error(self) -> Tensor:
        """Score minus target [B] on fresh candidates, some data actions and some plans of latent 0."""
        c = self.config
        rows = self.matches.rows(c.distill_batch, self.rng)
        state = self.keys[rows]
        actions, plan = self._candidates(state, self.rng), self._candidates(state, None)
        part = c.distill_batch // 8
        actions[:part] = self.actions[rows[:part]]
        actions[part : 2 * part] = plan[part : 2 * part]
        return self.net(torch.cat([state, actions], -1))[:, 0] - self.target(state, actions, plan)

    def target(self, state: Tensor, actions: Tensor, plan: Tensor) -> Tensor:
        """The score [B] that `actions` deserve where `plan` is latent 0's [B, critic_steps * act]."""
        first = self.config.act_dim
        gain = self.judge.gain(state, actions[:, :first], plan[:, :first])
        distance2 = ((actions - plan) / self.spread).square().mean(-1)
        return (gain - self.config.distance_penalty * distance2).clamp(-CLIP, CLIP)

    @torch.no_grad()
    def _candidates(self, state: Tensor, rng: torch.Generator | None) -> Tensor:
        """Actions [B, critic_steps * act] of one candidate a state; of latent 0 without `rng`."""
        c = self.config
        latents = torch.zeros(len(state), c.latent_dim, device=state.device)
        if rng is not None:
            latents.normal_(generator=rng).mul_(c.latent_scale)
        windows = self.generator(torch.cat([state, latents], -1))
        steps = windows.view(len(state), c.horizon, -1)[:, : c.critic_steps, c.obs_dim :]
        return steps.reshape(len(state), -1).clamp(-1, 1)

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}
