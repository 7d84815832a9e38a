# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The one recipe: settings follow from data whose traits are known, whatever the task is called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.data.making.make import make
from kdp_edge.data.store import DataSet, load_data
from kdp_edge.learn.recipes import ALIKE, choices, explained, multiply_adds, recipe_for
from kdp_edge.learn.traits import Traits, near_best, traits_named, traits_of
from kdp_edge.run import RunConfig
from kdp_edge.tasks import get_task
from kdp_edge.window import MAX_BODY, PLAN_HEAD
from tests.learning.traits import MEDIUM, MEDIUM_EXPERT

RNG = np.random.default_rng(0)
TASK = get_task("hopper-medium-expert")


def data(returns: list[float], length: int = 20, fall: bool = False, goal: bool = False) -> DataSet:
    """Episodes of `length` steps with rewards that sum to `returns`; 4 signals, 2 actuators."""
    count = len(returns) * length
    seen = RNG.normal(size=(count + 1, 4)).cumsum(0).astype(np.float32)
    if goal:
        seen[:count, 3] = np.repeat(RNG.normal(size=len(returns)), length)
    rewards = np.repeat(np.array(returns, np.float32) / length, length)
    if goal:
        rewards = np.tile(np.arange(length) == length - 1, len(returns)).astype(np.float32)
    ends = np.tile(np.arange(length) == length - 1, len(returns))
    actions = RNG.uniform(-1, 1, (count, 2)).astype(np.float32)
    return DataSet("d", seen[:-1], actions, rewards, seen[1:], ends & fall, ends, "", {})


def settings(traits: Traits, deadline_ms: float = 8.0) -> dict[str, Any]:
    return {name: v for choice in choices(traits, deadline_ms) for name, v in choice.settings.items()}


def test_traits_are_what_the_data_were_made_of() -> None:
    found = traits_of(data([10.0] * 4 + [1.0] * 6, fall=True))
    assert (found.signals, found.actuators, found.transitions, found.episodes) == (4, 2, 200, 10)
    assert (found.length, found.ends, found.goals, found.rewards) == (20, 1, 0, True)
    assert found.best == pytest.approx(0.4)
    assert not found.to_goals
    told = traits_of(data([1.0] * 10, goal=True))
    assert (told.goals, told.same_reward, told.to_goals) == (1, 0.95, True)
    assert not traits_of(data([0.0] * 10)).rewards


def test_a_reward_that_only_last_steps_have_is_a_verdict() -> None:
    told = data([1.0] * 10, goal=True)
    assert traits_of(told).verdict
    failed = replace(told, rewards=told.rewards * (np.arange(200) >= 100))
    assert traits_of(failed).verdict and traits_of(replace(failed, rewards=failed.rewards - 1)).verdict
    dwelt = np.maximum(told.rewards, np.arange(200) == 150)
    assert not traits_of(replace(told, rewards=dwelt)).verdict, "a goal that is held"
    assert not traits_of(replace(told, rewards=1 - told.rewards)).verdict, "a fall is no success"
    assert not traits_of(data([0.0] * 10)).verdict and not traits_of(data([1.0, 9.0])).verdict


def test_how_much_of_the_best_was_not_ended_by_a_fall() -> None:
    made = data([10.0] * 4 + [1.0] * 6, fall=True)
    assert traits_of(made).stands == 0
    stood = made.terminals & (np.arange(200) >= 20)  # the first of four good episodes was only cut
    assert traits_of(replace(made, terminals=stood)).stands == pytest.approx(0.25)
    assert traits_of(replace(made, terminals=made.ends & False)).stands == 1


def test_a_signal_that_never_moves_is_no_goal() -> None:
    made = data([1.0, 2.0])
    made.observations[:, 3] = 7.0
    assert traits_of(made).goals == 0


def test_traits_by_name_are_those_of_the_data_that_lie_there_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDP_EDGE_HOME", str(tmp_path))
    found = []
    for seed in (0, 1):
        make(TASK, 2000, seed=seed, workers=1, name="kept", force=True)
        found += [traits_named("kept"), traits_of(load_data("kept"))]
    assert found[0] == found[1] and found[2] == found[3] and found[1] != found[3]


