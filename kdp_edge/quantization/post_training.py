# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Post-training quantization: true min/max over calibration inputs, no clipping.

Percentile clipping cost 3-11 dB on these nets; plain maxima lose nothing that a score can see.
"""

from __future__ import annotations

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.float_net import FloatNet, Layer
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear, Operation, Table, check
from kdp_edge.quantization.reference import add_multipliers, linear_multipliers


def quantize_net(net: FloatNet, calibration: np.ndarray, name: str, per_channel: bool = True) -> IntegerNet:
    """Turn `net` into an integer net.

    Args:
        net: float net between units (see `FloatNet.with_unit_ranges`).
        calibration: float32 [n, inputs], inputs as the net will see them.
        name: of the result.
        per_channel: one weight scale per output; else one per layer, for runtimes that need it.
    Raises:
        KdpError: when a layer would amplify by 1 or more per integer step, which the kernels'
            right-shift requantization does not cover.
    """
    activations = net.activations(np.asarray(calibration, np.float32))
    # inputs and outputs are in units, so their span is known and does not depend on calibration
    fixed = {"input": np.float32(1), "output": np.float32(1)}
    scales = {n: activation_scale(fixed.get(n, np.abs(v).max())) for n, v in activations.items()}
    operations: list[Operation] = [
        quantize_linear("first", net.first, "input", "hidden", True, scales, per_channel)
    ]
    source = "hidden"
    for i, (first, second) in enumerate(net.blocks):
        inner, branch, total = f"block{i}_inner", f"block{i}_branch", f"block{i}"
        operations += [
            quantize_linear(inner, first, source, inner, True, scales, per_channel),
            quantize_linear(branch, second, inner, branch, False, scales, per_channel),
            Add(total, source, branch, total, relu=True),
        ]
        source = total
    operations.append(quantize_linear("last", net.last, source, "output", False, scales, per_channel))
    result = IntegerNet(name, tuple(operations), scales, "input", "output")
    check(result)
    require_right_shifts(result)
    return result


def activation_scale(largest: np.floating) -> np.float32:
    """Symmetric int8 scale for values up to `largest`, never a power of two."""
    return off_power_of_two(np.float32(max(float(largest), 1e-6) / 127))


def off_power_of_two(scale: np.float32) -> np.float32:
    """`scale`, or a little more: with powers of two, ties are common."""
    return np.float32(scale * np.float32(1.0001)) if np.frexp(scale)[0] == 0.5 else scale


def quantize_linear(
    name: str,
    layer: Layer,
    source: str,
    target: str,
    relu: bool,
    scales: dict[str, np.float32],
    per_channel: bool,
) -> Linear:
    """A layer as an operation of the integer net, the scales of its activations given."""
    weight_scale = weight_scales(layer.weight, per_channel)
    weight = np.clip(np.rint(layer.weight / weight_scale[:, None]), -127, 127).astype(np.int8)
    bias = bias_steps(layer.bias, scales[source], weight_scale)
    return Linear(name, source, target, weight, weight_scale, bias, relu)


def weight_scales(weight: np.ndarray, per_channel: bool) -> np.ndarray:
    """Symmetric int8 scales of weights [outputs, inputs], float32 [outputs], never a power of two."""
    largest = np.abs(weight).max(1)
    if not per_channel:
        largest = np.full_like(largest, largest.max())
    # an all-zero row keeps a scale in the range of its neighbours
    floor = max(float(largest.max()) * 1e-4, 1e-8)
    return np.array([off_power_of_two(np.float32(max(m, floor) / 127)) for m in largest])


def bias_steps(bias: np.ndarray, input_scale: np.floating, weight_scale: np.ndarray) -> np.ndarray:
    """Biases as int32, in steps of their layer's sums."""
    step = np.float64(input_scale) * weight_scale.astype(np.float64)
    # +-2**30 leaves headroom: the sum with any int8 products cannot leave int32
    return np.clip(np.rint(bias / step), -(2**30), 2**30).astype(np.int32)


def require_right_shifts(net: IntegerNet) -> None:
    """Raise `KdpError` where an operation would amplify its sum by 1 or more."""
    for op in net.operations:
        if isinstance(op, Table):
            continue
        if isinstance(op, Linear):
            shifts = linear_multipliers(net, op)[1]
        else:
            shifts = np.array([shift for _, shift in add_multipliers(net, op)])
        if (shifts > 0).any():
            raise KdpError(
                f"integer net {net.name}: {op.name} multiplies its accumulator by 1 or more; its "
                "output range is far too small for its weights - check training and calibration"
            )
