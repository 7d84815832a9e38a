# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Plain integers where they play as the float policy does, fine-tuned ones where these are better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kdp_edge.base.progress import StageProgress, silent_stages
from kdp_edge.play.evaluate import play_episodes
from kdp_edge.play.integer_check import BatchPlanner, check_integers
from kdp_edge.play.qat import STEPS, Tuned, fine_tuned, own_states
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import deployed_config, store, stored_settings
from kdp_edge.run import Run

CHOICE_SEED = 80_000  # of episodes that decide which integers are kept: those reported do not


@dataclass(frozen=True)
class Best:
    """The integers that are kept, their verdict if they were played, and what tuning did if it was tried."""

    planner: IntegerPlanner
    verdict: dict[str, Any] | None
    tuning: dict[str, Any] | None


def best_integers(
    run: Run,
    plain: IntegerPlanner,
    episodes: int,
    tune: bool | None = None,
    show: StageProgress = silent_stages,
) -> Best:
    """Check `plain`, fine-tune it where wanted, and keep the better one in the run's `integer/` folder.

    Args:
        plain: as the run was quantized.
        episodes: of the check; 0 plays none, then the actions' error on held-out states decides alone.
        tune: None: where `plain` loses (`check_integers`).
        show: is told how many control steps of the check are played, and how many updates of tuning are made.

    Raises:
        KdpError: episodes are wanted of a robot that has no plant to be played here.
    """

    def checking(done: int) -> None:
        show("float and integers", done, 2 * run.task().max_episode_steps)

    def tuning_steps(done: int) -> None:
        show("fine-tuning", done, STEPS)

    verdict = check_integers(run, plain, episodes, checking) if episodes else None
    if tune is False or (tune is None and (verdict is None or not verdict["loses"])):
        return Best(plain, verdict, None)
    tuned = fine_tuned(run, plain, own_states(run), progress=tuning_steps)
    tuning: dict[str, Any] = {
        "states": tuned.states,
        "action_error_percent": {"plain": round(tuned.plain_error, 3), "tuned": round(tuned.tuned_error, 3)},
    }
    kept = tuned.planner is not plain
    if kept and episodes:
        tuning |= _played(run, plain, tuned, episodes)
        kept = tuning["tuned_return"] >= tuning["plain_return"]
    best = tuned.planner if kept else plain
    tuning |= {"kept": kept, "asked_for": tune is True, "model_sha256": best.model_sha256()}
    if kept:
        store(run, best, stored_settings(run))
        verdict = check_integers(run, best, episodes) if episodes else None
    run.record("qat", tuning)
    return Best(best, verdict, tuning)


def _played(run: Run, plain: IntegerPlanner, tuned: Tuned, episodes: int) -> dict[str, Any]:
    """Mean returns of both on the same episodes."""
    seeds = range(CHOICE_SEED, CHOICE_SEED + episodes)
    chunk, robot = deployed_config(run).chunk, run.task().robot

    def returns(planner: IntegerPlanner) -> float:
        batch = BatchPlanner(planner, robot)
        played = play_episodes(run, seeds, batch, chunk, ahead=planner.spec.ahead)
        return float(np.mean(played.returns))

    return {
        "episodes": episodes,
        "plain_return": round(returns(plain), 3),
        "tuned_return": round(returns(tuned.planner), 3),
    }
