# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a pace does for the loop: when the device is asked, and when its action begins to act."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kdp_edge.hil.replay import Replay
from kdp_edge.tasks.simulation import Outcome, Simulation
from kdp_edge.wire import numbers
from kdp_edge.wire.protocol import Refused, StepReply

Plant = Simulation | Replay


class Answering(Protocol):
    """Whoever answers control steps: a `Link`, or a twin alone."""

    rtt: float

    def step(self, step: int, observation: np.ndarray) -> StepReply:
        """The reply to STEP."""

    def tick(self, step: int) -> StepReply:
        """The reply to TICK."""


@dataclass(frozen=True)
class Answer:
    """A reply, and the control step and observation (None: TICK) that it belongs to."""

    step: int
    observation: np.ndarray | None
    reply: StepReply | Refused
    rtt: float  # seconds by the host's clock
    sent: float  # time.perf_counter() at the request
    latency: float | None = None  # seconds that the plant pays until the action acts; None: it waits


def ask(link: Answering, step: int, observation: np.ndarray | None) -> Answer:
    """STEP, or TICK without an observation, in lockstep; a refusal is an answer, too."""
    sent = time.perf_counter()
    reply: StepReply | Refused
    try:
        reply = link.tick(step) if observation is None else link.step(step, observation)
    except Refused as refused:
        reply = refused
    return Answer(step, observation, reply, link.rtt, sent)


class Pacing(Protocol):
    """One pace; its calls come in this order for every control step."""

    wire: numbers.Pace  # what RESET tells the device
    waits: bool  # whether checking a reply may take time before the plant goes on

    def begin(self, plant: Plant, action: np.ndarray) -> None:
        """An episode begins; `action` acts until the first one arrives."""

    def exchange(self, step: int, observation: np.ndarray | None) -> list[Answer]:
        """Control step `step`: ask the device, if it is its turn; the answers that came meanwhile."""

    def act(self, answer: Answer, action: np.ndarray) -> None:
        """Let the action of a sound answer act, as the actuators do it, when its time comes."""

    def advance(self, step: int) -> Outcome:
        """The plant's control step `step`."""

    def finish(self) -> list[Answer]:
        """The episode is over: what the device still has to say."""

    @property
    def acting(self) -> np.ndarray:
        """The action that acts now, float32 [act_dim]."""
