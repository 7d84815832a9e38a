# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Notes what goes to a device and what comes back, below all faults of the link."""

from __future__ import annotations

from collections.abc import Callable

from kdp_edge.hil.devices.device import Device
from kdp_edge.hil.pipes import Pipe

Note = tuple[str, bytes | float | None]  # ("send" | "got", bytes), ("ticks", ns or None), ("hang", seconds)


class Tap:
    """A device's pipe and what is done to the device, with everything noted in `notes`, in order."""

    def __init__(self, device: Device) -> None:
        self.notes: list[Note] = []
        self._pipe: Pipe = device.pipe
        self.pretend = _noting(self.notes, "ticks", device.pretend)
        self.hang = _noting(self.notes, "hang", device.hang)

    def write(self, data: bytes) -> None:
        """Send `data`."""
        self.notes.append(("send", data))
        self._pipe.write(data)

    def read(self, timeout: float) -> bytes:
        """What came."""
        data = self._pipe.read(timeout)
        if data:
            self.notes.append(("got", data))
        return data

    def close(self) -> None:
        """Close the pipe."""
        self._pipe.close()


def _noting(
    notes: list[Note], name: str, does: Callable[..., None] | None
) -> Callable[[int | float | None], None] | None:
    if does is None:
        return None

    def do(value: int | float | None) -> None:
        notes.append((name, value))
        does(value)

    return do