@pytest.mark.parametrize("scale", [1e-3, 5.0])
def test_near_the_best_does_not_depend_on_the_rewards_unit(scale: float) -> None:
    returns, steps = RNG.normal(size=300), RNG.integers(1, 50, 300)
    assert near_best(scale * returns, steps) == pytest.approx(near_best(returns, steps))


def test_costs_have_a_best_as_well_and_one_policy_is_near_itself() -> None:
    steps = np.full(100, 200)
    costs = np.concatenate([np.full(60, -600.0), np.full(40, -150.0)]) + RNG.normal(size=100)
    assert near_best(costs, steps) == pytest.approx(0.4)
    assert near_best(1400 + 50 * RNG.normal(size=100), steps) > 0.5


def test_the_recipe_is_the_same_for_every_name_of_the_data() -> None:
    other = replace(TASK, name="my-robot")
    ours = recipe_for(TASK, "a", MEDIUM_EXPERT).to_json()
    theirs = recipe_for(other, "b", MEDIUM_EXPERT).to_json()
    assert {n: v for n, v in ours.items() if n not in ("task", "data")} == {
        n: v for n, v in theirs.items() if n not in ("task", "data")
    }


def test_what_the_data_never_show_is_not_asked_of_values() -> None:
    falls, never = MEDIUM_EXPERT, replace(MEDIUM_EXPERT, ends=0.0)
    assert settings(falls)["improve"] > 0 == settings(never)["improve"]
    unjudged = settings(replace(falls, rewards=False))
    assert unjudged.get("improve", RunConfig.improve) == 0 and unjudged["tilt"] == ALIKE


def test_values_pull_harder_where_even_the_best_fall() -> None:
    expert, falls = settings(MEDIUM_EXPERT), settings(replace(MEDIUM_EXPERT, stands=0.9))
    anchor = [made.get("anchor", RunConfig.anchor) for made in (expert, falls)]
    assert falls["improve"] / anchor[1] > 2 * expert["improve"] / anchor[0] > 0


def test_episodes_that_all_fall_are_drawn_alike_and_their_steps_by_advantage() -> None:
    some, all_fall = settings(replace(MEDIUM_EXPERT, stands=0.9)), settings(MEDIUM)
    assert "gain" not in some and all_fall["gain"] > 1 and "brace" not in all_fall
    assert all_fall["trajectory_tilt"] == ALIKE and all_fall["tilt"] < RunConfig.tilt
    assert all_fall["anchor_own"] == 1 and all_fall["improve"] == 0 and "anchor_own" not in some
    assert "trajectory_tilt" not in some and "tilt" not in some


def test_where_two_ways_lead_on_latent_0_takes_one_though_all_fall() -> None:
    """The mean of what was played in the state itself would be neither."""
    forked = replace(MEDIUM, forks=0.02)
    config = recipe_for(TASK, "a", forked)
    assert config.anchor_tau > 0 == config.anchor_own and config.improve > 0
    assert recipe_for(TASK, "a", MEDIUM).anchor_own == 1
    with pytest.raises(KdpError, match=r"anchor_tau is 0\.1, expected 0 with anchor_own"):
        recipe_for(TASK, "a", MEDIUM, anchor_tau=0.1)


def test_a_policy_of_its_own_needs_few_actuators_and_no_expert() -> None:
    poor = replace(MEDIUM_EXPERT, ends=0.0, best=0.1)
    assert settings(poor)["actor_steps"] < settings(replace(poor, best=0.9))["actor_steps"]
    assert "actor_steps" not in settings(replace(poor, best=0.4))
    assert "actor_steps" not in settings(replace(poor, actuators=28))


def test_goals_that_are_far_are_not_judged_by_values() -> None:
    near = replace(MEDIUM_EXPERT, goals=2, same_reward=0.9, length=90.0)
    assert settings(near)["improve"] > 0
    far = settings(replace(near, length=240.0))
    assert far.get("improve", RunConfig.improve) == 0 and far["tilt"] == ALIKE


