# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A device in somebody's own test: it is asked step by step, and every reply is held against the twin's."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.bundle import Bundle
from kdp_edge.hil.closed_loop import closed_loop
from kdp_edge.hil.devices import open_device, prepare
from kdp_edge.hil.link import Link
from kdp_edge.hil.loop import greeted
from kdp_edge.hil.reply_check import differences, state_differences
from kdp_edge.hil.result import Report
from kdp_edge.quantization.plan import PlanSpec
from kdp_edge.quantization.policy import planner_of
from kdp_edge.run import Run
from kdp_edge.wire.numbers import Flag
from kdp_edge.wire.protocol import StateReply, StepReply
from kdp_edge.wire.twin import Twin


class DeviceUnderTest:
    """A device by its name, with the policy of a run or a bundle; it is opened when it is first asked.

    Close it at the end; `kdp_edge.hil.pytest_plugin` does.
    """

    def __init__(self, name: str, source: Run | Bundle, folder: Path) -> None:
        """Build what the device needs; `folder` is where reports go.

        Raises:
            KdpError: a wrong name (2), or a tool or port is missing (3).
        """
        self.name = name
        self._source, self._folder = source, folder
        self._planner = planner_of(source) if isinstance(source, Run) else source.planner()
        self._reports = 0
        self._open = ExitStack()
        self._link: Link | None = None
        prepare(name, self._planner)

    @property
    def spec(self) -> PlanSpec:
        """Names, units, ranges and rate of the signals, and what a plan is."""
        return self._planner.spec

    def reset(self, episode: int = 0) -> StateReply:
        """Begin an episode; its number (uint32) seeds the latents. A latch stays until `arm`.

        Raises:
            KdpError: nobody answers, or with another policy (3); the link is lost (4).
            AssertionError: the reply is not the predicted one.
        """
        link = self._link or self._opened()
        self._episode, self._step = episode, 0
        self._twin.reset(episode)
        got = link.reset(episode)
        if not self._asked:
            self._twin.previous = got.action  # what it played before we came is its own affair
        return self._checked("RESET", got)

    def arm(self) -> StateReply:
        """Leave the latch; `reset` comes next."""
        link = self._link or self._opened()
        self._twin.arm()
        return self._checked("ARM", link.arm())

    def step(self, observation: np.ndarray | None) -> StepReply:
        """One control step.

        Args:
            observation: float32 [obs_dim] in the robot's units; None when none came in time.

        Returns:
            the device's reply: `action` float32 [act_dim] in the robot's units, `state`, `flags`, `ticks`.

        Raises:
            KdpError: another shape (2), no `reset` yet, or the link is lost (4).
            AssertionError: the reply is not the predicted one, byte for byte. A device whose arithmetic is
                its own (TensorRT) is not held against it: hold its actions against what you allow.
        """
        if self._link is None:
            raise KdpError("call reset() before the first step of an episode")
        self._asked = True
        if observation is None:
            got = self._link.tick(self._step)
            expected = self._twin.tick(self._step)
        else:
            seen = np.asarray(observation, np.float32)
            if seen.shape != (self.spec.obs_dim,):
                raise KdpError(f"observation has shape {seen.shape}, expected ({self.spec.obs_dim},)")
            got = self._link.step(self._step, seen)
            late = self.spec.periods(got.ticks, self.hello.tick_hz) if got.flags & Flag.OVERRUN else 0
            expected = self._twin.step(self._step, seen, late)
        if self._exact:
            self._fail_if(differences(expected, got))
        self._twin.previous = got.action
        self._step += 1
        return got

    def closed_loop(self, **options: Any) -> Report:
        """Play the task in MuJoCo on this device: `kdp_edge.closed_loop` with these options.

        Where its report lies is printed, so that pytest shows it with a test that failed.
        """
        self.close()  # the loop opens the device itself
        self._reports += 1
        folder = options.pop("out", None) or self._folder / f"report-{self._reports}"
        report = closed_loop(self._source, [self.name], out=folder, **options)
        print(f"{self.name}: {folder / 'report.html'}")
        return report

    def close(self) -> None:
        """Let go of the device, and end what was started for it."""
        self._link = None
        self._open.close()

    def _opened(self) -> Link:
        device = self._open.enter_context(open_device(self.name, self._planner))
        link = Link(device.pipe, device.timeout)
        self.hello = greeted(link, device, self._planner)
        self._exact = device.exact(self.hello)
        self._twin, self._asked = Twin(self._planner), False
        self._link = link
        return link

    def _checked(self, request: str, got: StateReply) -> StateReply:
        self._fail_if(state_differences(request, self._twin, got))
        return got

    def _fail_if(self, different: dict[str, dict[str, Any]]) -> None:
        if different:
            each = "; ".join(
                f"{name}: expected {d['expected']}, got {d['got']}" for name, d in different.items()
            )
            place = f"episode {self._episode}, step {self._step}"
            raise AssertionError(f"{self.name}, {place}: the reply is not the predicted one: {each}")
