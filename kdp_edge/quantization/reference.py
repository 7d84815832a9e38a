# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The exact integer reference of an integer net, in NumPy: TensorFlow Lite for Microcontrollers' arithmetic.

Rounding is "double rounding": a saturating rounding doubling high multiply, then a rounding divide
by a power of two (gemmlowp `fixedpoint.h`; TFLM `MultiplyByQuantizedMultiplier` and
`QuantizeMultiplier`). Every artefact in every bundle, and every reply of every device, is held
against the functions in this file.
"""

from __future__ import annotations

import numpy as np

from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear, Table

ADD_LEFT_SHIFT = 20


def quantize_multiplier(real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write positive reals as `multiplier * 2**(shift - 31)`: int32 in [2**30, 2**31) and int8-sized.

    Args:
        real: float64, any shape.
    Returns:
        (multiplier int32, shift int32) of the same shape.
    """
    mantissa, shift = np.frexp(np.asarray(real, np.float64))
    multiplier = np.floor(mantissa * (1 << 31) + 0.5).astype(np.int64)
    overflow = multiplier == 1 << 31
    multiplier = np.where(overflow, multiplier // 2, multiplier)
    shift = np.where(overflow, shift + 1, shift)
    flushed = shift < -31
    return (
        np.where(flushed, 0, multiplier).astype(np.int32),
        np.where(flushed, 0, shift).astype(np.int32),
    )


def linear_multipliers(net: IntegerNet, op: Linear) -> tuple[np.ndarray, np.ndarray]:
    """Requantization (multiplier, shift), int32 [outputs] each, of a linear operation."""
    real = (
        np.float64(net.scales[op.input])
        * op.weight_scale.astype(np.float64)
        / np.float64(net.scales[op.output])
    )
    return quantize_multiplier(real)


def add_multipliers(net: IntegerNet, op: Add) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """((multiplier, shift) of the left input, of the right input, of the sum) of an addition."""
    left, right, out = (np.float64(net.scales[n]) for n in (op.left, op.right, op.output))
    twice_max = 2 * max(left, right)
    reals = (left / twice_max, right / twice_max, twice_max / ((1 << ADD_LEFT_SHIFT) * out))
    parts = [quantize_multiplier(np.asarray(real)) for real in reals]
    first, second, third = ((int(m), int(s)) for m, s in parts)
    return first, second, third


def multiply_by_quantized_multiplier(
    value: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int
) -> np.ndarray:
    """`value * multiplier * 2**(shift - 31)` with double rounding; integers in int32's range, int64 out."""
    left = np.maximum(shift, 0)
    right = np.maximum(np.negative(shift), 0)
    high = np.array(value, np.int64)  # and from here on in place: a loop's time is that of allocations
    high *= np.asarray(multiplier, np.int64) << left
    # (product + nudge) / 2**31 truncated towards zero equals a floor with one nudge for every sign
    high += 1 << 30
    high >>= 31
    # the second rounding takes halves away from zero: below it, one less; a shift of 0 rounds nothing
    below = high >> 63
    below &= -(right > 0).astype(np.int64)
    high += below
    high += (np.int64(1) << right) >> 1
    high >>= right
    return high


def run(net: IntegerNet, inputs: np.ndarray) -> np.ndarray:
    """Evaluate `net`: int8 [..., batch, input_size] -> int8 [..., batch, output_size].

    Small batches in a stack are multiplied one after the other, which BLAS does without waking its threads.
    """
    return run_all(net, inputs)[net.output_name]


def run_all(net: IntegerNet, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Evaluate `net` and keep every activation: name -> int8 [..., batch, size]."""
    if inputs.dtype != np.int8 or inputs.ndim < 2 or inputs.shape[-1] != net.input_size:
        raise ValueError(f"inputs are {inputs.dtype}{inputs.shape}, expected int8 [batch, {net.input_size}]")
    values = {net.input_name: inputs}
    for op in net.operations:
        if isinstance(op, Table):
            values[op.output] = look_up(op, values[op.input])
            continue
        if isinstance(op, Linear):
            weight, multiplier, shift = _constants(net, op)
            # sums of int8 products are exact in floats, and BLAS is 30x faster than integers
            accumulators = (values[op.input].astype(weight.dtype) @ weight).astype(np.int64)
            accumulators += op.bias
            result = multiply_by_quantized_multiplier(accumulators, multiplier, shift)
        else:
            result = add(net, op, values[op.left], values[op.right])
        values[op.output] = result.clip(0 if op.relu else -128, 127, out=result).astype(np.int8)
    return values


def look_up(op: Table, values: np.ndarray) -> np.ndarray:
    """The activation of int8 values, of their shape."""
    return op.table[values.astype(np.int16) + 128]


def _constants(net: IntegerNet, op: Linear) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights [inputs, outputs] and requantization: derived once, as a loop plans in every step.

    The weights are float32 where that holds every sum (integers up to 2**24), else float64 (2**53).
    """
    if op.name not in net.derived:
        largest = op.weight.shape[1] * 128 * 128
        weight = op.weight.T.astype(np.float32 if largest <= 1 << 24 else np.float64)
        net.derived[op.name] = (weight, *linear_multipliers(net, op))
    made: tuple[np.ndarray, np.ndarray, np.ndarray] = net.derived[op.name]
    return made


def add(net: IntegerNet, op: Add, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Requantized sum of two int8 arrays, before clamping; int64 of their shape."""
    if op.name not in net.derived:
        of_left, of_right, of_sum = add_multipliers(net, op)
        every = np.arange(256).astype(np.int8).astype(np.int64) << ADD_LEFT_SHIFT  # by the byte of an int8
        tables = (multiply_by_quantized_multiplier(every, *one) for one in (of_left, of_right))
        net.derived[op.name] = (*tables, of_sum)
    table_left, table_right, of_sum = net.derived[op.name]
    total = table_left[left.view(np.uint8)]
    total += table_right[right.view(np.uint8)]
    return multiply_by_quantized_multiplier(total, *of_sum)
