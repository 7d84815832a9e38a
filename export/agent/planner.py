# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A bundle's policy with its fail-safe, in the process of a control loop: what a device is on the link."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.exporters.agent.latch import latch_file
from kdp_edge.exporters.agent.opening import opened, warm_up
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import Flag, Pace, Refusal, State
from kdp_edge.wire.protocol import FailSafeCounters
from kdp_edge.wire.reasons import checked_observation, reason
from kdp_edge.wire.timed_twin import TimedTwin
from kdp_edge.wire.twin import Reply, Twin

Clock = Callable[[], float]


class Planner:
    """Answers as a device does: ranges, rate limits, replay, safe action, deadline, latched stop.

    `state`, `flags` and `reason` say how the last action came about (docs/protocol.md, "What a control step
    does"). Not for several threads at once.
    """

    def __init__(
        self,
        bundle: Path | str,
        backend: str | None = None,
        clock: Clock | None = time.perf_counter,
        precision: str = "int8",
    ) -> None:
        """Open a bundle, test it on its golden vectors and warm it up.

        Args:
            bundle: its folder.
            backend: onnxruntime, tensorrt or reference; without it the one that the bundle was exported for.
            clock: seconds, by which plans are late and silence is noticed. None: a simulation, in which
                nothing is late and a latch ends with the program; else a latch outlives it, until `arm` or
                until the power goes.
            precision: of the layers: int8, or fp16 or fp32 with a jetson bundle.

        Raises:
            KdpError: no bundle, damaged, or it failed its test; what the back end needs is missing.
        """
        folder = Path(bundle)
        found = opened(folder, backend, precision)
        if not found.result.passed:
            raise KdpError(
                f"{folder}: self-test on {found.backend} failed at golden vector {found.result.first_failed} "
                f"of {found.result.vectors}; nothing is planned with it",
                GATE_FAILED,
            )
        warm_up(found.planner)
        self._begin(found.planner, folder, clock)

    def _begin(self, planner: IntegerPlanner, place: Path, clock: Clock | None) -> None:
        self.spec = planner.spec
        self.reply: Reply | None = None  # to the last step: everything but its action as a device sends it
        self._latch = latch_file(place, "planner") if clock is not None else None
        self._timed = TimedTwin(
            planner,
            clock or (lambda: 0.0),
            judged=clock is not None,
            latched=self._latch is not None and self._latch.kept(),
            decided=self._decided,
        )
        self._step = self._silent = 0
        self._observation: np.ndarray | None = None

    def _decided(self, twin: Twin, action: bool) -> None:
        if self._latch is not None:
            self._latch.keep(twin.state == State.LATCHED)

    @property
    def state(self) -> State:
        """Of the fail-safe: IDLE, RUNNING, REPLAYING, SAFE or LATCHED."""
        return self._timed.twin.state

    @property
    def flags(self) -> Flag:
        """Why the last action is what it is."""
        return self.reply.flags if self.reply is not None else Flag(0)

    @property
    def counters(self) -> FailSafeCounters:
        """What the fail-safe has counted since this object was made."""
        return self._timed.twin.counters

    @property
    def plan_us(self) -> int:
        """Microseconds of the plan that began in the last step, from its observation on; 0 when none did."""
        return self._timed.ticks

    def reset(self, episode: int = 0, pace: Pace = Pace.LOCKSTEP) -> State:
        """Begin an episode. A latch stays until `arm`; the action played last stays too.

        Args:
            episode: uint32, seeds the latents.
            pace: REAL on a robot: time that passes without a call is judged as on a device, so that a program
                that stood still finds the stop latched. LOCKSTEP: silence means nothing.
        """
        if not 0 <= episode < 2**32:
            raise KdpError(f"episode is {episode}, expected 0 to {2**32 - 1}")
        self._step, self._silent, self.reply = 0, 0, None
        return self._timed.reset(episode, Pace(pace))

    def arm(self) -> State:
        """Leave the latch, when somebody has seen that the robot may move again; `reset` comes next."""
        return self._timed.arm()

    def __call__(self, observation: np.ndarray | None) -> np.ndarray:
        """The action of this control step.

        Args:
            observation: float32 [obs_dim] in the robot's units, in the order of `spec.obs_names`; None when
                none came in time. One that is no number or out of range is a fault: the fail-safe answers.

        Returns:
            action float32 [act_dim] in the robot's units, within range and rate limits.

        Raises:
            KdpError: another shape, no numbers at all, or no `reset` yet; no step has passed then.
        """
        values = None if observation is None else checked_observation(self.spec, observation)
        self._catch_up()
        timed = self._timed
        reply = timed.tick(self._step) if values is None else timed.step(self._step, values)
        if isinstance(reply, Refusal):
            raise KdpError("the planner has not been reset; call reset() before the first step of an episode")
        self._step += 1
        self.reply, self._observation = reply, values
        return reply.action.copy()

    def prepare(self) -> None:
        """Where the policy plans ahead (`spec.ahead`), make the next plan: call it after each action.

        Without it the next call makes that plan before it answers: the same action, later.
        """
        self._timed.prepare()

    def _catch_up(self) -> None:
        """Decide what a device would have, while nobody called."""
        twin = self._timed.twin
        played = twin.previous
        self._timed.watch()
        twin.previous = played  # nobody could play what was decided meanwhile
        self._silent = self._timed.take_own()

    @property
    def reason(self) -> str:
        """One line that says why the last action is not of a plan made in time; empty when it is."""
        return reason(self.spec, self.state, self.flags, self._observation, self._timed.ticks, self._silent)
