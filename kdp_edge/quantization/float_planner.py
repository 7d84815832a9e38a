# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The float policy in NumPy: what the integer planner approximates, on the very same latents.

torch is not needed: the nets are read from the run's safetensors. Latents are the device's int8
ones, de-quantised, so a difference between its action and a device's comes from arithmetic alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdp_edge.quantization.float_net import FloatNet, Layer
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.latents import latents
from kdp_edge.quantization.plan import IntegerPlanner, PlanSpec, choose
from kdp_edge.quantization.policy import LATENT_LIMIT, UNIT_SCALE, FloatPolicy, deployed_config
from kdp_edge.run import Run
from kdp_edge.window import Normalizer


@dataclass(frozen=True)
class FloatPlan:
    """Actions float32 [k, horizon, act_dim] of every candidate, and the chosen one's index."""

    actions: np.ndarray
    best: int


@dataclass(frozen=True)
class FloatPlanner:
    """Generator and critic in float32.

    `normalizer` makes the nets' observations of raw ones; generator outputs times `act_step`, plus the spec's
    offset, are actions, times `critic_step` the critic's inputs; `latent_step` is the value of an int8 latent
    step.
    """

    spec: PlanSpec
    generator: FloatNet
    critic: FloatNet
    normalizer: Normalizer
    latent_step: float
    act_step: np.ndarray  # float32 [horizon * act_dim]
    critic_step: float
    margin: float
    source: str  # "run" or "integer planner"

    @classmethod
    def from_run(cls, run: Run, spec: PlanSpec) -> FloatPlanner:
        """The trained weights of the run that `spec` was quantized from."""
        policy = FloatPolicy.from_run(run)
        return cls(
            spec,
            policy.generator,
            policy.critic,
            policy.normalizer,
            float(LATENT_LIMIT * run.config.latent_scale * UNIT_SCALE),
            _half_ranges(spec),
            1.0,
            deployed_config(run).margin,
            "run",
        )

    @classmethod
    def from_integer(cls, planner: IntegerPlanner) -> FloatPlanner:
        """The integer planner with its weights de-quantised, where the trained ones are not at hand."""
        spec, generator, critic = planner.spec, planner.generator, planner.critic
        step_in, step_out = generator.scales[generator.input_name], generator.scales[generator.output_name]
        return cls(
            spec,
            dequantize(generator),
            dequantize(critic),
            Normalizer(
                np.asarray(spec.obs_offset, np.float32),
                (1 / (np.asarray(spec.obs_gain, np.float32) * step_in)).astype(np.float32),
            ),
            float(step_in),
            (np.asarray(spec.act_gain, np.float32) / step_out).astype(np.float32),
            float(critic.scales[critic.input_name] / step_out),
            spec.margin * float(critic.scales[critic.output_name]),
            "integer planner",
        )

    def plan(self, observation: np.ndarray, episode: int, index: int) -> FloatPlan:
        """The plan number `index` of an episode for a raw observation float32 [obs_dim]."""
        spec = self.spec
        table = np.asarray(spec.latent_table, np.int8)
        noise = latents(table, spec.seed, episode, index, spec.k, spec.latent_dim).astype(np.float32)
        state = self.normalizer(np.asarray(observation, np.float32))[None]
        states = np.repeat(state, spec.k, 0)
        windows = self.generator(np.concatenate([states, noise * np.float32(self.latent_step)], 1))
        steps = spec.shape.actions(windows).reshape(spec.k, -1)
        low, high = (np.tile(np.asarray(v, np.float32), spec.horizon) for v in (spec.act_low, spec.act_high))
        # an int8 action cannot leave its range either
        offset = np.tile(np.asarray(spec.act_offset, np.float32), spec.horizon)
        actions = np.clip(steps * self.act_step + offset, low, high)
        played = ((actions - offset) / self.act_step)[:, : spec.critic_steps * spec.act_dim]
        scores = self.critic(np.concatenate([states, played * np.float32(self.critic_step)], 1))
        best = int(choose(scores.T, self.margin)[0])
        return FloatPlan(actions.reshape(spec.k, spec.horizon, spec.act_dim), best)


def _half_ranges(spec: PlanSpec) -> np.ndarray:
    """What a share of the range is worth, in which the trained net answers, float32 [horizon * act_dim]."""
    low, high = (np.asarray(v, np.float32) for v in (spec.act_low, spec.act_high))
    return np.tile((high - low) / 2, spec.horizon)


def dequantize(net: IntegerNet) -> FloatNet:
    """The float net with the values that the integer net's weights and biases stand for."""
    layers = [
        Layer(
            op.weight.astype(np.float32) * op.weight_scale[:, None],
            (op.bias * (np.float64(net.scales[op.input]) * op.weight_scale)).astype(np.float32),
        )
        for op in net.linears
    ]
    first, *inner, last = layers
    return FloatNet(first, tuple(zip(inner[::2], inner[1::2], strict=True)), last)
