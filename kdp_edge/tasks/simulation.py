# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A task's plant in motion, whose action may change within a control step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from kdp_edge.tasks.environments import make_env, mujoco_data
from kdp_edge.tasks.task import Task

Outcome = tuple[np.ndarray, float, bool, bool, dict[str, Any]]
Piece = tuple[np.ndarray, int]  # an action, and the sub-steps for which it acts


class _CaughtError(BaseException):
    """Carries what an environment would have given its actuators; no environment's own `except` stops it."""

    def __init__(self, control: np.ndarray) -> None:
        self.control = control


class Simulation:
    """A Gymnasium environment with control steps of several physics sub-steps.

    Gymnasium's MuJoCo environments hold one control for `frame_skip` sub-steps in a single call of
    `do_simulation(control, n)`. Dividing that call changes when an action begins to act and leaves reward,
    observation and ends to the environment. Elsewhere a control step has one sub-step.
    """

    def __init__(self, task: Task) -> None:
        """Open the task's plant; raises `KdpError` as `make_env` does."""
        self._env: Any = make_env(task)
        self._base: Any = self._env.unwrapped
        self.body: Any = mujoco_data(self._env)  # what it can be drawn from; None without MuJoCo

    @cached_property
    def substeps(self) -> int:
        """Physics sub-steps of a control step; tried out once, so before an episode begins."""
        count = getattr(self._base, "frame_skip", 1)
        if not callable(getattr(self._base, "do_simulation", None)) or count < 2:
            return 1
        calls: list[int] = []
        plain = self._base.do_simulation

        def counted(control: np.ndarray, n_frames: int) -> None:
            calls.append(n_frames)
            plain(control, n_frames)

        space = self._env.action_space
        self._env.reset(seed=0)
        self._with(counted, (space.low + space.high) / 2)
        return int(count) if calls == [count] else 1  # an environment of another build: by whole steps

    def reset(self, *, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode."""
        observation, info = self._env.reset(seed=seed)
        return observation, info

    def step(self, action: np.ndarray, earlier: Sequence[Piece] = ()) -> Outcome:
        """One control step: each of `earlier` for its sub-steps, then `action` for the rest of them.

        The environment rewards `action`. `earlier` takes fewer than `substeps` sub-steps.
        """
        if not earlier:
            outcome: Outcome = self._env.step(action)
            return outcome
        controls = [(self._control(one), count) for one, count in earlier]
        done = sum(count for _, count in earlier)
        plain = self._base.do_simulation

        def divided(control: np.ndarray, n_frames: int) -> None:
            for one, count in controls:
                plain(one, count)
            plain(control, n_frames - done)

        return self._with(divided, action)

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _control(self, action: np.ndarray) -> np.ndarray:
        """What the environment makes of an action (scaling, clipping), without moving anything."""

        def caught(control: np.ndarray, n_frames: int) -> None:
            raise _CaughtError(np.array(control))

        try:
            self._with(caught, action)
        except _CaughtError as found:
            return found.control
        raise AssertionError("a plant with sub-steps calls do_simulation, as `substeps` found out")

    def _with(self, do_simulation: Any, action: np.ndarray) -> Outcome:
        """One step with another `do_simulation` on the environment itself."""
        self._base.do_simulation = do_simulation
        try:
            outcome: Outcome = self._env.step(action)
            return outcome
        finally:
            del self._base.do_simulation
