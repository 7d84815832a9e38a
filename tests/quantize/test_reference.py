# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The integer reference against a literal transcription of gemmlowp's fixed-point C++."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdp_edge.quantization.reference import multiply_by_quantized_multiplier, quantize_multiplier, run
from kdp_edge.quantization.synthetic import random_net

INT32 = st.integers(-(2**31), 2**31 - 1)


def truncating_divide(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def gemmlowp(value: int, multiplier: int, shift: int) -> int:
    """SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT, as gemmlowp/fixedpoint.h writes them."""
    product = value * multiplier
    nudge = (1 << 30) if product >= 0 else 1 - (1 << 30)
    high = truncating_divide(product + nudge, 1 << 31)
    exponent = -shift
    mask = (1 << exponent) - 1
    remainder = high & mask
    threshold = (mask >> 1) + (1 if high < 0 else 0)
    return (high >> exponent) + (1 if remainder > threshold else 0)


@given(INT32, st.integers(2**30, 2**31 - 1), st.integers(-31, 0))
def test_requantization_is_gemmlowps(value: int, multiplier: int, shift: int) -> None:
    result = multiply_by_quantized_multiplier(np.array([value]), multiplier, shift)[0]
    assert result == gemmlowp(value, multiplier, shift)


@given(st.floats(1e-9, 0.999999))
def test_a_multiplier_is_the_real_to_31_bits(real: float) -> None:
    multiplier, shift = quantize_multiplier(np.array(real))
    assert 2**30 <= multiplier < 2**31
    assert abs(float(multiplier) * 2.0 ** (float(shift) - 31) - real) <= real * 2.0**-31


def test_a_net_equals_integer_arithmetic_written_out() -> None:
    net = random_net("small", 5, 8, 1, 3, seed=3)
    inputs = np.random.default_rng(0).integers(-128, 128, (20, 5)).astype(np.int8)
    for row, expected in zip(inputs, run(net, inputs), strict=True):
        assert slow_run(net, row.tolist()) == expected.tolist()


def slow_run(net, row: list[int]) -> list[int]:
    from kdp_edge.quantization.reference import ADD_LEFT_SHIFT, add_multipliers, linear_multipliers

    values = {net.input_name: row}
    for op in net.operations:
        low = 0 if op.relu else -128
        if hasattr(op, "weight"):
            multipliers, shifts = linear_multipliers(net, op)
            result = []
            for weights, bias, m, s in zip(op.weight, op.bias, multipliers, shifts, strict=True):
                total = int(bias) + sum(int(w) * x for w, x in zip(weights, values[op.input], strict=True))
                result.append(gemmlowp(total, int(m), int(s)))
        else:
            (lm, ls), (rm, rs), (sm, ss) = add_multipliers(net, op)
            result = [
                gemmlowp(
                    gemmlowp(a << ADD_LEFT_SHIFT, lm, ls) + gemmlowp(b << ADD_LEFT_SHIFT, rm, rs), sm, ss
                )
                for a, b in zip(values[op.left], values[op.right], strict=True)
            ]
        values[op.output] = [min(max(v, low), 127) for v in result]
    return values[net.output_name]


def test_wrong_inputs_are_refused() -> None:
    import pytest

    net = random_net("small", 5, 8, 1, 3)
    with pytest.raises(ValueError, match="expected int8"):
        run(net, np.zeros((2, 4), np.int8))
    with pytest.raises(ValueError, match="expected int8"):
        run(net, np.zeros((2, 5), np.float32))
