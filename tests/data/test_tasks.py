# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Every task of the registry fits its environment; mazes and hands score as D4RL's do."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import gymnasium
import networkx
import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.data import store
from kdp_edge.data.making.behaviour import Noisy, load_actor
from kdp_edge.data.making.make import make
from kdp_edge.data.making.waypoints import Waypoints, shortest_path
from kdp_edge.tasks import TASKS, Part, get_task
from kdp_edge.tasks.maze2d import MAZES, maze_goal

SHAPES = {"umaze": (5, 5), "medium": (8, 8), "large": (9, 12)}
GOALS = {"umaze": (1, 1), "medium": (6, 6), "large": (7, 9)}


@pytest.mark.filterwarnings("ignore:.*out of date")
@pytest.mark.parametrize("name", TASKS)
def test_names_units_limits_and_rate_are_the_environments(name: str) -> None:
    task = get_task(name)
    env = gymnasium.make(task.env_id)
    obs, _ = env.reset(seed=0)
    assert obs.shape == (task.obs_dim,) == (len(task.obs_units),)
    assert env.action_space.shape == (task.act_dim,) == (len(task.act_units),)
    assert (env.action_space.low == task.robot.low).all() and (env.action_space.high == task.robot.high).all()
    assert env.spec.max_episode_steps == task.max_episode_steps
    world = env.unwrapped
    seconds = world.dt if hasattr(world, "dt") else world.model.opt.timestep
    assert task.rate_hz == pytest.approx(1 / seconds)
    assert len(set(task.obs_names)) == task.obs_dim
    assert sum(part.fraction for part in task.recipe) == pytest.approx(1.0 if task.recipe else 0.0)


def play(env_id: str, act: Callable[[np.ndarray], np.ndarray], seeds: Iterable[int]) -> list[float]:
    env, returns = gymnasium.make(env_id), []
    for seed in seeds:
        obs, _ = env.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            obs, reward, terminated, truncated, _ = env.step(act(obs))
            total, over = total + reward, terminated or truncated
        returns.append(total)
    return returns


def test_random_actions_on_door_earn_d4rls_reference_minimum() -> None:
    task, rng = get_task("door-cloned"), np.random.default_rng(0)
    returns = play(task.env_id, lambda obs: rng.uniform(-1, 1, task.act_dim), range(10))
    assert np.mean(returns) == pytest.approx(task.ref_min, abs=1.0)


@pytest.mark.parametrize("name", ["door", "relocate"])
def test_shipped_students_solve_their_task(name: str) -> None:
    task = get_task(f"{name}-cloned")
    actor = load_actor(task, Part(f"adroit/{name}_student", 1.0))
    rng = np.random.default_rng(0)
    returns = play(task.env_id, lambda obs: actor.act(obs[None], rng)[0], range(6))
    assert task.score(float(np.mean(returns))) > 90


@pytest.mark.parametrize("size", MAZES)
def test_mazes_have_d4rls_shape_goal_and_are_solved_by_waypoints(size: str) -> None:
    rows = MAZES[size].split()
    assert (len(rows), len(rows[0])) == SHAPES[size] and len({len(row) for row in rows}) == 1
    assert tuple(maze_goal(size)) == GOALS[size]
    task, rng = get_task(f"maze2d-{size}"), np.random.default_rng(0)
    returns = []
    for seed in range(20):
        controller = Waypoints(rows)  # plans its path when it first sees the goal
        returns += play(task.env_id, lambda obs, c=controller: c.act(obs[None], rng)[0], [seed])
    assert task.score(float(np.mean(returns))) > 100


@pytest.mark.parametrize("size", MAZES)
def test_paths_are_as_short_as_networkx_finds_them(size: str) -> None:
    rows = MAZES[size].split()
    free = {(r, c) for r, row in enumerate(rows) for c, kind in enumerate(row) if kind != "#"}
    graph = networkx.Graph(
        ((r, c), beside) for r, c in free for beside in ((r + 1, c), (r, c + 1)) if beside in free
    )
    goal = GOALS[size]
    for start in free:
        path = shortest_path(rows, start, goal)
        assert len(path) == networkx.shortest_path_length(graph, start, goal) + 1
        assert path[0] == start and path[-1] == goal and set(path) <= free


def test_maze_data_pursue_many_goals_and_repeat_exactly() -> None:
    task = get_task("maze2d-umaze")
    one = make(task, 3000, seed=1, workers=1, name="one").meta
    two = make(task, 3000, seed=1, workers=2, name="two").meta
    assert one["sha256"] == two["sha256"]
    data = store.load_data("one")
    goals = np.unique(data.observations[:, 4:], axis=0)
    assert len(goals) > 20
    same_goal = (data.observations[:, 4:] == data.next_observations[:, 4:]).all()
    assert same_goal, "a transition never crosses from one goal to the next"
    assert 0.05 < data.rewards.mean() < 0.95
    assert np.abs(data.actions).max() <= 1


def test_action_noise_stays_within_the_limits() -> None:
    class Still:
        def act(self, obs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            return np.zeros((len(obs), 2), np.float32)

    action = Noisy(Still(), 0.5, -1.0, 1.0).act(np.zeros((4000, 6)), np.random.default_rng(0))
    assert np.abs(action).max() == 1.0
    assert action[np.abs(action) < 1].std() == pytest.approx(0.44, abs=0.02)


def test_a_task_without_a_recipe_says_to_import() -> None:
    with pytest.raises(KdpError, match="kdp-edge data import"):
        make(get_task("walker2d-v4-medium"), 2000, seed=0, workers=1)


def test_data_fit_tasks_of_the_same_robot_and_world_only() -> None:
    for task, data, fits in (
        ("hopper-medium", "hopper-medium-expert", True),
        ("maze2d-umaze", "maze2d-medium", False),
        ("hopper-medium", "walker2d-medium", False),
        ("walker2d-medium", "walker2d-v4-medium", False),
        ("walker2d-v4-medium", "walker2d-v4-medium-expert", True),
        ("door-cloned", "relocate-cloned", False),
    ):
        assert get_task(task).fits(get_task(data)) is fits
