# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Equalization changes how numbers are spread over channels, never the function."""

import numpy as np
import pytest

from kdp_edge.quantization.equalize import equalize
from kdp_edge.quantization.float_net import FloatNet, Layer
from kdp_edge.quantization.post_training import quantize_net
from kdp_edge.quantization.reference import run


def uneven_net() -> tuple[FloatNet, np.ndarray]:
    """A net whose hidden channels differ a hundredfold in size."""
    rng = np.random.default_rng(0)

    def layer(outs: int, ins: int, sizes: np.ndarray | float = 1.0) -> Layer:
        weight = rng.normal(0, ins**-0.5, (outs, ins)) * np.reshape(sizes, (-1, 1))
        return Layer(weight.astype("f4"), rng.normal(0, 0.1, outs).astype("f4"))

    sizes = 10.0 ** rng.uniform(-2, 0, 32)
    net = FloatNet(layer(32, 9, sizes), ((layer(32, 32), layer(32, 32, sizes)),), layer(5, 32))
    return net, rng.uniform(-1, 1, (3000, 9)).astype("f4")


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_function_stays(strength: float) -> None:
    net, inputs = uneven_net()
    np.testing.assert_allclose(equalize(net, inputs, strength)(inputs), net(inputs), rtol=1e-4, atol=1e-5)


def test_full_strength_makes_channels_equally_large() -> None:
    net, inputs = uneven_net()
    largest = equalize(net, inputs, 1.0).activations(inputs)["block0_inner"].max(0)
    assert largest[largest > 0].min() > 0.999 * largest.max()


def test_integers_come_closer_to_float() -> None:
    net, inputs = uneven_net()
    net = net.with_unit_ranges(np.ones(9, "f4"), np.abs(net(inputs)).max(0))

    def error(candidate: FloatNet) -> float:
        quantized = quantize_net(candidate, inputs, "n")
        integers = np.rint(inputs / quantized.scales["input"]).astype(np.int8)
        result = run(quantized, integers) * quantized.scales["output"]
        return float(np.square(result - net(inputs)).mean())

    assert error(equalize(net, inputs)) < 0.7 * error(net)
