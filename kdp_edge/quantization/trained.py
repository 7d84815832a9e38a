# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A run's trained layers between the units of its integer nets: the same operations before their rounding."""

from __future__ import annotations

import numpy as np

from kdp_edge.quantization.actor_policy import unit_actor
from kdp_edge.quantization.float_actor import load as load_actor
from kdp_edge.quantization.float_net import FloatNet, Layers
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import FloatPolicy, unit_nets
from kdp_edge.run import ACTOR_FILE, Run


def trained_layers(run: Run, planner: IntegerPlanner) -> dict[str, Layers]:
    """{net: {operation: layer}} of the run that `planner` was quantized from, inputs and outputs in units."""
    if run.config.is_actor:
        actor, spec = load_actor(run.path / ACTOR_FILE), planner.spec
        step_in, step_out = (np.float64(planner.generator.scales[name]) for name in _ends(planner))
        net = unit_actor(
            actor,
            np.asarray(spec.obs_offset, np.float64),
            1 / (np.asarray(spec.obs_gain, np.float64) * step_in),
            np.asarray(spec.act_offset, np.float64),
            np.asarray(spec.act_gain, np.float64) / step_out,
        )
        return {"generator": {step.name: step.layer for step in net.denses}}
    units = unit_nets(FloatPolicy.from_run(run), run.config, run.calibration())
    return {"generator": _layers(units.generator), "critic": _layers(units.critic)}


def _ends(planner: IntegerPlanner) -> tuple[str, str]:
    return planner.generator.input_name, planner.generator.output_name


def _layers(net: FloatNet) -> Layers:
    """By the names that `quantize_net` gives their operations."""
    layers = {"first": net.first, "last": net.last}
    for i, (inner, branch) in enumerate(net.blocks):
        layers |= {f"block{i}_inner": inner, f"block{i}_branch": branch}
    return layers
