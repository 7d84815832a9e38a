# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What integers cost, tensor by tensor: how far rounding one alone moves the action that is played.

Of KDP the plan of latent 0. The base is the float net with the weights that the integers stand for, so that
the rounding of the weights is a number of its own.
"""

from __future__ import annotations

import numpy as np

from kdp_edge.quantization.float_actor import load as load_actor
from kdp_edge.quantization.float_planner import dequantized_layer
from kdp_edge.quantization.integer_net import IntegerNet, Linear, Table
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import FloatPolicy
from kdp_edge.quantization.tables import function
from kdp_edge.run import ACTOR_FILE, Run

WEIGHTS, TOGETHER = "weights", "together"
STATES = 2048  # of the calibration data


def action_losses(run: Run, planner: IntegerPlanner) -> dict[str, float]:
    """Root mean square error of the first action, in per cent of half its range.

    Over the states that an imported actor met itself, otherwise over those of the calibration data.

    Returns:
        by name: every activation of the generator if it alone were rounded, in execution order; `weights`
        against the trained ones; `together`, what the integers really answer.
    """
    spec, net = planner.spec, planner.generator
    met = run.met()
    observations = np.concatenate(met) if met else run.calibration()[:STATES]
    half = (np.asarray(spec.act_high) - np.asarray(spec.act_low)) / 2
    scale = np.float64(net.scales[net.input_name])
    signals = (observations - np.asarray(spec.obs_offset)) * np.asarray(spec.obs_gain) * scale
    inputs = np.concatenate([signals, np.zeros((len(signals), spec.latent_dim))], 1)

    def answers(rounded: set[str]) -> np.ndarray:
        return _actions(planner, _values(net, inputs, rounded) / np.float64(net.scales[net.output_name]))

    def loss(found: np.ndarray, wanted: np.ndarray) -> float:
        return float(100 * np.sqrt(np.mean(((found - wanted) / half) ** 2)))

    trained, exact = _trained(run, planner, observations), answers(set())
    latent = np.zeros((len(observations), spec.latent_dim), np.int8)
    windows = planner.candidates(planner.quantize_observation(observations), latent)[0]
    return {
        **{name: loss(answers({name}), exact) for name in net.sizes()},
        WEIGHTS: loss(exact, trained),
        TOGETHER: loss(_actions(planner, windows), trained),
    }


def _values(net: IntegerNet, inputs: np.ndarray, rounded: set[str]) -> np.ndarray:
    """Outputs of the net in float64, the activations in `rounded` as their int8 would hold them."""

    def held(name: str, values: np.ndarray) -> np.ndarray:
        scale = np.float64(net.scales[name])
        return np.clip(np.rint(values / scale), -128, 127) * scale if name in rounded else values

    values = {net.input_name: held(net.input_name, inputs)}
    for op in net.operations:
        if isinstance(op, Table):
            result = function(op.kind, values[op.input])
        else:
            if isinstance(op, Linear):
                result = dequantized_layer(net, op)(values[op.input])
            else:
                result = values[op.left] + values[op.right]
            result = np.maximum(result, 0) if op.relu else result
        values[op.output] = held(op.output, result)
    return values[net.output_name]


def _actions(planner: IntegerPlanner, steps: np.ndarray) -> np.ndarray:
    """First actions [n, act_dim] of windows [n, size] in int8 steps, within their ranges."""
    spec = planner.spec
    first = spec.shape.action_columns()[: spec.act_dim]
    gain, offset = np.asarray(spec.act_gain)[: spec.act_dim], np.asarray(spec.act_offset)
    return np.asarray(np.clip(steps[:, first] * gain + offset, spec.act_low, spec.act_high))


def _trained(run: Run, planner: IntegerPlanner, observations: np.ndarray) -> np.ndarray:
    """First actions of the float policy, within their ranges."""
    spec = planner.spec
    if spec.is_actor:
        actions = load_actor(run.path / ACTOR_FILE)(observations)
    else:
        policy = FloatPolicy.from_run(run)
        latent = np.zeros((len(observations), spec.latent_dim), np.float32)
        windows = policy.generator(np.concatenate([policy.normalizer(observations), latent], 1))
        actions = run.task().robot.units(windows[:, spec.shape.action_columns()[: spec.act_dim]])
    return np.asarray(np.clip(actions, spec.act_low, spec.act_high))
