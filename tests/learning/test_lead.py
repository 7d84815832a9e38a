# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Actions as they are played: read ahead in their window, times a gain; and which data ask for a lead."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from kdp_edge.base.errors import KdpError
from kdp_edge.learn.generator import GeneratorStage, as_played
from kdp_edge.learn.matches import Matches, condition_chances
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.recipes import LEAD, choices
from kdp_edge.run import RunConfig
from tests.learning.traits import MEDIUM_EXPERT

CONFIG = RunConfig("t", "d", 3, 2, width=8, blocks=1, horizon=4, lead=0.25)


def ahead(net: ResidualMLP, config: RunConfig) -> ResidualMLP:
    made = copy.deepcopy(net)
    for rows in made.last.parameters():
        as_played(rows, config)
    return made


@pytest.mark.parametrize("lead", [0.0, 0.25, 0.5, 1.0])
def test_actions_are_those_between_two_steps_of_the_window(lead: float) -> None:
    config = replace(CONFIG, lead=lead)
    net = ResidualMLP(3, 8, 1, config.window_dim)
    seen = torch.randn(16, 3)
    with torch.no_grad():
        plain, found = (one(seen).numpy() for one in (net, ahead(net, config)))
    shape = config.shape
    np.testing.assert_array_equal(shape.observations(found), shape.observations(plain))
    actions, expected = shape.actions(found), shape.actions(plain)
    times = np.minimum(np.arange(4) + lead, 3)  # the last step has nothing behind it
    for j in range(16):
        for a in range(2):
            along = np.interp(times, np.arange(4), expected[j, :, a])
            np.testing.assert_allclose(actions[j, :, a], along, atol=1e-6)


def test_a_window_of_one_step_has_nothing_ahead() -> None:
    config = replace(CONFIG, horizon=1, lead=0.5)
    net = ResidualMLP(3, 8, 1, config.window_dim)
    assert torch.equal(ahead(net, config).last.weight, net.last.weight)


def test_a_gain_makes_every_action_larger_and_no_observation() -> None:
    net, config = ResidualMLP(3, 8, 1, CONFIG.window_dim), replace(CONFIG, gain=1.25)
    seen = torch.randn(16, 3)
    with torch.no_grad():
        plain, found = (ahead(net, one)(seen).numpy() for one in (CONFIG, config))
    shape = config.shape
    np.testing.assert_array_equal(shape.observations(found), shape.observations(plain))
    np.testing.assert_allclose(shape.actions(found), 1.25 * shape.actions(plain), atol=1e-6)


def test_a_plan_is_deployed_with_the_lead_it_is_found_to_bear() -> None:
    """As the model of the plant finds an edge after the plan was trained with a lead."""
    keys, flat = torch.randn(32, 3), torch.randn(32, CONFIG.window_dim)
    own = torch.arange(32)[:, None]
    matches = Matches(keys, flat, own, torch.ones(32, 1), condition_chances(None, 32))

    def stage(config: RunConfig) -> GeneratorStage:
        torch.manual_seed(0)
        return GeneratorStage(config, matches, torch.Generator().manual_seed(0))

    led, plain = stage(CONFIG), stage(replace(CONFIG, lead=0.0))
    assert torch.equal(led.deployed(0.0).last.weight, plain.deployed().last.weight)
    assert torch.equal(plain.deployed(CONFIG.lead).last.weight, led.deployed().last.weight)
    assert not torch.equal(led.deployed().last.weight, plain.deployed().last.weight)


def test_a_lead_is_a_share_of_a_step() -> None:
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(KdpError, match="lead"):
            replace(CONFIG, lead=wrong).check()


def test_where_states_move_little_or_far_within_a_step_actions_are_read_as_they_are() -> None:
    def lead(step: float) -> float:
        made = choices(replace(MEDIUM_EXPERT, step=step), 8.0)
        return float(next(choice.settings["lead"] for choice in made if "lead" in choice.settings))

    assert (lead(0.1), lead(0.2), lead(0.6)) == (0.0, LEAD, 0.0)
