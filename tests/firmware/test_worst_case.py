# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A plan takes the same instructions whatever it plans, on every emulated board: one is the worst case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.exporters import targets
from kdp_edge.exporters.boards import board_names, load_board
from kdp_edge.exporters.build import compile_bundle
from kdp_edge.hil.devices.process import pty_of
from kdp_edge.hil.devices.qemu import SERVING, command
from kdp_edge.hil.link import Link
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.wire.numbers import Flag

EMULATED = [name for name in board_names() if load_board(name).machine]
SHIFT = 8  # 256 ns of virtual time an instruction: several ticks of any board, so that each one shows
RANDOM = 24


@pytest.fixture(scope="module")
def coarse_planner() -> IntegerPlanner:
    """Hopper's shape, with a critic whose scores are few integers: ties abound. No deadline."""
    planner = random_planner(
        critic_steps=2, deadline_us=2**32 - 1, obs_low=[-1e30] * 11, obs_high=[1e30] * 11
    )
    critic = planner.critic
    assert critic is not None
    scales = critic.scales | {critic.output_name: np.float32(critic.scales[critic.output_name] * 15)}
    return replace(planner, critic=replace(critic, scales=scales))


@pytest.fixture(scope="module")
def coarse_bundle(coarse_planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coarse") / "bundle"
    return targets.export_planner(coarse_planner, "firmware", folder, {}).path


def observations(size: int) -> list[np.ndarray]:
    """Extremes, alternations, zeros of both signs, denormals, halves, and random ones of any size."""
    rng = np.random.default_rng(0)
    index = np.arange(size)
    constant = [
        0.0,
        -0.0,
        1e-45,
        -1e-45,
        1e-30,
        127.5 / 30,
        -128.5 / 30,
        0.5 / 30,
        4.2,
        -4.2,
        20,
        1e30,
        -1e30,
    ]
    rows = [np.full(size, value) for value in constant]
    rows += [np.where(index % 2 == phase, -1e30, 1e30) for phase in (0, 1)]
    rows += [np.where(index == size - 1, value, 0.0) for value in (-1e30, 1e30, 1e-40)]
    rows += [rng.normal(0, 10.0 ** rng.integers(-6, 6), size) for _ in range(RANDOM)]
    return [row.astype(np.float32) for row in rows]


def test_the_observations_meet_every_kind_of_choice(coarse_planner: IntegerPlanner) -> None:
    kinds = set()
    for index, observation in enumerate(observations(coarse_planner.spec.obs_dim)):
        plan = coarse_planner.plan(observation, 3, index)
        best = plan.scores == plan.scores.max()
        kinds.add("all equal" if best.all() else "a tie" if best.sum() > 1 else "one best")
        kinds.add("first" if plan.best == 0 else "last" if plan.best == 7 else "between")
    assert kinds == {"all equal", "a tie", "one best", "first", "last", "between"}


@pytest.mark.parametrize("board", EMULATED)
def test_every_plan_takes_the_same_instructions(
    board: str, coarse_planner: IntegerPlanner, coarse_bundle: Path, tmp_path: Path
) -> None:
    image = compile_bundle(coarse_bundle, board, tmp_path / "image")
    awake = [word.replace("sleep=on", "sleep=off") for word in command(image, SHIFT)]
    with pty_of(awake, SERVING) as (pipe, _):
        link = Link(pipe, timeout=5.0)
        hello = link.hello()
        assert hello.tick_hz * 2**SHIFT >= 1e9, "a tick is longer than an instruction"
        link.reset(3)
        counts: dict[int, list[int]] = {}
        for index, observation in enumerate(observations(coarse_planner.spec.obs_dim)):
            for missed in range(index % 6):  # the plan before is replayed, and after it comes a stop
                link.tick(10 * index + missed)
            reply = link.step(10 * index + 5, observation)
            assert reply.flags & Flag.PLANNED
            assert reply.digest == coarse_planner.plan(observation, 3, index).digest
            instructions = round(reply.ticks * 1e9 / hello.tick_hz / 2**SHIFT)
            counts.setdefault(instructions, []).append(index)
    assert len(counts) == 1, counts
