# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The agent's side of the link protocol: the twin's fail-safe around plans of a real back end."""

from __future__ import annotations

from dataclasses import replace

from kdp_edge.exporters.agent.backends import DevicePlanner
from kdp_edge.exporters.agent.latch import LatchFile
from kdp_edge.wire.numbers import HelloFlag, Refusal, State
from kdp_edge.wire.protocol import Hello, SelfTest
from kdp_edge.wire.server import Server
from kdp_edge.wire.twin import Twin


class AgentServer(Server):
    """Answers for one bundle on one back end."""

    def __init__(
        self, planner: DevicePlanner, board: str, result: SelfTest, latch: LatchFile | None = None
    ) -> None:
        """Serve `planner` under the name `board`; with a failed self-test, control steps are refused."""
        self._board, self._result, self._latch = board, result, latch
        super().__init__(planner, judged=True, latched=latch is not None and latch.kept())

    def watch(self) -> float | None:
        """See `Server.watch`; a device whose self-test failed plays nothing."""
        return None if self._failed() else super().watch()

    def _decided(self, twin: Twin, action: bool) -> None:
        if self._latch is not None:
            self._latch.keep(twin.state == State.LATCHED)
        super()._decided(twin, action)

    def _hello(self, payload: bytes) -> bytes | Refusal:
        reply = super()._hello(payload)
        if isinstance(reply, Refusal):
            return reply
        flags = HelloFlag.SELFTEST_PASSED if self._result.passed else HelloFlag(0)
        return replace(Hello.unpack(reply), board=self._board, flags=int(flags | self._ahead())).pack()

    def _selftest(self, payload: bytes) -> bytes | Refusal:
        return Refusal.BAD_LENGTH if payload else self._result.pack()

    def _step(self, payload: bytes) -> bytes | Refusal:
        return Refusal.SELFTEST_FAILED if self._failed() else super()._step(payload)

    def _tick(self, payload: bytes) -> bytes | Refusal:
        return Refusal.SELFTEST_FAILED if self._failed() else super()._tick(payload)

    def _failed(self) -> bool:
        return not self._result.passed and self._timed.twin.state != State.IDLE
