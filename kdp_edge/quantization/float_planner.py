# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The float policy in NumPy: what the integer planner approximates, on the very same latents.

torch is not needed: the nets are read from the run's safetensors. Latents are the device's int8
ones, de-quantised, so a difference between its action and a device's comes from arithmetic alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdp_edge.quantization.float_actor import Activation, Actor, ActorNet, Dense, Step, Sum
from kdp_edge.quantization.float_actor import load as load_actor
from kdp_edge.quantization.float_net import FloatNet, Layer
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear
from kdp_edge.quantization.plan import IntegerPlanner, PlanSpec, choose
from kdp_edge.quantization.policy import LATENT_LIMIT, UNIT_SCALE, FloatPolicy, deployed_config
from kdp_edge.run import ACTOR_FILE, Run
from kdp_edge.window import Normalizer


@dataclass(frozen=True)
class FloatPlan:
    """Actions float32 [k, horizon, act_dim] of every candidate, and the chosen one's index."""

    actions: np.ndarray
    best: int


class FloatPlanner(ABC):
    """Plans in float32; `source` says where the weights are from: "run" or "integer planner"."""

    spec: PlanSpec
    source: str

    @staticmethod
    def from_run(run: Run, spec: PlanSpec) -> FloatPlanner:
        """The trained weights of the run that `spec` was quantized from."""
        if spec.is_actor:
            return FloatActor(spec, "run", load_actor(run.path / ACTOR_FILE))
        return _candidates_of_run(run, spec)

    @staticmethod
    def from_integer(planner: IntegerPlanner) -> FloatPlanner:
        """The integer planner with its weights de-quantised, where the trained ones are not at hand."""
        if planner.critic is None:
            return FloatActor(planner.spec, "integer planner", dequantized_actor(planner))
        return _candidates_of_integers(planner, planner.critic)

    def plan(self, observation: np.ndarray, episode: int, index: int) -> FloatPlan:
        """The plan number `index` of an episode for a raw observation float32 [obs_dim]."""
        return self.plans(np.asarray(observation, np.float32)[None], episode, [index])[0]

    @abstractmethod
    def plans(self, observations: np.ndarray, episode: int, indices: Sequence[int]) -> list[FloatPlan]:
        """The plans with these numbers, for raw observations float32 [n, obs_dim].

        Each is what `plan` makes of its own observation, to the bit: the nets are applied to one plan's
        candidates at a time, since sums of another matrix are in another order.
        """


@dataclass(frozen=True)
class FloatActor(FloatPlanner):
    """An actor: one candidate of one step."""

    spec: PlanSpec
    source: str
    actor: Actor

    def plans(self, observations: np.ndarray, episode: int, indices: Sequence[int]) -> list[FloatPlan]:
        """See `FloatPlanner.plans`; an actor answers alike at any time."""
        actions = self.actor(observations[:, None])
        limited = np.clip(actions, self.spec.float32("act_low"), self.spec.float32("act_high"))
        return [FloatPlan(one[:, None], 0) for one in limited]


@dataclass(frozen=True)
class FloatCandidates(FloatPlanner):
    """Generator and critic in float32.

    `normalizer` makes the nets' observations of raw ones; generator outputs times `act_step`, plus the spec's
    offset, are actions, times `critic_step` the critic's inputs; `latent_step` is the value of an int8 latent
    step.
    """

    spec: PlanSpec
    source: str
    generator: FloatNet
    critic: FloatNet
    normalizer: Normalizer
    latent_step: float
    act_step: np.ndarray  # float32 [horizon * act_dim]
    critic_step: float
    margin: float

    def plans(self, observations: np.ndarray, episode: int, indices: Sequence[int]) -> list[FloatPlan]:
        """See `FloatPlanner.plans`."""
        spec, n = self.spec, len(indices)
        noise = spec.latents(episode, indices).astype(np.float32)
        states = np.repeat(self.normalizer(observations)[:, None], spec.k, 1)
        windows = self.generator(np.concatenate([states, noise * np.float32(self.latent_step)], 2))
        steps = spec.shape.actions(windows).reshape(n, spec.k, -1)
        low, high, offset = (
            np.tile(spec.float32(name), spec.horizon) for name in ("act_low", "act_high", "act_offset")
        )
        # an int8 action cannot leave its range either
        actions = np.clip(steps * self.act_step + offset, low, high)
        played = ((actions - offset) / self.act_step)[..., : spec.critic_steps * spec.act_dim]
        scores = self.critic(np.concatenate([states, played * np.float32(self.critic_step)], 2))
        best = choose(scores[..., 0], self.margin).tolist()
        return list(map(FloatPlan, actions.reshape(n, spec.k, spec.horizon, spec.act_dim), best))


def _candidates_of_run(run: Run, spec: PlanSpec) -> FloatCandidates:
    policy = FloatPolicy.from_run(run)
    return FloatCandidates(
        spec,
        "run",
        policy.generator,
        policy.critic,
        policy.normalizer,
        float(LATENT_LIMIT * run.config.latent_scale * UNIT_SCALE),
        _half_ranges(spec),
        1.0,
        deployed_config(run).margin,
    )


def _candidates_of_integers(planner: IntegerPlanner, critic: IntegerNet) -> FloatCandidates:
    spec, generator = planner.spec, planner.generator
    step_in, step_out = generator.scales[generator.input_name], generator.scales[generator.output_name]
    return FloatCandidates(
        spec,
        "integer planner",
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
    )


def _half_ranges(spec: PlanSpec) -> np.ndarray:
    """What a share of the range is worth, in which the trained net answers, float32 [horizon * act_dim]."""
    low, high = (np.asarray(v, np.float32) for v in (spec.act_low, spec.act_high))
    return np.tile((high - low) / 2, spec.horizon)


def dequantize(net: IntegerNet) -> FloatNet:
    """The float net with the values that the integer net's weights and biases stand for."""
    first, *inner, last = [dequantized_layer(net, op) for op in net.linears]
    return FloatNet(first, tuple(zip(inner[::2], inner[1::2], strict=True)), last)


def dequantized_actor(planner: IntegerPlanner) -> Actor:
    """The actor that an actor's integer planner stands for, its ranges included."""
    spec, net = planner.spec, planner.generator
    steps: list[Step] = []
    for op in net.operations:
        if isinstance(op, Linear):
            steps.append(Dense(op.name, op.input, op.output, dequantized_layer(net, op), op.relu))
        elif isinstance(op, Add):
            steps.append(Sum(op.name, op.left, op.right, op.output, op.relu))
        else:
            steps.append(Activation(op.name, op.input, op.output, op.kind))
    scale_in, scale_out = net.scales[net.input_name], net.scales[net.output_name]
    return Actor(
        ActorNet(tuple(steps)),
        np.asarray(spec.obs_offset, np.float32),
        (1 / (np.asarray(spec.obs_gain, np.float32) * scale_in)).astype(np.float32),
        float(128 * scale_in),
        (np.asarray(spec.act_gain, np.float32) / scale_out).astype(np.float32),
        np.asarray(spec.act_offset, np.float32),
        np.asarray(spec.act_low, np.float32),
        np.asarray(spec.act_high, np.float32),
    )


def dequantized_layer(net: IntegerNet, op: Linear) -> Layer:
    """The float layer that an operation's weights and biases stand for."""
    return Layer(
        op.weight.astype(np.float32) * op.weight_scale[:, None],
        (op.bias * (np.float64(net.scales[op.input]) * op.weight_scale)).astype(np.float32),
    )
