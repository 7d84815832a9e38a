# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The worst case of a plan's time on an emulated core, as a number beside the period.

A plan takes the same instructions whatever it plans (docs/kernels.md), so one count is the worst case. What
an instruction takes is known for the Cortex-M4 only, by the model of kdp_edge/bench/firmware/cycle_model.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.boards import load_board
from kdp_edge.hil.result import DeviceResult

# cycles an instruction by core and kernel: more than plans take in the model (tests/bench/test_kernels.py)
CYCLES_EACH = {("cortex-m4", "m4"): 1.75}


@dataclass(frozen=True)
class WorstCase:
    """Instructions of the longest plan; cycles_each None: no model of that core."""

    instructions: int
    cycles_each: float | None
    clock_hz: float
    period_ms: float

    @property
    def ms(self) -> float | None:
        """Milliseconds at the core's own clock."""
        return (
            None if self.cycles_each is None else 1e3 * self.instructions * self.cycles_each / self.clock_hz
        )

    @property
    def brief(self) -> str:
        """For a cell of the report's table."""
        count = f"{self.instructions:,} instr."
        return count if self.ms is None else f"{count}, {self.ms:.2f} of {self.period_ms:g} ms"

    @property
    def says(self) -> str:
        """In words."""
        if self.ms is None:
            return (
                f"{self.instructions:,} instructions in a period of {self.period_ms:g} ms; "
                "there is no model of what one takes on this core"
            )
        return (
            f"{self.instructions:,} instructions, at {self.cycles_each:g} cycles each {self.ms:.2f} ms of "
            f"a period of {self.period_ms:g} ms, without the wait states of flash and bus"
        )


def worst_case(entry: DeviceResult) -> WorstCase | None:
    """Of a device that counts instructions and has planned; None of any other."""
    time, hello = entry.device_time, entry.hello
    if time is None or time.source != "icount" or time.max is None or hello is None or not hello.rate_mhz:
        return None
    try:
        board = load_board(hello.board)
        each = CYCLES_EACH.get((board.core, board.kernel))
    except KdpError:
        each = None  # a board of the user's own
    return WorstCase(round(time.max), each, time.hz, 1e6 / hello.rate_mhz)
