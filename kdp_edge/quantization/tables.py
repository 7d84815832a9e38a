# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Activations as tables of 256 int8: the same bytes as TensorFlow Lite for Microcontrollers' own operators.

TFLite-Micro computes TANH in fixed point and ELU in float32; both are within 1e-4 of a step of the real
value. A table is rounded from float64, and scales are chosen so that no entry is near a half: then every
faithful implementation rounds to the same integers, and which one a runtime has does not matter.

A sigmoid needs no table of its own: it is (1 + tanh(x / 2)) / 2, whose constants fold into the layers
around it (kdp_edge/actors). Its int8 form would have a zero-point, which no activation here has.
"""

from __future__ import annotations

import numpy as np

from kdp_edge.base.errors import KdpError

TANH_SCALE = np.float32(1 / 128)  # of its output: TensorFlow Lite's quantization specification
TANH_REACH = 2.8  # beyond, tanh has reached the last int8 step, so no input needs a wider range
ELU_REACH = 5.6  # likewise of an ELU's negative inputs, as a share of the span of 1
CLEAR = 1e-3  # of a step: what an entry keeps from a half
FLOOR_CLEAR = 0.25  # likewise the floor that an ELU's entries crowd at
_WIDEN, _TRIES = 1.0003, 400


def function(kind: str, values: np.ndarray) -> np.ndarray:
    """The activation `kind` of real values, of their dtype."""
    if kind == "tanh":
        return np.asarray(np.tanh(values))
    return np.where(values < 0, np.expm1(np.minimum(values, 0)), values)


def table(kind: str, input_scale: np.floating, output_scale: np.floating) -> np.ndarray:
    """int8 [256]: the activation of -128 ... 127, rounded half up."""
    return np.floor(_steps(kind, input_scale, output_scale) + 0.5).clip(-128, 127).astype(np.int8)


def clear_scale(kind: str, input_scale: np.floating, output_scale: np.floating) -> np.float32:
    """The smallest scale of the input, from `input_scale` on, with which no entry is near a half."""
    scale = np.float32(input_scale)
    for _ in range(_TRIES):
        steps = _steps(kind, scale, output_scale)
        inside = steps[(steps > -128.5) & (steps < 127.5)]
        if np.abs(inside - np.floor(inside) - 0.5).min() > CLEAR and np.frexp(scale)[0] != 0.5:
            return scale
        scale = np.float32(scale * np.float32(_WIDEN))
    raise KdpError(f"no scale near {input_scale:g} gives a table of {kind} without ties; please report it")


def clear_output_scale(kind: str, scale: np.floating) -> np.float32:
    """The smallest scale of the output, from `scale` on, with which an ELU's floor of -1 is not near a half.

    Towards the floor its entries lie so close to each other that one of them would be near a half, whatever
    the scale of the input is.
    """
    made = np.float32(scale)
    while kind == "elu" and abs(1 / np.float64(made) % 1 - 0.5) < FLOOR_CLEAR:
        made = np.float32(made * np.float32(_WIDEN))
    return made


def _steps(kind: str, input_scale: np.floating, output_scale: np.floating) -> np.ndarray:
    return function(kind, np.arange(-128, 128) * np.float64(input_scale)) / np.float64(output_scale)
