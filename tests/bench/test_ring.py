# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Of two equal ways the mean is none, and latent 0 is drawn by the nearest of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from kdp_edge.base.errors import KdpError
from kdp_edge.bench import ring
from kdp_edge.bench.ring import Forks, Settings, loop_rows, measure, parse_seeds, ring_seeds, rows_of
from kdp_edge.bench.ring_picture import svg
from kdp_edge.learn.generator import nearest_mode
from kdp_edge.tasks.maze import RING
from kdp_edge.tasks.ring_maze import RingMaze

ROOT = Path(__file__).parents[2]


def test_without_a_temperature_every_matched_window_counts_alike() -> None:
    matched = torch.randn(5, 8, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(nearest_mode(torch.zeros(5, 3), matched, 0.0), matched.mean(1))


def test_a_plan_goes_to_the_mode_that_it_is_nearer_to() -> None:
    rng = torch.Generator().manual_seed(0)
    sides = torch.tensor([[-1.0], [1.0]]).repeat(4, 1).expand(8, 20)
    leaning = torch.randn(64, generator=rng).sign()
    plans = 0.2 * leaning[:, None].expand(64, 20)
    for _ in range(60):
        matched = sides + 0.1 * torch.randn(64, 8, 20, generator=rng)
        plans = plans + 0.3 * (nearest_mode(plans, matched, 0.1) - plans)
    torch.testing.assert_close(plans.mean(1), leaning, atol=0.1, rtol=0)


def test_in_the_noise_of_one_mode_the_target_is_its_mean_and_has_no_gradient() -> None:
    rng = torch.Generator().manual_seed(0)
    plans = torch.zeros(4000, 40, requires_grad=True)
    matched = 1.0 + 0.3 * torch.randn(4000, 8, 40, generator=rng)
    target = nearest_mode(plans, matched, 0.1)
    assert not target.requires_grad
    assert abs(float(target.mean()) - 1.0) < 0.1


def test_a_push_to_neither_side_lies_between_and_the_shares_are_whole() -> None:
    forks = Forks(np.zeros((2, 7)), np.zeros((2, 1)), typical=0.8)
    shares = forks.shares(np.array([[-0.7, 0.7, 0.1, -0.2], [0.9, 0.9, 0.9, 0.5]]))
    assert shares == {"between": 0.25, "left": 0.125, "right": 0.625, "both": 0.5}


def test_the_interval_of_a_share_is_one_of_shares() -> None:
    each = [{"clone": {"between": share, "left": 0.0}} for share in (0.833, 0.938, 0.854)]
    (row,) = rows_of(each)
    assert row["between_ci95"] == [pytest.approx(0.737, abs=2e-3), 1.0] and row["between"] == 0.875


def test_episodes_with_a_closed_way_are_told_from_free_ones() -> None:
    found, env = ring_seeds(6), RingMaze()
    assert all(env.reset(seed=seed)[0][6] == 0 for seed in found["free"])
    assert all(env.reset(seed=seed)[0][6] != 0 for seed in found["closed"])
    assert len(set(found["free"]) | set(found["closed"])) == 12


def test_the_interval_is_over_trainings() -> None:
    one, other = (
        {"kdp": {"free": {"successes": [True] * 4, "scores": [score] * 4}}} for score in (10.0, 20.0)
    )
    (row,) = loop_rows([one, other])
    assert row["free"]["score"] == 15 and row["free"]["score_by_seed"] == [10, 20]
    assert row["free"]["score_ci95"][0] < -40, "of two numbers, not of eight"


@pytest.mark.parametrize("text", ["", "1,1", "-1", "a"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(KdpError, match="--seeds"):
        parse_seeds(text)


def test_it_trains_and_plays_every_planner(monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(ring.get_task(RING), default_steps=2000)
    monkeypatch.setattr(ring, "get_task", lambda name: short)
    result = measure(Settings(seeds=(0,), data_seed=0, steps=3, episodes=1))
    assert {row["what"] for row in result["loop"]} >= set(map(ring.LABELS.get, ring.IN_THE_LOOP))
    for row in result["ways"]:
        assert row["between"] + row["left"] + row["right"] == pytest.approx(1, abs=0.002)
    (data,) = [row for row in result["ways"] if row["what"] == "data"]
    assert data["between"] < 0.2, "data go one way or the other"
    ElementTree.fromstring(svg(result["picture"], result["clear"]))


def test_the_picture_in_the_docs_is_that_of_the_recorded_result() -> None:
    recorded = json.loads((ROOT / "benchmarks/results/ring.json").read_text(encoding="utf-8"))
    drawn = svg(recorded["picture"], recorded["clear"])
    assert drawn == (ROOT / "docs/ring.svg").read_text(encoding="utf-8")
    dots = drawn.count("<circle")
    assert dots == sum(len(panel["forces"]) for panel in recorded["picture"])
