# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What integers cost, tensor by tensor: together as much as is really played; a coarse tensor stands out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.quantization.losses import STATES, TOGETHER, action_losses
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import FloatPolicy, load_planner
from kdp_edge.run import Run


def played(run: Run, planner: IntegerPlanner) -> float:
    """The same number by the planner's own plans, one state after the other."""
    policy, spec, gaps = FloatPolicy.from_run(run), planner.spec, []
    for observation in run.calibration()[:STATES]:
        state = planner.quantize_observation(observation[None])
        windows, _ = planner.candidates(state, np.zeros((1, spec.latent_dim), np.int8))
        latent = np.zeros(spec.latent_dim, np.float32)
        wanted = policy.generator(np.concatenate([policy.normalizer(observation), latent])[None])
        wanted = np.clip(wanted[0, spec.obs_dim : spec.obs_dim + spec.act_dim], -1, 1)
        gaps.append(planner.actions(windows)[0, 0] - wanted)
    return 100 * float(np.sqrt(np.mean(np.square(gaps))))


def test_together_is_what_the_planner_plays(run_folder: Path) -> None:
    run, planner = Run.load(run_folder), load_planner(run_folder)
    losses = action_losses(run, planner)
    assert losses[TOGETHER] == pytest.approx(played(run, planner), rel=0.01)
    assert min(losses.values()) > 0
    assert list(losses) == [*planner.generator.sizes(), "weights", "together"]


def test_a_coarse_tensor_stands_out(run_folder: Path) -> None:
    run, planner = Run.load(run_folder), load_planner(run_folder)
    net = planner.generator
    coarse = replace(net, scales=net.scales | {"block0_inner": np.float32(30 * net.scales["block0_inner"])})
    # the layer that reads it has its bias in steps of that scale
    linears = [
        replace(op, bias=(op.bias // 30).astype(np.int32)) if op.inputs == ("block0_inner",) else op
        for op in net.operations
    ]
    made = replace(planner, generator=replace(coarse, operations=tuple(linears)))
    before, after = action_losses(run, planner), action_losses(run, made)
    assert after["block0_inner"] > 5 * before["block0_inner"]
    assert after["hidden"] < 2 * before["hidden"]
