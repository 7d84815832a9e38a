# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What finer observations would be worth: the integer planner with other formats of its nets' inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdp_edge.play.evaluate import play_episodes
from kdp_edge.play.integer_check import BatchPlanner
from kdp_edge.quantization import reference
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.run import Run


@dataclass(frozen=True)
class FinePlanner(BatchPlanner):
    """Observations in `steps` parts of an int8 step, or as they are with 0; then the integer net as it is."""

    steps: int

    def candidates(self, observations: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `BatchPlanner.candidates`."""
        states = self.planner.scale_observation(observations)
        if self.steps:
            states = np.rint(states * self.steps) / self.steps
        windows = _first_layer_in_float(self.planner.generator, np.concatenate([states, noise], 1))
        judged = self.planner.judged(windows)
        assert self.planner.critic is not None
        scores = _first_layer_in_float(self.planner.critic, np.concatenate([states, judged], 1))
        return windows, scores[:, 0]


def _first_layer_in_float(net: IntegerNet, inputs: np.ndarray) -> np.ndarray:
    """`net` on inputs in int8 steps that are not integers: int8 [n, output_size]."""
    first = net.linears[0]
    real = inputs * net.scales[first.input]
    bias = first.bias * np.float64(net.scales[first.input]) * first.weight_scale
    hidden = real @ (first.weight * first.weight_scale[:, None]).T.astype(np.float64) + bias
    integers = np.clip(np.rint(hidden / net.scales[first.output]), 0, 127).astype(np.int8)
    return reference.run(replace(net, operations=net.operations[1:], input_name=first.output), integers)


def observation_formats(run: Run, planner: IntegerPlanner, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Score of each observation format on the same episodes, float policy first."""
    robot = run.task().robot
    formats = {
        "float policy": None,
        "int8": BatchPlanner(planner, robot),
        "int16": FinePlanner(planner, robot, 256),
        "float": FinePlanner(planner, robot, 0),
    }
    return [
        {"observation": name, **play_episodes(run, seeds, kind).summary()} for name, kind in formats.items()
    ]
