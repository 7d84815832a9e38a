# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A device on a link and the twin side by side, with all that can happen in a control loop."""

from __future__ import annotations

import numpy as np

from kdp_edge.hil.link import Link
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire import protocol
from kdp_edge.wire.numbers import Flag, Refusal, State
from kdp_edge.wire.protocol import Refused, StepReply
from kdp_edge.wire.twin import Reply, Twin


def losses(link: Link) -> tuple[int, int, int]:
    """Bytes and frames lost since boot; compare two: a HELLO that the boot cuts off is a bad frame."""
    telemetry = link.telemetry()
    return telemetry.receive_drops, telemetry.receive_overruns, telemetry.frames_bad


def play(link: Link, planner: IntegerPlanner, steps: int, seed: int = 0) -> list[StepReply]:
    """Play `steps` control steps, every reply byte compared; missed, stale and bad ones among them.

    The twin takes the overrun bit and the time from the device. Returns the replies.
    """
    hello, rng = link.hello(), np.random.default_rng(seed)
    twin = Twin(planner, State(hello.state))
    protocol.check_hello(hello, planner, "device")
    lost = losses(link)
    assert link.selftest().passed
    twin.arm()
    twin.previous = link.arm().action  # what it played before is its own affair
    assert link.reset(seed).state == twin.reset(seed)
    replies, step = [], 0
    for _ in range(steps):
        step += int(rng.integers(1, 3))
        observation = rng.normal(0, 3, planner.spec.obs_dim).astype(np.float32)
        chance = rng.random()
        if chance < 0.05:
            observation[rng.integers(planner.spec.obs_dim)] = rng.choice([np.nan, np.inf, -np.inf, 1e30])
        if chance > 0.95:
            _refused_as_stale(link, twin, step - 2, observation)
        if 0.05 < chance < 0.15:
            found = link.tick(step)
            predicted = twin.tick(step)
        else:
            found = link.step(step, observation)
            late = planner.spec.periods(found.ticks, hello.tick_hz) if found.flags & Flag.OVERRUN else 0
            predicted = twin.step(step, observation, late)
        assert isinstance(predicted, Reply)
        assert found.pack() == predicted.timed(found.ticks).pack()
        replies.append(found)
    telemetry = link.telemetry()
    for name, expected in vars(twin.counters).items():
        assert getattr(telemetry, name) == expected, name
    assert losses(link) == lost
    return replies


def _refused_as_stale(link: Link, twin: Twin, step: int, observation: np.ndarray) -> None:
    if step < 0 or step > twin.last_step:
        return
    assert twin.step(step, observation) == Refusal.STALE
    try:
        link.step(step, observation)
    except Refused as refused:
        assert refused.code == Refusal.STALE
    else:
        raise AssertionError("a stale step was taken")
