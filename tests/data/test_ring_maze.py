# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The ring maze: two equal ways, a closed one that is told, and data that take either."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from kdp_edge.bench.suite import TWINS
from kdp_edge.data.making.rollout import Shard, roll
from kdp_edge.tasks import get_task
from kdp_edge.tasks.maze import RING
from kdp_edge.tasks.ring_maze import LEFT, NONE, RIGHT, ROWS, RingMaze

TASK = get_task(RING)


def push(way: int, blocked: int) -> float:
    """Where a ball ends that is pushed to a side for a second, then up for another [m right of the start]."""
    env = gymnasium.make(TASK.env_id)
    env.reset(seed=0, options={"blocked": blocked})
    for _ in range(40):
        env.step(np.array([0.0, way], np.float32))
    for _ in range(40):
        observation, *_ = env.step(np.array([-1.0, 0.0], np.float32))
    return float(observation[0])


def test_a_closed_way_lets_nobody_through_and_the_other_one_does() -> None:
    first_row, beside_the_door = 1.0, 2.0
    for way, other in ((LEFT, RIGHT), (RIGHT, LEFT)):
        assert push(way, blocked=way) > beside_the_door
        assert push(way, blocked=other) < first_row
        assert push(way, blocked=NONE) < first_row


def test_the_ring_is_the_same_seen_from_either_side() -> None:
    assert [row[::-1] for row in ROWS] == list(ROWS)


def test_which_way_is_closed_is_told_and_drawn_with_the_seed() -> None:
    env = RingMaze()
    told = [float(env.reset(seed=seed)[0][6]) for seed in range(200)]
    assert told == [float(env.reset(seed=seed)[0][6]) for seed in range(200)]
    assert told == [float(env.reset(seed=seed)[1]["blocked"]) for seed in range(200)]
    shares = [told.count(way) / 200 for way in (LEFT, NONE, RIGHT)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.1)


def test_its_data_take_either_way_whatever_is_told_and_turn_round_at_a_closed_one() -> None:
    rolled = [e for e in roll(Shard(TASK, TASK.recipe[0], 8000, (0, 0, 0)), lambda _: None) if e.complete]
    episodes = [e for e in rolled if e.success]
    assert len(episodes) > 0.95 * len(rolled), "hardly any gets stuck"
    first = np.array([np.sign(e.actions[:8, 1].sum()) for e in episodes])
    closed = np.array([e.observations[0, 6] for e in episodes])
    length = np.array([len(e.rewards) for e in episodes])
    for side in (LEFT, NONE, RIGHT):
        assert set(first[closed == side]) == {-1.0, 1.0}
    wrong = (closed == first) & (closed != NONE)
    assert length[wrong].min() > length[~wrong].max(), "a closed way costs time, and nothing else does"
    ends = np.array([e.observations[0, 0] for e in episodes])
    assert set(np.rint(ends + 0.2)) == {1.0, 3.0}, "an episode leads there, the next one back"


def test_it_is_no_twin_of_the_suite() -> None:
    assert RING not in TWINS and len(TWINS) == 14
