# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Weights rounded together: a layer's sums over calibration inputs stay right, not each weight by itself.

Layer by layer, on the integers that the layer really gets. First its float weights are fitted again, by
least squares, to the sums of the float net: that makes up for what the layers before it lost. Then columns
are rounded one after the other, and what one loses is carried to those that are not rounded yet, along the
inputs' covariance (Frantar et al., "GPTQ", ICLR 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kdp_edge.quantization import reference
from kdp_edge.quantization.float_net import Layer, Layers
from kdp_edge.quantization.integer_net import IntegerNet, Linear, check
from kdp_edge.quantization.post_training import bias_steps, require_right_shifts, weight_scales

DAMPING = 0.01  # of the inputs' mean variance: what few states leave open stays as trained


def rounded_together(
    net: IntegerNet, layers: Layers, wanted: Mapping[str, np.ndarray], inputs: np.ndarray, per_channel: bool
) -> IntegerNet:
    """`net` with other weights and biases; its scales stay.

    Args:
        net: as `quantize_linear` rounds it.
        layers: the float layers, by the names of their operations.
        wanted: activations of the float net, float32 [n, size] by name.
        inputs: int8 [n, inputs], the same n rows for the integer net.
        per_channel: see `quantize_linear`.

    Raises:
        KdpError: a layer amplifies by 1 or more per integer step with its new weights.
    """
    operations = list(net.operations)
    for number, op in enumerate(operations):
        if isinstance(op, Linear):
            so_far = replace(net, operations=tuple(operations))
            given = reference.run_all(so_far, inputs)[op.input] * np.float64(net.scales[op.input])
            sums = layers[op.name](wanted[op.input].astype(np.float64))
            operations[number] = _rounded(op, layers[op.name], given, sums, net.scales[op.input], per_channel)
    made = replace(net, operations=tuple(operations))
    check(made)
    require_right_shifts(made)
    return made


def _rounded(
    op: Linear, layer: Layer, given: np.ndarray, sums: np.ndarray, scale: np.floating, per_channel: bool
) -> Linear:
    """`op` with weights for which its sums over `given` [n, inputs] are near `sums` [n, outputs]."""
    middle, mean = given.mean(0), sums.mean(0)
    centred = given - middle
    covariance = centred.T @ centred / len(centred)
    covariance += DAMPING * max(float(np.diag(covariance).mean()), 1e-12) * np.eye(len(covariance))
    left = (sums - mean) - centred @ layer.weight.T.astype(np.float64)
    fitted = layer.weight + np.linalg.solve(covariance, centred.T @ left / len(centred)).T
    scales = weight_scales(fitted, per_channel)
    steps = _columns_rounded(fitted / scales[:, None].astype(np.float64), covariance)
    bias = mean - (steps * scales[:, None].astype(np.float64)) @ middle
    return replace(
        op, weight=steps.astype(np.int8), weight_scale=scales, bias=bias_steps(bias, scale, scales)
    )


def _columns_rounded(weight: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Weights [outputs, inputs] in steps of their scales -> whole numbers from -127 to 127, float64.

    The input that varies most comes first: then most others are left to make up for it.
    """
    order = np.argsort(-np.diag(covariance), kind="stable")
    left = weight[:, order].astype(np.float64)
    carry = np.linalg.cholesky(np.linalg.inv(covariance[np.ix_(order, order)])).T
    steps = np.zeros_like(weight)
    for at, column in enumerate(order):
        steps[:, column] = np.clip(np.rint(left[:, at]), -127, 127)
        lost = (left[:, at] - steps[:, column]) / carry[at, at]
        left[:, at + 1 :] -= lost[:, None] * carry[at, at + 1 :]
    return steps
