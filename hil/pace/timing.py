# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How time passes in a run: the pace, and what a link and an emulated core are taken for."""

from __future__ import annotations

from dataclasses import dataclass

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown

LOCKSTEP, DEVICE, REAL = "lockstep", "device", "real"
PACES = {
    LOCKSTEP: "the simulation waits for the device, whose time costs nothing",
    DEVICE: "simulated time pays what the device's own clock says, and the link",
    REAL: "the simulation keeps real time, and waits for nobody",
}
MEASURED = "measured"


@dataclass(frozen=True)
class Timing:
    """Whose time a run goes by."""

    pace: str = LOCKSTEP
    link_us: float | None = 0.0  # there and back, at pace `device`; None: as ECHO measures before the run
    clock_hz: float | None = None  # of an emulated core; None: as its board file says

    def address(self, name: str) -> str:
        """A device as it is opened: an emulated core with the clock of this run, which its fail-safe goes by.

        Raises:
            KdpError: the device's name says another clock.
        """
        if not name.startswith("qemu:"):
            return name
        if "@" in name:
            if self.clock_hz is not None or (self.pace == REAL and not name.endswith("@wall")):
                pace = f"pace {REAL}" if self.clock_hz is None else f"--clock-hz {self.clock_hz:g}"
                raise KdpError(f"{name} names a clock, and so does {pace}; give one of them")
            return name
        if self.pace == REAL:
            return f"{name}@wall"
        return name if self.clock_hz is None else f"{name}@{self.clock_hz:.12g}"

    def check(self) -> None:
        """Raise `KdpError` for a value that no run can have."""
        if self.pace not in PACES:
            raise unknown("pace", self.pace, PACES)
        if self.link_us != 0.0 and self.pace != DEVICE:
            raise KdpError(
                f"a link time is paid at pace {DEVICE} only, the pace is {self.pace}; give --pace {DEVICE}"
            )
        if self.clock_hz is not None and self.pace == REAL:
            raise KdpError("--clock-hz declares whose time is simulated; at pace real it is this computer's")
        if self.link_us is not None and not 0 <= self.link_us <= 1e7:
            raise KdpError(f"--link-us is {self.link_us:g}, expected 0 to 10,000,000 microseconds")
        if self.clock_hz is not None and not 1e3 <= self.clock_hz <= 4e9:
            raise KdpError(f"--clock-hz is {self.clock_hz:g}, expected 1e3 to 4e9")


USUAL = Timing()


def timing(
    pace: str = LOCKSTEP, link_us: float = 0.0, link: str | None = None, clock_hz: float | None = None
) -> Timing:
    """Timing from what options say; raises `KdpError` where they contradict each other."""
    if link is not None and (link != MEASURED or link_us):
        raise KdpError(f"--link is '{link}', expected {MEASURED}; or give --link-us MICROSECONDS instead")
    made = Timing(pace, None if link else link_us, clock_hz)
    made.check()
    return made
