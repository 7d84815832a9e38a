# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The C core and the twin side by side: every event goes to both, every reply byte is compared."""

from __future__ import annotations

import numpy as np

from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire import numbers, protocol
from kdp_edge.wire.numbers import Flag, Pace, Refusal, State, Type
from kdp_edge.wire.protocol import StateReply, Telemetry
from kdp_edge.wire.twin import Reply, Twin

IN_TIME = 10  # microseconds of a plan
TOO_LATE = 10_000_000
TICK_HZ = 1_000_000  # of the library's clock


class CoreDevice:
    """One device since power-on; `library`'s clock starts at `clock`."""

    def __init__(self, library: HostLibrary, planner: IntegerPlanner, clock: int = 0) -> None:
        self.library, self.planner = library, planner
        self.twin = Twin(planner)
        self.seq = 0
        self.silence = 0  # microseconds since the last control step began, or a plan late for its own ended
        self.own = 0  # steps by the device's clock that no reply has told
        self.next = 0  # microseconds of the plan that was made ahead
        library.set_image(True)
        library.forget()
        library.start()
        library.set_clock(clock)

    def request(self, kind: int, payload: bytes = b"") -> tuple[int, bytes]:
        """Type and payload of the reply to a new request."""
        self.seq = (self.seq + 1) & 0xFFFF
        head = self.seq.to_bytes(2, "little")
        reply = self.library.answer(bytes([kind]) + head + payload)
        assert reply[1:3] == head
        return reply[0], reply[3:]

    def reset(self, episode: int, pace: Pace = Pace.LOCKSTEP) -> None:
        found = self.request(Type.RESET, protocol.pack_reset(episode, pace))
        self.twin.reset(episode, pace)
        self.silence = self.next = 0
        assert found == (Type.RESET | numbers.REPLY, self._state())

    def arm(self) -> None:
        found = self.request(Type.ARM)
        self.twin.arm()
        assert found == (Type.ARM | numbers.REPLY, self._state())

    def reboot(self) -> None:
        self.library.start()
        self.twin.reboot()
        self.silence = self.own = self.next = 0

    def step(self, step: int, observation: np.ndarray, ticks: int = IN_TIME) -> Reply | Refusal:
        """A control step in which a plan, if one is made, takes `ticks`; what it answered."""
        self.library.set_ticks(ticks)
        took = 0

        def late(ahead: bool) -> int:
            nonlocal took
            took = self.next if ahead else ticks
            return self._periods(took)

        predicted = self.twin.step(step, observation, late)
        found = self.request(Type.STEP, protocol.pack_step(step, observation))
        self._compare(Type.STEP, found, predicted, took)
        if not isinstance(predicted, Reply):
            return predicted
        late_now = predicted.flags & Flag.OVERRUN and not predicted.flags & Flag.AHEAD
        self.silence = 0 if predicted.flags & Flag.AHEAD or late_now else took
        self.next = 0
        if self.twin.next is not None:
            self.next = self.silence = ticks
        return predicted

    def _periods(self, ticks: int) -> int:
        """By which a plan is late, 0 in time."""
        spec = self.planner.spec
        return spec.periods(ticks, TICK_HZ) if ticks > spec.deadline_us else 0

    def tick(self, step: int) -> None:
        predicted = self.twin.tick(step)
        self._compare(Type.TICK, self.request(Type.TICK, protocol.pack_tick(step)), predicted, 0)
        if isinstance(predicted, Reply):
            self.silence = self.next = 0

    def wait(self, microseconds: int) -> None:
        """The host says nothing for a while: what the device does then, and tells its actuators."""
        self.library.wait(microseconds)
        if self.twin.pace != Pace.REAL or self.twin.state == State.IDLE:
            return
        self.silence += microseconds
        period = self.planner.spec.period(TICK_HZ)
        before = self.own
        while self.silence >= (
            due := period if self.twin.beyond else self.planner.spec.silent_steps * period
        ):
            self.silence -= due
            self.own += 1
            self.next = 0
            self.twin.alone(1)
        if self.own > before:
            found = self.library.actuated(self.planner.spec.act_dim)
            assert found.tobytes() == self.twin.previous.tobytes()

    def compare_counters(self) -> None:
        """Telemetry and twin counted the same."""
        found = Telemetry.unpack(self.request(Type.TELEMETRY)[1])
        for name, expected in vars(self.twin.counters).items():
            assert getattr(found, name) == expected, name

    def _compare(self, kind: Type, found: tuple[int, bytes], predicted: Reply | Refusal, ticks: int) -> None:
        if isinstance(predicted, Refusal):
            expected = (numbers.ERROR, protocol.pack_error(predicted, kind))
        else:
            expected = (kind | numbers.REPLY, predicted.timed(ticks, self._take_own()).pack())
            told = self.library.actuated(self.planner.spec.act_dim)
            assert told.tobytes() == predicted.action.tobytes()
        assert found == expected, f"device {found}, twin {predicted}"

    def _state(self) -> bytes:
        twin = self.twin
        return StateReply(twin.state, twin.pace, self._take_own(), twin.previous).pack()

    def _take_own(self) -> int:
        own, self.own = self.own, 0
        return own
