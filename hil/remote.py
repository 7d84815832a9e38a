# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A device as a planner in a program of one's own: the calls of `Planner`, answered over the link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from kdp_edge.exporters.bundle import Bundle, opened
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.link import Link
from kdp_edge.hil.pushed import check_pushed
from kdp_edge.hil.reply_check import check_action
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import planner_of
from kdp_edge.run import Run
from kdp_edge.wire.numbers import Flag, Pace, State
from kdp_edge.wire.protocol import Hello, StateReply, StepReply, check_hello
from kdp_edge.wire.reasons import checked_observation, reason
from kdp_edge.wire.twin import limit_action


@contextmanager
def connect(
    device: str,
    source: Run | Bundle | Path | str,
    token_file: Path | str | None = None,
    tls_cert: Path | str | None = None,
) -> Iterator[RemotePlanner]:
    """Open a device and see that it serves this policy; leaving the context closes it.

    Args:
        device: as for `kdp-edge hil --device`: serial:PORT[@BAUD], agent:PATH, agent:HOST:PORT, native, …
        source: the policy that it must serve: a run or a bundle, or the folder of one.
        token_file: of an agent over TCP; without it KDP_EDGE_TOKEN, or the file that an agent here makes.
        tls_cert: the agent's certificate; without it the link is not encrypted.

    Raises:
        KdpError: nobody answers, or another policy is served (3); bad input (2).
    """
    policy = opened(source)
    planner = planner_of(policy) if isinstance(policy, Run) else policy.planner()
    token, certificate = (None if file is None else Path(file) for file in (token_file, tls_cert))
    with open_device(device, planner, Credentials(token, certificate)) as found:
        link = Link(found.pipe, found.timeout)
        hello = link.hello(found.hello_within)
        check_hello(hello, planner, device)
        check_pushed(hello, planner, device)
        yield RemotePlanner(link, hello, planner)


class RemotePlanner:
    """Answers like `Planner`; the fail-safe runs on the device, and guards it when this program does not.

    When the device decided steps while we were silent, rate limits go on from the action that was handed out
    here last.

    `link` is there for everything else: self-test, telemetry, single plans.
    """

    def __init__(self, link: Link, hello: Hello, planner: IntegerPlanner) -> None:
        """Take a link that is greeted and serves `planner`."""
        self.link, self.spec = link, planner.spec
        self.reply: StepReply | None = None  # to the last step
        self._us = 1e6 / hello.tick_hz
        self._state, self._step = hello.state, 0
        self._played: np.ndarray | None = None  # what our motors got last
        self._observation: np.ndarray | None = None

    @property
    def state(self) -> State:
        """Of the fail-safe, as the device said last."""
        return State(self._state)

    @property
    def flags(self) -> Flag:
        """Why the last action is what it is."""
        return Flag(self.reply.flags if self.reply is not None else 0)

    @property
    def plan_us(self) -> float:
        """Microseconds of the last step's plan by the device's clock; 0 when none was made."""
        return self.reply.ticks * self._us if self.reply is not None else 0.0

    @property
    def reason(self) -> str:
        """One line that says why the last action is not of a plan made in time; empty when it is."""
        silent = self.reply.own if self.reply is not None else 0
        return reason(self.spec, self.state, self.flags, self._observation, self.plan_us, silent)

    def reset(self, episode: int = 0, pace: Pace = Pace.LOCKSTEP) -> State:
        """Begin an episode. With `Pace.REAL` the device goes on by its own clock when we are silent."""
        self._step, self.reply = 0, None
        told = self.link.reset(episode, pace)
        check_action(self.spec, told.action)
        if self._played is None:
            self._played = told.action
        return self._told(told)

    def arm(self) -> State:
        """Leave the latch, when somebody has seen that the robot may move again; `reset` comes next."""
        return self._told(self.link.arm())

    def _told(self, reply: StateReply) -> State:
        self._state = reply.state
        return self.state

    def __call__(self, observation: np.ndarray | None) -> np.ndarray:
        """The action of this control step: see `Planner.__call__`.

        Raises:
            KdpError: another shape or no numbers (2); the link is lost, the device refuses, or it sends an
                action outside the limits (4).
        """
        values = None if observation is None else checked_observation(self.spec, observation)
        step, link = self._step, self.link
        reply = link.tick(step) if values is None else link.step(step, values)
        check_action(self.spec, reply.action)
        self._step += 1
        self.reply, self._state, self._observation = reply, reply.state, values
        # the device may have gone on without us: our motors go on from what they got
        self._played = limit_action(self.spec, reply.action, self._played_before(reply))
        return self._played.copy()

    def _played_before(self, reply: StepReply) -> np.ndarray:
        return reply.action if self._played is None else self._played
