"""The agent's side of the link protocol: the twin's fail-safe around plans of a real back end."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from kdp_edge.exporters.agent.backends import DevicePlanner
from kdp_edge.quantization.plan import Plan
from kdp_edge.wire.numbers import HelloFlag, Refusal, State
from kdp_edge.wire.protocol import Hello, SelfTest
from kdp_edge.wire.server import Server


@dataclass(frozen=True)
class TimedPlanner(DevicePlanner):
    """Remembers how long its last plan took: `clock[0]`, in seconds."""

    clock: list[float]

    def plan(self, observation: np.ndarray, episode: int, index: int) -> Plan:
        """See `IntegerPlanner.plan`."""
        start = time.perf_counter()
        plan = super().plan(observation, episode, index)
        self.clock[0] = time.perf_counter() - start
        return plan


class Late:
    """True when the plan just made took longer than the deadline; the twin asks after planning."""

    def __init__(self, planner: TimedPlanner) -> None:
        self._planner = planner

    def __bool__(self) -> bool:
        return self._planner.clock[0] * 1e6 > self._planner.spec.deadline_us


class AgentServer(Server):
    """Answers for one bundle on one back end."""

    def __init__(self, planner: DevicePlanner, board: str, result: SelfTest) -> None:
        """Serve `planner` under the name `board`; with a failed self-test, control steps are refused."""
        timed = TimedPlanner(**vars(planner), clock=[0.0])
        self._late = Late(timed)
        self._board, self._result = board, result
        super().__init__(timed)

    def _hello(self, payload: bytes) -> bytes | Refusal:
        reply = super()._hello(payload)
        if isinstance(reply, Refusal):
            return reply
        flags = int(HelloFlag.SELFTEST_PASSED) if self._result.passed else 0
        return replace(Hello.unpack(reply), board=self._board, flags=flags).pack()

    def _selftest(self, payload: bytes) -> bytes | Refusal:
        return Refusal.BAD_LENGTH if payload else self._result.pack()

    def _step(self, payload: bytes) -> bytes | Refusal:
        if len(payload) != 4 + 4 * self.planner.spec.obs_dim:
            return Refusal.BAD_LENGTH
        if self._failed():
            return Refusal.SELFTEST_FAILED
        step, observation = int.from_bytes(payload[:4], "little"), np.frombuffer(payload[4:], "<f4")
        late = cast(bool, self._late)  # its value is asked for after planning
        return self._timed(lambda: self._twin.step(step, observation, overrun=late))

    def _tick(self, payload: bytes) -> bytes | Refusal:
        return Refusal.SELFTEST_FAILED if self._failed() else super()._tick(payload)

    def _failed(self) -> bool:
        return not self._result.passed and self._twin.state != State.IDLE
