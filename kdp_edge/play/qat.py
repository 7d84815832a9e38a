# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Quantization-aware fine-tuning: the integer generator learns to answer as the trained net does.

No rewards and no data but states: those of the calibration and those that the policy meets itself. What
counts is the error of the actions that a device plays or judges; the rest of a window counts a little, so
that it stays one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import huber_loss

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import Progress, silent
from kdp_edge.play.evaluate import play_episodes
from kdp_edge.play.planner import planner_of
from kdp_edge.play.rounded_net import RoundedNet
from kdp_edge.quantization import reference
from kdp_edge.quantization.float_actor import load as load_actor
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import UNIT_SCALE, FloatPolicy, unit_nets
from kdp_edge.run import ACTOR_FILE, Run

STEPS, BATCH = 1500, 128
RATE = 0.01  # of a weight's or output's step, an update; falls to nothing
SCALE_RATE = 0.002  # of a scale itself
BESIDE = 0.1  # what outputs count that no device plays or judges
RARE = 0.05  # of half an action's range: larger errors, as of a robot on its back, count in proportion only
HELD_OUT = 8  # one state of so many decides whether the result is kept
FIRST_SEED, EPISODES = 70_000, 4  # of its own episodes: neither an evaluation's nor a data set's


@dataclass(frozen=True)
class Tuned:
    """A planner with fine-tuned integers, or the plain one where these are no better.

    Errors are of the actions that are played or judged, on states that were held out, latent 0 and others
    alike: their mean size, in per cent of half an action's range.
    """

    planner: IntegerPlanner
    plain_error: float
    tuned_error: float
    states: int


def fine_tuned(
    run: Run, planner: IntegerPlanner, states: np.ndarray, steps: int = STEPS, progress: Progress = silent
) -> Tuned:
    """Fine-tune the generator of `planner`; critic and plan spec stay, and so do the ranges of all signals.

    The same run, states and steps give the same integers: every draw is from the run's seed, on one thread.

    Args:
        states: raw observations float32 [n, obs_dim].
        progress: is told how many updates were made.
    """
    rng = np.random.default_rng(run.config.seed)
    states = rng.permutation(states)
    held_out, seen = states[: len(states) // HELD_OUT], states[len(states) // HELD_OUT :]
    pupil = _Pupil(run, planner)
    made = _on_one_thread(pupil, seen, steps, rng, progress)
    examples = pupil.examples(held_out, np.random.default_rng(run.config.seed))
    plain = pupil.error(planner.generator, *examples)
    tuned = plain if made is None else pupil.error(made, *examples)
    better = planner if made is None or tuned >= plain else replace(planner, generator=made)
    return Tuned(better, plain, tuned, len(states))


def own_states(run: Run) -> np.ndarray:
    """Raw observations to tune on, float32 [n, obs_dim]: the calibration's and those of its own episodes.

    A robot whose plant cannot be played here has none of its own. An imported actor met its own when it was
    imported, and these alone count: its data may hold what it never sees, beyond the levels of its signals.
    """
    if met := run.met():
        return np.concatenate(met)
    known = [run.calibration()]
    if run.task().plant_name:
        recorder = _Recorder(run)
        try:
            play_episodes(run, range(FIRST_SEED, FIRST_SEED + EPISODES), recorder)
        except KdpError:
            return np.concatenate(known)
        known += recorder.seen
    every = np.unique(np.concatenate(known).astype(np.float32), axis=0)  # an episode that ended stands still
    return every[np.isfinite(every).all(1)]


class _Recorder:
    """The float planner, and what it was shown."""

    def __init__(self, run: Run) -> None:
        self.planner, self.seen = planner_of(run), list[np.ndarray]()

    def plan(self, observations: np.ndarray, rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        self.seen.append(np.array(observations, np.float32))
        return self.planner.plan(observations, rng)


class _Pupil:
    """What an integer generator has to answer, and what its errors count."""

    def __init__(self, run: Run, planner: IntegerPlanner) -> None:
        self.planner, self.spec = planner, planner.spec
        spec = self.spec
        half = np.tile((np.asarray(spec.act_high) - np.asarray(spec.act_low)) / 2, spec.horizon)
        columns, gain = spec.shape.action_columns(), np.asarray(spec.act_gain) / half
        count = max(spec.chunk, spec.critic_steps) * spec.act_dim
        self.counts = np.full(spec.window_size, BESIDE * float(gain.min()), np.float32)
        self.counts[columns[:count]] = gain[:count]
        self.played = columns[:count]
        if spec.is_actor:
            self.actor = load_actor(run.path / ACTOR_FILE)
        else:
            policy = FloatPolicy.from_run(run)
            self.normalizer = policy.normalizer
            self.units = unit_nets(policy, run.config, run.calibration())

    def examples(self, states: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Inputs int8 [n, inputs] and the trained net's answers in int8 steps, float32 [n, outputs].

        Every other example has latent 0, which is played most.
        """
        spec, given = self.spec, self.planner.quantize_observation(states)
        if spec.is_actor:
            actions = np.clip(self.actor(states), spec.act_low, spec.act_high)
            answers = (actions - np.asarray(spec.act_offset)) / np.asarray(spec.act_gain)
            return given, answers.clip(-128, 127).astype(np.float32)
        table = np.asarray(spec.latent_table, np.int8)
        latents = table[rng.integers(256, size=(len(states), spec.latent_dim))]
        latents[::2] = 0
        inputs = np.concatenate(
            [self.normalizer(states) / self.units.state_range, latents * UNIT_SCALE], 1, dtype=np.float32
        )
        answers = self.units.generator(inputs) / UNIT_SCALE
        return np.concatenate([given, latents], 1), answers.clip(-128, 127).astype(np.float32)

    def error(self, net: IntegerNet, inputs: np.ndarray, answers: np.ndarray) -> float:
        """Of the integers that a device runs; see `Tuned`."""
        missed = (reference.run(net, inputs) - answers) * self.counts
        return float(100 * np.abs(missed[:, self.played]).mean())


def _on_one_thread(
    pupil: _Pupil, states: np.ndarray, steps: int, rng: np.random.Generator, progress: Progress
) -> IntegerNet | None:
    """The trained integers, None where they are out of the kernels' range; sums of several threads vary."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _trained(pupil, states, steps, rng, progress).integers()
    except KdpError:
        return None
    finally:
        torch.set_num_threads(threads)


def _trained(
    pupil: _Pupil, states: np.ndarray, steps: int, rng: np.random.Generator, progress: Progress
) -> RoundedNet:
    net, counts = RoundedNet(pupil.planner.generator), torch.from_numpy(pupil.counts)
    groups = [
        {"params": [*net.weights.values(), *net.biases.values()], "lr": RATE},
        {"params": list(net.stretch.values()), "lr": SCALE_RATE},
    ]
    optimizer = torch.optim.Adam([group for group in groups if group["params"]])
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
    for step in range(steps):
        rows = rng.integers(len(states), size=BATCH)
        inputs, answers = (torch.from_numpy(part).float() for part in pupil.examples(states[rows], rng))
        missed = (net(inputs) - answers) * counts
        loss = huber_loss(missed, torch.zeros_like(missed), delta=RARE)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        progress(step + 1)
    return net
