"""The C core and the twin side by side: every event goes to both, every reply byte is compared."""

from __future__ import annotations

import numpy as np

from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire import numbers, protocol
from kdp_edge.wire.numbers import Refusal, Type
from kdp_edge.wire.protocol import Telemetry
from kdp_edge.wire.twin import Reply, Twin

IN_TIME, TOO_LATE = 10, 10_000_000  # microseconds of a plan


class CoreDevice:
    """One device since boot."""

    def __init__(self, library: HostLibrary, planner: IntegerPlanner) -> None:
        self.library, self.planner = library, planner
        self.twin = Twin(planner)
        self.seq = 0
        library.set_image(True)
        library.start()

    def request(self, kind: int, payload: bytes = b"") -> tuple[int, bytes]:
        """Type and payload of the reply to a new request."""
        self.seq = (self.seq + 1) & 0xFFFF
        head = self.seq.to_bytes(2, "little")
        reply = self.library.answer(bytes([kind]) + head + payload)
        assert reply[1:3] == head
        return reply[0], reply[3:]

    def reset(self, episode: int) -> None:
        assert self.request(Type.RESET, protocol.pack_reset(episode)) == (
            0x82,
            bytes([self.twin.reset(episode)]),
        )

    def arm(self) -> None:
        assert self.request(Type.ARM) == (0x87, bytes([self.twin.arm()]))

    def step(self, step: int, observation: np.ndarray, overrun: bool = False) -> None:
        self.library.set_ticks(TOO_LATE if overrun else IN_TIME)
        plans = self.twin.counters.plans
        predicted = self.twin.step(step, observation, overrun)
        ticks = (TOO_LATE if overrun else IN_TIME) if self.twin.counters.plans > plans else 0
        found = self.request(Type.STEP, protocol.pack_step(step, observation))
        self._compare(Type.STEP, found, predicted, ticks)

    def tick(self, step: int) -> None:
        self._compare(Type.TICK, self.request(Type.TICK, protocol.pack_tick(step)), self.twin.tick(step), 0)

    def compare_counters(self) -> None:
        """Telemetry and twin counted the same."""
        found = Telemetry.unpack(self.request(Type.TELEMETRY)[1])
        for name, expected in vars(self.twin.counters).items():
            assert getattr(found, name) == expected, name

    def _compare(self, kind: Type, found: tuple[int, bytes], predicted: Reply | Refusal, ticks: int) -> None:
        if isinstance(predicted, Refusal):
            expected = (numbers.ERROR, protocol.pack_error(predicted, kind))
        else:
            expected = (kind | numbers.REPLY, predicted.timed(ticks).pack())
        assert found == expected, f"device {found}, twin {predicted}"
