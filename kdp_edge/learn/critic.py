# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The small critic that is deployed: which candidate deserves to replace the plan of latent 0."""

from __future__ import annotations

import torch
from torch import Tensor

from kdp_edge.learn.feed import Feed
from kdp_edge.learn.learner import Learner, cosine
from kdp_edge.learn.matches import Matches
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.replay import Replay
from kdp_edge.learn.stage import Resumable
from kdp_edge.learn.values import CLIP, Judge
from kdp_edge.run import RunConfig

SPREAD_STATES = 4096
CHUNK = 1024  # states judged at once


class DistillStage(Resumable):
    """Teaches the deployed critic to compare candidates with the plan of latent 0.

    Its target is the judge's pessimistic gain over that plan, minus a penalty for the squared
    distance to it in units of the candidates' spread: 0 for the plan itself. Only the ranking of
    one state's candidates matters, so the state's value is left out, and an int8 output suffices.
    The plan of latent 0 and its values are the same whenever a state is drawn: made once for all.
    All is float32: targets are small differences, and the net is too small to gain by less.
    """

    name = "critic"
    saved = ("learner", "feed")

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
        self.learner = Learner(self.net, torch.float32, config.distill_lr)
        self.feed = Feed(self._draw, rng)
        self.update = Replay(self._update)
        self.total = config.distill_steps
        self.done = 0
        self.loss = torch.zeros((), device=keys.device)
        self.plan, self.plan_values = self._plans()
        self.spread = self._candidate_spread()

    @torch.no_grad()
    def _plans(self) -> tuple[Tensor, Tensor]:
        """Of latent 0, for all keys: actions [M, critic_steps * act] and the judge's values [M, E]."""
        zeros = torch.zeros(CHUNK, self.config.latent_dim, device=self.keys.device)
        plans, values = [], []
        for state in self.keys.split(CHUNK):
            plans.append(self._actions(state, zeros[: len(state)]))
            first = plans[-1][:, : self.config.act_dim]
            values.append(self.judge.q(torch.cat([state, first], -1)).t())
        return torch.cat(plans), torch.cat(values)

    @torch.no_grad()
    def _candidate_spread(self) -> Tensor:
        """Standard deviation of candidates around the plan of latent 0 [critic_steps * act]."""
        seeded = torch.Generator(self.keys.device).manual_seed(self.config.seed)
        some = slice(None, None, max(1, len(self.keys) // SPREAD_STATES))
        state = self.keys[some]
        latents = torch.randn(len(state), self.config.latent_dim, generator=seeded, device=state.device)
        drawn = self._actions(state, latents * self.config.latent_scale)
        return (drawn - self.plan[some]).std(0).clamp(min=1e-3)

    def step(self) -> None:
        """One regression step on fresh candidates, some data actions and some plans of latent 0."""
        self.learner.at(cosine(self.done, self.total))
        self.loss = self.update(*self.feed.next())
        self.done += 1

    def _update(
        self, state: Tensor, latents: Tensor, known: Tensor, plan: Tensor, plan_values: Tensor
    ) -> Tensor:
        actions = torch.cat([known, self._actions(state[len(known) :], latents)])
        goal = self.target(state, actions, plan, plan_values)
        score = self.net(torch.cat([state, actions], -1))[:, 0]
        loss = (score - goal).square().mean()
        self.learner.step(loss)
        return loss.detach()

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """What `steps` steps read, of B states each.

        Returns:
            states [steps, B, obs]; latents of all but the first states; actions of those first
            ones: an eighth of the data's, an eighth plans; plans and their values for all states.
        """
        c = self.config
        rows = self.matches.rows(steps * c.distill_batch, self.rng)
        part = c.distill_batch // 8
        latents = torch.randn(
            steps, c.distill_batch - 2 * part, c.latent_dim, generator=self.rng, device=rows.device
        )
        state, data, plan, values = (
            table.index_select(0, rows).unflatten(0, (steps, -1))
            for table in (self.keys, self.actions, self.plan, self.plan_values)
        )
        known = torch.cat([data[:, :part], plan[:, part : 2 * part]], 1)
        return state, latents * c.latent_scale, known, plan, values

    @torch.no_grad()
    def target(self, state: Tensor, actions: Tensor, plan: Tensor, plan_values: Tensor) -> Tensor:
        """The score [B] that `actions` deserve where `plan` is latent 0's [B, critic_steps * act]."""
        gain = self.judge.gain_over(plan_values.t(), state, actions[:, : self.config.act_dim])
        distance2 = ((actions - plan) / self.spread).square().mean(-1)
        return (gain - self.config.distance_penalty * distance2).clamp(-CLIP, CLIP)

    @torch.no_grad()
    def _actions(self, state: Tensor, latents: Tensor) -> Tensor:
        """Actions [B, critic_steps * act] of one candidate a state."""
        c = self.config
        windows = self.generator(torch.cat([state, latents], -1))
        return c.shape.actions(windows, c.critic_steps).reshape(len(state), -1).clamp(-1, 1)

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}
