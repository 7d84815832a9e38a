# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An imported actor -> its integer planner: one candidate of one step, no latent, no critic.

Every signal gets its own centre and span, folded into the layers that read it; so does every action, if a
layer makes it. A final tanh has TensorFlow Lite's own scale, 1/128.
"""

from __future__ import annotations

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.actor_net import quantize_actor_net
from kdp_edge.quantization.float_actor import INPUT, Actor, ActorNet, Dense
from kdp_edge.quantization.float_net import Layer
from kdp_edge.quantization.limits import Limits
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.plan_spec import floats, plan_spec
from kdp_edge.quantization.post_training import activation_scale
from kdp_edge.tasks import Task
from kdp_edge.window import Normalizer, float32_step

UNIT_SCALE = activation_scale(np.float32(1))
BESIDE = 0.1  # of what an actor met: levels beyond, on each side
LEAST_SPAN = 0.01  # of an action's range: one that never moves still gets a scale


def actor_planner(
    actor: Actor,
    observations: np.ndarray,
    met: list[np.ndarray],
    task: Task,
    limits: Limits,
    per_channel: bool = True,
) -> IntegerPlanner:
    """Quantize `actor`.

    Args:
        observations: raw observations of the calibration data, float32 [n, obs_dim].
        met: those of episodes that the actor played itself, float32 [steps, obs_dim] each; may be empty. Of
            all of them, in random order, the first half gives ranges, the second decides between them.
        per_channel: see `quantize_actor_net`.

    Raises:
        KdpError: other dimensions than the task's, or an input that something else than a layer reads.
    """
    if (actor.obs_dim, actor.act_dim) != (task.obs_dim, task.act_dim):
        raise KdpError(
            f"the actor has {actor.obs_dim} observations and {actor.act_dim} actions, robot {task.name} has "
            f"{task.obs_dim} and {task.act_dim}"
        )
    centre, span = _signals(actor, observations, met)
    states = np.random.default_rng(0).permutation(np.concatenate([observations, *met]))
    net = actor.net.with_layers(_reading(actor, centre, span))
    inputs = ((states - centre) / span).clip(-1, 1).astype(np.float32)
    gain, offset = actor.gain, actor.offset
    if isinstance(net.steps[-1], Dense):
        gain, offset, last = _answering(actor, net.steps[-1], net(inputs), limits)
        net = net.with_layers({net.steps[-1].name: last})
    half = len(inputs) // 2
    weight = gain / limits.half
    generator = quantize_actor_net(net, inputs[:half], inputs[half:], weight, per_channel)
    spec = plan_spec(
        task,
        limits,
        observations,
        Normalizer.fit(observations),
        horizon=1,
        chunk=1,
        k=1,
        latent_dim=0,
        critic_steps=0,
        margin=0,
        seed=0,
        obs_offset=floats(centre),
        obs_gain=floats(1 / (span * UNIT_SCALE)),
        act_gain=floats(gain * generator.scales[generator.output_name]),
        act_offset=floats(offset),
        latent_table=[0] * 256,
    )
    return IntegerPlanner(generator, None, spec)


def _signals(actor: Actor, observations: np.ndarray, met: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Centre and half span of every observation's int8, float32 [obs] each.

    What the actor clips needs no levels beyond. A signal that never moves gets its normaliser's unit.
    """
    reach = actor.clip * actor.std.astype(np.float64)
    low, high = signal_ranges(observations, met)
    low, high = np.maximum(low, actor.mean - reach), np.minimum(high, actor.mean + reach)
    still = high - low <= 2 * float32_step(observations)
    centre = np.where(still, observations.mean(0), (high + low) / 2)
    span = np.where(still, Normalizer.fit(observations).std, (high - low) / 2)
    return (centre + 0.0).astype(np.float32), span.astype(np.float32)


def signal_ranges(observations: np.ndarray, met: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each signal that an int8 can tell, [obs] each: those of data and episodes.

    Where the actor itself meets less than half of them, the others cost it a bit: then it is what it meets,
    and a tenth of that on each side. Not so with a signal that an episode hardly moves, such as a goal: other
    episodes have other goals. What it meets beyond the data counts up to half their span on each side; what
    is further out comes of a simulation that diverged.
    """
    low, high = observations.min(0), observations.max(0)
    if not met:
        return low, high
    beyond = (high - low) / 2
    met_low, met_high = np.stack([one.min(0) for one in met]), np.stack([one.max(0) for one in met])
    span = met_high.max(0) - met_low.min(0)
    moves = (met_high - met_low).mean(0) >= span / 2
    narrow = moves & (span > 0) & (span * (1 + 2 * BESIDE) < beyond)
    return (
        np.where(
            narrow, met_low.min(0) - BESIDE * span, np.minimum(low, np.maximum(met_low.min(0), low - beyond))
        ),
        np.where(
            narrow,
            met_high.max(0) + BESIDE * span,
            np.maximum(high, np.minimum(met_high.max(0), high + beyond)),
        ),
    )


def _reading(actor: Actor, centre: np.ndarray, span: np.ndarray) -> dict[str, Layer]:
    """The layers that read the observation, as functions of `(observation - centre) / span`."""
    layers = {}
    for step in actor.net.readers(INPUT):
        if not isinstance(step, Dense):
            raise KdpError(f"{step.name} reads the observation itself; only a fully connected layer may")
        weight = step.layer.weight.astype(np.float64)
        bias = step.layer.bias + weight @ ((centre - actor.mean) / actor.std)
        layers[step.name] = Layer((weight * (span / actor.std)).astype(np.float32), bias.astype(np.float32))
    return layers


def _answering(
    actor: Actor, step: Dense, answers: np.ndarray, limits: Limits
) -> tuple[np.ndarray, np.ndarray, Layer]:
    """Gain and offset of the actions, and the last layer, whose outputs use the whole int8 span.

    Args:
        answers: the layer's outputs over the calibration data, float32 [n, act_dim].
    """
    actions = answers * actor.gain + actor.offset
    low = np.maximum(actor.low, limits.low)
    high = np.minimum(actor.high, limits.high)
    least, most = actions.min(0).clip(low, high), actions.max(0).clip(low, high)
    centre = (least + most) / 2
    span = np.maximum((most - least) / 2, LEAST_SPAN * limits.half)
    layer = _in_units(actor, step, centre, span)
    return span.astype(np.float32), (centre + 0.0).astype(np.float32), layer


def _in_units(actor: Actor, step: Dense, centre: np.ndarray, span: np.ndarray) -> Layer:
    """The last layer, its answers as `(action - centre) / span`."""
    weight = step.layer.weight * (actor.gain / span)[:, None]
    bias = (step.layer.bias * actor.gain + actor.offset - centre) / span
    return Layer(weight.astype(np.float32), bias.astype(np.float32))


def unit_actor(
    actor: Actor, obs_centre: np.ndarray, obs_span: np.ndarray, act_centre: np.ndarray, act_span: np.ndarray
) -> ActorNet:
    """The actor's net between units, for these centres and half spans of signals and actions."""
    net = actor.net.with_layers(_reading(actor, obs_centre, obs_span))
    last = net.steps[-1]
    if isinstance(last, Dense):
        net = net.with_layers({last.name: _in_units(actor, last, act_centre, act_span)})
    return net
