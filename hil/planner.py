# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The integer planner with its fail-safe for a control loop in Python: on the host what the firmware does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.bundle import Bundle, opened
from kdp_edge.quantization.policy import planner_of
from kdp_edge.run import Run
from kdp_edge.wire.numbers import Flag, Refusal, State
from kdp_edge.wire.twin import Reply, Twin


class Planner:
    """Answers as a device does, bit for bit; time is not judged here.

    `state` and `flags` say how the last action came about: see docs/protocol.md, "What a control step does".
    """

    def __init__(self, source: Run | Bundle | Path | str) -> None:
        """Take the policy of a run, which is quantized if it is not yet, or of a bundle; or of their folder.

        Raises:
            KdpError: neither, or damaged.
        """
        policy = opened(source)
        planner = planner_of(policy) if isinstance(policy, Run) else policy.planner()
        self.spec = planner.spec
        self.flags = Flag(0)
        self._twin = Twin(planner)
        self._step = 0

    @property
    def state(self) -> State:
        """Of the fail-safe."""
        return self._twin.state

    def reset(self, episode: int = 0) -> State:
        """Begin an episode; its number (uint32) seeds the latents. A latch stays until `arm`."""
        self._step, self.flags = 0, Flag(0)
        return self._twin.reset(episode)

    def arm(self) -> State:
        """Leave the latch; `reset` comes next."""
        return self._twin.arm()

    def __call__(self, observation: np.ndarray | None) -> np.ndarray:
        """The action of this control step.

        Args:
            observation: float32 [obs_dim] in the task's units; None when none came in time.

        Returns:
            action float32 [act_dim] in the task's units, within range and rate limits.

        Raises:
            KdpError: another shape, or no `reset` yet.
        """
        reply = self._reply(observation)
        if isinstance(reply, Refusal):
            raise KdpError("the planner has not been reset; call reset() before the first step of an episode")
        self._step += 1
        self.flags = reply.flags
        return reply.action

    def _reply(self, observation: np.ndarray | None) -> Reply | Refusal:
        if observation is None:
            return self._twin.tick(self._step)
        values = np.asarray(observation, np.float32)
        if values.shape != (self.spec.obs_dim,):
            raise KdpError(f"observation has shape {values.shape}, expected ({self.spec.obs_dim},)")
        return self._twin.step(self._step, values)
