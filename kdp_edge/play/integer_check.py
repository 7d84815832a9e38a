"""Closed-loop checks of quantization: the integer reference against the float policy.

Also answers how the observation should enter the net: as int8, as int16, or through a first layer
kept in float. `kdp-edge bench observation` prints that table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from kdp_edge.play.evaluate import FIRST_SEED, Result, play_episodes
from kdp_edge.quantization import reference
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.run import Run

LIMIT = 3.0  # points of score that integers may differ from float
FORMATS = ("int8", "int16", "float")


@dataclass(frozen=True)
class BatchPlanner:
    """The integer planner for E states at once, in the form `evaluate` plays.

    `observation` is the format of the nets' inputs: "int8" is what devices run; "int16" and "float"
    replace the first layer's arithmetic and keep everything after it.
    """

    planner: IntegerPlanner
    observation: str = "int8"

    def plan(self, observations: np.ndarray, rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Raw observations [E, obs_dim] -> actions float32 [E, horizon, act_dim], winners [E]."""
        spec, count = self.planner.spec, len(observations)
        table = np.asarray(spec.latent_table, np.int8)
        noise = table[torch.randint(256, (count, spec.k, spec.latent_dim), generator=rng).numpy()]
        noise[:, 0] = 0
        states = np.repeat(self._scaled(observations), spec.k, 0)
        windows = self._run(self.planner.generator, states, noise.reshape(count * spec.k, -1))
        judged = self.planner.judged(windows)
        scores = self._run(self.planner.critic, states, judged).reshape(count, spec.k)
        winner = self.planner.choose(scores)
        chosen = windows.reshape(count, spec.k, -1)[np.arange(count), winner]
        actions = self.planner.actions(chosen)
        return np.clip(actions, spec.act_low, spec.act_high), winner

    def _scaled(self, observations: np.ndarray) -> np.ndarray:
        """Observations in int8 steps, not yet rounded, clipped to the int8 span."""
        spec = self.planner.spec
        offset, gain = (np.asarray(v, np.float32) for v in (spec.obs_offset, spec.obs_gain))
        return np.clip((observations.astype(np.float32) - offset) * gain, -128, 127)

    def _run(self, net: IntegerNet, states: np.ndarray, columns: np.ndarray) -> np.ndarray:
        if self.observation == "int8":
            rounded = np.floor(states + np.float32(0.5)).clip(-128, 127).astype(np.int8)
            return reference.run(net, np.concatenate([rounded, columns], 1))
        if self.observation == "int16":
            states = np.rint(states * 256) / 256
        first = net.linears[0]
        real = np.concatenate([states, columns], 1) * net.scales[first.input]
        bias = first.bias * np.float64(net.scales[first.input]) * first.weight_scale
        hidden = real @ (first.weight * first.weight_scale[:, None]).T.astype(np.float64) + bias
        integers = np.clip(np.rint(hidden / net.scales[first.output]), 0, 127).astype(np.int8)
        rest = replace(net, operations=net.operations[1:], input_name=first.output)
        return reference.run(rest, integers)


def compare(
    run: Run, planner: IntegerPlanner, episodes: int, progress: Callable[[int], None] = lambda step: None
) -> dict[str, Any]:
    """Scores of the float policy and of its integer planner on the same episodes, and the verdict."""
    seeds = range(FIRST_SEED, FIRST_SEED + episodes)
    floating = _score(play_episodes(run, seeds, progress=progress))
    integer = _score(play_episodes(run, seeds, BatchPlanner(planner), progress=progress))
    difference = integer - floating
    return {
        "episodes": episodes,
        "float_score": floating,
        "integer_score": integer,
        "difference": difference,
        "limit": LIMIT,
        "passed": difference >= -LIMIT,
    }


def observation_formats(run: Run, planner: IntegerPlanner, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Score of each observation format on the same episodes, float policy first."""
    rows = [{"observation": "float policy", **play_episodes(run, seeds).summary()}]
    for name in FORMATS:
        rows.append({"observation": name, **play_episodes(run, seeds, BatchPlanner(planner, name)).summary()})
    return rows


def _score(result: Result) -> float:
    return float(result.task.score(float(result.returns.mean())))
