# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The model of the plant: it shows on which side a plan falls, and the plan gets the gain that it needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from kdp_edge.cli.train import braced as words
from kdp_edge.data.store import DataSet
from kdp_edge.learn.plant import GAIN, MEMBERS, STARTS, Brace, PlantStage, PlantSteps
from kdp_edge.learn.recipes import WEAKER, choices
from kdp_edge.run import RunConfig
from kdp_edge.window import Normalizer
from tests.learning.traits import MEDIUM_EXPERT

LIMIT = 2.0
CONFIG = RunConfig("t", "d", 1, 1, horizon=2, plant_steps=300, plant_batch=64, value_lr=3e-3)


def leaning(state: np.ndarray, action: np.ndarray) -> np.ndarray:
    """A stick that leans further by a fifth in each step, and is pushed back by up to 0.4."""
    return 1.2 * state + 0.4 * action


def data(count: int = 8000) -> DataSet:
    """Random pushes; an episode ends where the stick lies, or after 20 steps."""
    rng = np.random.default_rng(0)
    states, ends, falls = [np.float32(0)], np.zeros(count, bool), np.zeros(count, bool)
    actions = rng.uniform(-1, 1, (count, 1)).astype(np.float32)
    following = np.zeros((count, 1), np.float32)
    age = 0
    for i in range(count):
        following[i] = leaning(states[-1], actions[i])
        falls[i] = abs(following[i, 0]) > LIMIT
        age += 1
        ends[i] = falls[i] or age == 20 or i == count - 1
        states.append(np.float32(rng.uniform(-1, 1)) if ends[i] else following[i, 0])
        age = 0 if ends[i] else age
    seen = np.array(states[:-1], np.float32)[:, None]
    return DataSet("d", seen, actions, np.zeros(count, np.float32), following, falls, ends, "", {})


@pytest.fixture(scope="module")
def stage() -> PlantStage:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    known = data()
    steps = PlantSteps.of(known, Normalizer.fit(known.observations), "cpu")
    made = PlantStage(CONFIG, steps, torch.Generator().manual_seed(0))
    while made.done < made.total:
        made.step()
    return made


def test_the_model_moves_as_the_plant_does(stage: PlantStage) -> None:
    steps = stage.steps
    with torch.no_grad():
        made = stage.learner.unrounded()(steps.inputs[:512].expand(MEMBERS, -1, -1))
    assert (made[..., :-1] - steps.moved[:512]).square().mean() < 0.01
    told = (made[..., -1] > 0) == (steps.ended[:512] > 0)
    assert told.float().mean() > 0.97


def test_a_plan_near_its_edge_falls_with_weaker_actuators_and_a_firm_one_does_not(stage: PlantStage) -> None:
    starts = stage.starts(torch.Generator().manual_seed(0))
    assert starts.shape == (STARTS, 1)
    spread = data().observations.std()

    def pushing(strength: float) -> dict[float, float]:
        def plan(state: Tensor) -> Tensor:
            return -strength * state * spread

        return {weaker: stage.fallen(plan, 0.5 * starts, weaker=weaker, steps=60) for weaker in (0.0, 0.5)}

    slack, firm = pushing(0.7), pushing(2.0)
    assert slack[0.5] > slack[0.0] + 0.3
    assert firm[0.5] < firm[0.0] + 0.1
    assert stage.fallen(lambda state: 0 * state, starts, steps=60) > 0.8


@pytest.mark.parametrize(
    ("usual", "weaker", "gain"),
    [
        (0.0, 0.1, 1.0),
        (0.0, 0.2, GAIN),  # clearly more
        (0.1, 0.2, 1.0),
        (0.1, 0.3, GAIN),  # many
        (0.5, 0.3, GAIN),
    ],
)
def test_a_plan_that_ends_clearly_more_often_with_weaker_actuators_or_often_gets_a_gain(
    usual: float, weaker: float, gain: float
) -> None:
    config = RunConfig("t", "d", 3, 2, lead=0.4)
    found = Brace.of(usual, weaker, config)
    assert found.to_json() == {"gain": gain, "lead": 0.4, "fallen": usual, "fallen_weaker": weaker}
    shaped = Brace.of(usual, weaker, replace(config, led_at_edge=0))
    assert shaped.gain == gain and shaped.lead == (0.4 if gain == 1 else 0.0)


def test_a_plan_is_braced_where_robots_fall_and_the_best_do_not() -> None:
    def brace(ends: float, stands: float) -> float:
        made = choices(replace(MEDIUM_EXPERT, ends=ends, stands=stands), 8.0)
        return float(next((choice.settings["brace"] for choice in made if "brace" in choice.settings), 0.0))

    assert (brace(0.5, 1.0), brace(0.0, 1.0), brace(0.9, 0.01)) == (WEAKER, 0.0, 0.0)


def test_near_an_edge_a_plan_that_values_pull_is_not_read_ahead_and_an_experts_is() -> None:
    def led(stands: float) -> int:
        made = choices(replace(MEDIUM_EXPERT, stands=stands), 8.0)
        found = {name: value for choice in made for name, value in choice.settings.items()}
        return int(found.get("led_at_edge", RunConfig.led_at_edge))

    assert (led(1.0), led(0.9)) == (1, 0)


@pytest.mark.parametrize(
    ("gain", "lead", "end"),
    [
        (1.0, 0.4, ""),
        (1.05, 0.4, ": an edge is near, actions are played 1.05 times as large"),
        (1.05, 0.0, ": an edge is near, actions are played 1.05 times as large and read as they are"),
    ],
)
def test_what_the_model_said_is_one_sentence(gain: float, lead: float, end: str) -> None:
    config = RunConfig("t", "d", 3, 2, lead=0.4, brace=0.1)
    metrics = {"brace": {"gain": gain, "lead": lead, "fallen": 0.3, "fallen_weaker": 0.31}}
    (line,) = words(metrics, config)
    before = "in the model of the plant 30% of the rollouts end early, 31% with actuators 10% weaker"
    assert line == before + end
    assert words({}, config) == []
