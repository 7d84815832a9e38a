# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Post-training quantization of an actor's net: which range each activation gets is decided by its answers.

The ranges of a generator are plain maxima (`post_training.py`). An actor's tanh and ELU cannot be
equalized, and one rare value would take the int8 levels of all others, so several quantiles of the
calibration inputs are tried; the ranges kept are those with the smallest error of the net's outputs on
inputs that were held out. Weights are then rounded together (`rounding.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization import reference
from kdp_edge.quantization.equalize import STRENGTH, equalized_layers
from kdp_edge.quantization.float_actor import INPUT, Activation, ActorNet, Dense, Sum
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear, Operation, Table, check
from kdp_edge.quantization.post_training import activation_scale, quantize_linear, require_right_shifts
from kdp_edge.quantization.rounding import rounded_together
from kdp_edge.quantization.tables import (
    ELU_REACH,
    TANH_REACH,
    TANH_SCALE,
    clear_output_scale,
    clear_scale,
    table,
)

STRENGTHS = (STRENGTH, STRENGTH / 2, 0.0)  # of equalization, in the order in which they are tried
Error = Callable[[IntegerNet], float]  # of the answers to held-out inputs
QUANTILES = (1.0, 0.9999, 0.999, 0.997, 0.99)


def quantize_actor_net(
    net: ActorNet, inputs: np.ndarray, held_out: np.ndarray, weight: np.ndarray, per_channel: bool = True
) -> IntegerNet:
    """Turn `net` into an integer net called generator.

    Args:
        net: whose inputs are in units, and whose outputs are, if its last step is a layer.
        inputs: float32 [n, inputs] that ranges are taken from.
        held_out: float32 [m, inputs] that decide among them.
        weight: float32 [outputs], what an output's error counts.
        per_channel: one weight scale per output; else one per layer.

    Raises:
        KdpError: a layer amplifies by 1 or more per integer step, however its channels are scaled.
    """
    for strength in STRENGTHS:
        try:
            equal = net.with_layers(equalized_layers(net, inputs, strength))
            return _with_best_ranges(equal, inputs, held_out, weight, per_channel)
        except KdpError:  # a channel that hardly ever moves was blown up
            if strength == STRENGTHS[-1]:
                raise
    raise AssertionError("no strength at all")


def _with_best_ranges(
    net: ActorNet, inputs: np.ndarray, held_out: np.ndarray, weight: np.ndarray, per_channel: bool
) -> IntegerNet:
    values = net.activations(inputs)
    wanted = net(held_out)
    if isinstance(net.steps[-1], Dense):
        wanted = np.clip(wanted, -1, 1)
    steps = np.clip(np.rint(held_out / activation_scale(np.float32(1))), -128, 127).astype(np.int8)

    def error(made: IntegerNet) -> float:
        found = reference.run(made, steps) * np.float64(made.scales[made.output_name])
        return float(np.mean(((found - wanted) * weight) ** 2))

    def made(chosen: dict[str, float]) -> IntegerNet:
        return _quantized(net, values, chosen, per_channel)

    free = [step.output for step in net.steps if _is_free(net, step.output)]
    best = {name: QUANTILES[0] for name in free}
    least = error(made(best))
    same = [{name: quantile for name in free} for quantile in QUANTILES[1:]]
    single = [{name: quantile} for name in free for quantile in QUANTILES]
    for change in (*same, *single):
        try:
            found = error(made(best | change))
        except KdpError:  # a range too small for its sums
            continue
        if found < least:
            best, least = best | change, found
    return _rounded(made(best), net, inputs, error, per_channel)


def _rounded(
    made: IntegerNet, net: ActorNet, inputs: np.ndarray, error: Error, per_channel: bool
) -> IntegerNet:
    """Weights rounded together and biases moved, each where that helps held-out inputs."""
    wanted = net.activations(inputs)
    steps = np.clip(np.rint(inputs / made.scales[INPUT]), -128, 127).astype(np.int8)
    layers = {step.name: step.layer for step in net.denses}
    with suppress(KdpError):  # the weights that fit would amplify
        together = rounded_together(made, layers, wanted, steps, per_channel)
        made = min(made, together, key=error)
    return _centred(made, wanted, steps, error)


def _is_free(net: ActorNet, name: str) -> bool:
    """Whether the range of an activation is for calibration to decide."""
    writer = net.writer(name)
    if isinstance(writer, Activation) and writer.kind == "tanh":
        return False
    return not (name == net.output and isinstance(writer, Dense))


def _quantized(
    net: ActorNet, values: dict[str, np.ndarray], quantiles: dict[str, float], per_channel: bool
) -> IntegerNet:
    scales = {INPUT: activation_scale(np.float32(1))}
    for step in reversed(net.steps):  # a table's input is fitted to its output
        scales[step.output] = _scale(net, step.output, values, quantiles, scales)
    operations: list[Operation] = []
    for step in net.steps:
        if isinstance(step, Dense):
            operations.append(
                quantize_linear(
                    step.name, step.layer, step.input, step.output, step.relu, scales, per_channel
                )
            )
        elif isinstance(step, Sum):
            operations.append(Add(step.name, step.left, step.right, step.output, step.relu))
        else:
            entries = table(step.kind, scales[step.input], scales[step.output])
            operations.append(Table(step.name, step.input, step.output, step.kind, entries))
    made = IntegerNet("generator", tuple(operations), scales, INPUT, net.output)
    check(made)
    require_right_shifts(made)
    return made


def _scale(
    net: ActorNet,
    name: str,
    values: dict[str, np.ndarray],
    quantiles: dict[str, float],
    scales: dict[str, np.float32],
) -> np.float32:
    writer = net.writer(name)
    if isinstance(writer, Activation) and writer.kind == "tanh":
        return TANH_SCALE
    if name == net.output and isinstance(writer, Dense):
        return activation_scale(np.float32(1))
    largest = _quantile(np.abs(values[name]), quantiles[name])
    for reader in net.readers(name):
        if isinstance(reader, Activation):
            if reader.kind == "tanh":
                largest = min(largest, TANH_REACH)
            else:
                below = _quantile(np.maximum(-values[name], 0), quantiles[name])
                above = _quantile(np.maximum(values[name], 0), quantiles[name])
                largest = max(above, min(below, ELU_REACH))
            fitted = activation_scale(np.float32(largest or 1.0))
            return clear_scale(reader.kind, fitted, scales[reader.output])
    fitted = activation_scale(np.float32(largest or 1.0))  # a dead layer has a scale, too
    return clear_output_scale(writer.kind, fitted) if isinstance(writer, Activation) else fitted


def _quantile(values: np.ndarray, quantile: float) -> float:
    """Of those above 0: most of a ReLU's are 0."""
    above = values[values > 0]
    if len(above) == 0:
        return 0.0
    return float(above.max() if quantile == 1 else np.quantile(above, quantile))


def _centred(made: IntegerNet, wanted: dict[str, np.ndarray], steps: np.ndarray, error: Error) -> IntegerNet:
    """Biases moved by the mean error of their outputs, layer by layer, where that helps held-out inputs.

    Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019.
    """
    least = error(made)
    for number, op in enumerate(made.operations):
        if not isinstance(op, Linear):
            continue
        found = reference.run_all(made, steps)[op.output] * np.float64(made.scales[op.output])
        gap = (np.clip(wanted[op.output], *_span(made, op)) - found).mean(0)
        step = np.float64(made.scales[op.input]) * op.weight_scale
        moved = replace(op, bias=(op.bias + np.rint(gap / step)).clip(-(2**30), 2**30).astype(np.int32))
        operations = (*made.operations[:number], moved, *made.operations[number + 1 :])
        other = replace(made, operations=operations)
        if (now := error(other)) < least:
            made, least = other, now
    return made


def _span(net: IntegerNet, op: Linear) -> tuple[float, float]:
    scale = float(net.scales[op.output])
    return (0.0 if op.relu else -128 * scale), 127 * scale
