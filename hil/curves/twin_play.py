# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Episodes with the twin alone in place of a device, whose plans take a time that is told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kdp_edge.base.progress import Progress, silent
from kdp_edge.hil.pace.choose import pacing
from kdp_edge.hil.pace.timing import DEVICE
from kdp_edge.hil.scenario import Scenario
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import Flag, State
from kdp_edge.wire.protocol import Refused, StepReply
from kdp_edge.wire.twin import Reply, Twin

TICK_HZ = 1_000_000_000


@dataclass(frozen=True)
class TwinEpisode:
    """What the twin played in one episode."""

    seed: int
    episode_return: float
    steps: int
    ended: bool  # by the environment before its time: a fall, where a robot can fall
    plans: int
    misses: int  # plans that missed their deadline
    latched: bool


class TwinLink:
    """Answers control steps as a device would whose plans take `seconds`."""

    rtt = 0.0

    def __init__(self, planner: IntegerPlanner, seconds: float) -> None:
        self.twin = Twin(planner)
        self.misses = self.plans = 0
        self._ticks = round(seconds * TICK_HZ)
        spec = planner.spec
        late = self._ticks * 1_000_000 > spec.deadline_us * TICK_HZ
        self._late = spec.periods(self._ticks, TICK_HZ) if late else 0

    def step(self, step: int, observation: np.ndarray) -> StepReply:
        """See `Twin.step`."""
        return self._timed(self.twin.step(step, observation, self._late))

    def tick(self, step: int) -> StepReply:
        """See `Twin.tick`."""
        return self._timed(self.twin.tick(step))

    def _timed(self, reply: object) -> StepReply:
        if not isinstance(reply, Reply):
            raise Refused(int(reply), 0)  # type: ignore[call-overload]
        self.misses += bool(reply.flags & Flag.OVERRUN)
        self.plans += bool(reply.flags & Flag.PLANNED)
        return reply.timed(self._ticks if reply.flags & Flag.PLANNED else 0)


def play_twin(
    scenario: Scenario, planner: IntegerPlanner, seconds: float = 0.0, progress: Progress = silent
) -> list[TwinEpisode]:
    """Play a scenario at pace `device`, without its faults.

    Args:
        seconds: of every plan, by the clock of a device; beyond the deadline its fail-safe steps in.
        progress: told the control steps that are done.
    """
    link = TwinLink(planner, seconds)
    timed = replace(scenario, timing=replace(scenario.timing, pace=DEVICE))
    pace = pacing(timed, link, lambda reply: reply.ticks / TICK_HZ, (0.0,), planner.spec)
    plant = scenario.open_plant()
    played = []
    try:
        for number, seed in enumerate(scenario.seeds):
            pace.begin(plant, np.asarray(planner.spec.safe_action, np.float32))
            observation, _ = plant.reset(seed=seed)
            if link.twin.reset(seed) == State.LATCHED:
                link.twin.arm()
                link.twin.reset(seed)
            total, terminated, link.misses, link.plans = 0.0, False, 0, 0
            for step in range(scenario.max_steps):
                for answer in pace.exchange(step, np.asarray(observation, np.float32)):
                    assert isinstance(answer.reply, StepReply)
                    pace.act(answer, answer.reply.action)
                observation, reward, terminated, truncated, _ = pace.advance(step)
                total += float(reward)
                progress(number * scenario.max_steps + step + 1)
                if terminated or truncated:
                    break
            latched = link.twin.state == State.LATCHED
            counts = (link.plans, link.misses)
            played.append(TwinEpisode(seed, total, step + 1, bool(terminated), *counts, latched))
    finally:
        plant.close()
    return played
