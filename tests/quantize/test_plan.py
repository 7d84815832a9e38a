# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The integer planner: rounding, choice and limits that firmware repeats bit for bit."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.plan import SPEC_FILE, check, load, save
from kdp_edge.quantization.synthetic import random_planner

PLANNER = random_planner(width=32, critic_width=16)
MARGIN = random_planner(width=32, critic_width=16, margin=3)


ONE_STEP = random_planner(width=32, critic_width=16, obs_gain=[1.0] * 11)


@given(arrays(np.float32, 11, elements=st.floats(-(2.0**99), 2.0**99, width=32)))
def test_an_observation_becomes_its_nearest_integer_within_the_span(observation: np.ndarray) -> None:
    for value, found in zip(
        observation.tolist(), ONE_STEP.quantize_observation(observation).tolist(), strict=True
    ):
        within = min(max(value, -128.0), 127.0)
        assert abs(found - within) <= 0.5 and -128 <= found <= 127


@given(st.integers(-128, 126))
def test_ties_of_observations_are_rounded_up(below: int) -> None:
    tie = np.full(11, below + 0.5, np.float32)
    assert ONE_STEP.quantize_observation(tie).tolist() == [below + 1] * 11
    assert ONE_STEP.quantize_observation(np.nextafter(tie, np.float32(-200))).max() <= below + (
        abs(below) < 1
    )


@given(arrays(np.int8, (1, 8), elements=st.integers(-128, 127)))
def test_the_lowest_best_candidate_wins_and_candidate_zero_has_the_margin(scores: np.ndarray) -> None:
    best = int(MARGIN.choose(scores)[0])
    values = [int(s) + (3 if i == 0 else 0) for i, s in enumerate(scores[0])]
    assert best == values.index(max(values))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 10**6))
def test_a_plan_repeats_and_its_digest_covers_every_candidate(episode: int, index: int, seed: int) -> None:
    observation = np.random.default_rng(seed).normal(size=11).astype(np.float32)
    first, second = (PLANNER.plan(observation, episode, index) for _ in range(2))
    assert first.digest == second.digest == zlib.crc32(first.windows.tobytes() + first.scores.tobytes())
    assert first.actions.dtype == np.float32
    chosen = first.windows[first.best].reshape(4, 14)[:, 11:].astype(np.float32)
    assert np.array_equal(first.actions, chosen * np.float32(0.01))


def test_a_single_candidate_is_not_ranked_and_costs_its_window_alone() -> None:
    one, two = (random_planner(width=32, critic_width=16, k=k) for k in (1, 2))
    assert one.macs == one.generator.macs
    assert two.critic is not None and two.macs == 2 * (two.generator.macs + two.critic.macs)
    observation = np.ones(one.spec.obs_dim, np.float32)
    assert one.plan(observation, 1, 0).scores.tolist() == [0]
    assert two.plan(observation, 1, 0).scores.any()


def test_a_policy_of_before_plans_could_be_made_ahead_loads_and_keeps_its_hash(tmp_path: Path) -> None:
    save(PLANNER, tmp_path)
    stored = json.loads((tmp_path / SPEC_FILE).read_text())
    assert stored.pop("ahead") is False
    (tmp_path / SPEC_FILE).write_text(json.dumps(stored))
    assert load(tmp_path).model_sha256() == PLANNER.model_sha256()
    chunk = replace(PLANNER, spec=replace(PLANNER.spec, chunk=2))
    ahead = replace(chunk, spec=replace(chunk.spec, ahead=True))
    assert ahead.model_sha256() != chunk.model_sha256()


def test_a_chunk_of_one_step_leaves_nothing_to_plan_ahead_in() -> None:
    for chunk in range(2, PLANNER.spec.horizon + 1):
        check(replace(PLANNER, spec=replace(PLANNER.spec, chunk=chunk, ahead=True)), "here")
    with pytest.raises(KdpError, match="plans are made ahead while a chunk of 2 steps or more plays"):
        check(replace(PLANNER, spec=replace(PLANNER.spec, chunk=1, ahead=True)), "here")