def test_where_last_steps_decide_they_begin_windows_and_nothing_is_judged() -> None:
    for goals in (0, 2):
        found = settings(replace(MEDIUM_EXPERT, goals=goals, same_reward=0.99, verdict=True))
        assert (found["to_end"], found["tilt"], found["k"], found["lead"]) == (1, ALIKE, 1, 0)
        assert "improve" not in found and "trajectory_tilt" not in found, "episodes that succeed are drawn"
    assert settings(replace(MEDIUM_EXPERT, rewards=False))["to_end"] == 1
    assert "to_end" not in settings(MEDIUM_EXPERT) and settings(MEDIUM_EXPERT)["lead"] > 0


def test_as_many_candidates_as_the_deadline_has_room_for() -> None:
    found = [settings(MEDIUM, ms)["k"] for ms in (0.1, 1.0, 2.0, 4.0, 8.0, 100.0)]
    assert found == sorted(found) and found[0] == 1 and found[-1] == 8
    config = RunConfig("t", "d", 3, 2, width=4, blocks=1, latent_dim=1, horizon=1, critic_width=4)
    assert multiply_adds(config) == (4 * 4 + 2 * 4 * 4 + 4 * 5) + (5 * 4 + 4)


@pytest.mark.parametrize(
    "unranked",
    [
        MEDIUM_EXPERT,
        replace(MEDIUM, best=0.2),
        replace(MEDIUM, rewards=False),
        replace(MEDIUM, goals=2, same_reward=0.9, length=240.0),
        replace(MEDIUM, ends=0.0, best=0.1),
    ],
)
def test_where_no_candidate_would_win_the_plan_of_latent_0_is_deployed_alone(unranked: Traits) -> None:
    assert settings(MEDIUM)["k"] == 8 and settings(unranked)["k"] == 1
    assert "no critic" in choices(unranked, 8.0)[-1].why
    assert recipe_for(TASK, "d", unranked, margin=0.3).k == 8, "a margin given by hand ranks"
    assert recipe_for(TASK, "d", unranked, margin=0.3, k=2).k == 2


def test_how_many_are_deployed_changes_nothing_that_is_trained() -> None:
    numbers = (MAX_BODY - PLAN_HEAD - 1) // 8  # of a step: 8 of them fit beside one candidate's score
    assert PLAN_HEAD + 8 + 8 * numbers > MAX_BODY, "and not beside eight"
    wide = replace(MEDIUM, signals=numbers - 3, step=0.01)
    task = get_task("hopper-medium")
    robot = replace(
        task.robot,
        observations=tuple(replace(task.robot.observations[0], name=f"o{i}") for i in range(numbers - 3)),
        safety=replace(task.robot.safety, deadline_ms=1000.0),
    )
    found = [recipe_for(replace(task, robot=robot), "d", replace(wide, best=best)) for best in (0.2, 0.45)]
    assert [config.k for config in found] == [1, 8] and found[0].horizon < 8
    assert replace(found[0], k=8, margin=0.1) == found[1]


def test_a_window_that_no_frame_holds_is_not_chosen() -> None:
    wide = replace(MEDIUM_EXPERT, signals=120, actuators=6, step=0.01)
    task = get_task("hopper-medium")
    robot = replace(
        task.robot,
        observations=tuple(replace(task.robot.observations[0], name=f"o{i}") for i in range(120)),
        actions=tuple(replace(task.robot.actions[0], name=f"a{i}") for i in range(6)),
    )
    recipe_for(replace(task, name="wide", robot=robot), "d", wide).check_deployable()


def test_metrics_say_why_and_what_was_given_by_hand() -> None:
    config = recipe_for(TASK, "d", MEDIUM_EXPERT, improve=0.5)
    assert config.improve == 0.5
    found = json.loads(json.dumps(explained(config, MEDIUM_EXPERT, TASK)))
    assert found["traits"]["best"] == MEDIUM_EXPERT.best
    by_hand = [choice for choice in found["choices"] if "given by hand" in choice["why"]]
    assert len(by_hand) == 1 and "improve 0.5" in by_hand[0]["why"]
    assert all(choice["why"] for choice in found["choices"])
