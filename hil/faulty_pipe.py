# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A pipe that damages frames in both directions, as the faults of the link say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from kdp_edge.hil.faults import Fault
from kdp_edge.hil.pipes import Pipe


class FaultyPipe:
    """A pipe that damages frames in both directions; `injected` counts what it did.

    Args:
        pipe: what is damaged.
        faults: of the link; those of steps (`cut`) are played by `cut`.
        seed: of the draws.
        row: tells the place of a damaged frame, for `marks`.
    """

    def __init__(
        self, pipe: Pipe, faults: Sequence[Fault], seed: int, row: Callable[[], int] = lambda: 0
    ) -> None:
        self.injected: Counter[str] = Counter()
        self.marks: list[tuple[str, int]] = []  # name and row of each damaged frame
        self._pipe, self._row = pipe, row
        self._shares = {fault.name: fault.value for fault in faults if fault.name != "cut"}
        self._rng = np.random.default_rng(seed)
        self._incoming = bytearray()
        self._ready = bytearray()
        self._held = {"out": b"", "in": b""}  # frames that arrive with the next one
        self._overtaken = {"out": False, "in": False}  # whether the next one comes before it
        self._to_cut = 0

    def cut(self, frames: int) -> None:
        """Lose the next `frames` frames that are sent, whatever they are."""
        self._to_cut = frames

    def write(self, data: bytes) -> None:
        """Send `data` after damaging its frames."""
        for frame in _frames(data):
            if self._to_cut and frame != b"\0":
                self._to_cut -= 1
                self._note("cut")
                continue
            for piece in self._damaged(frame, "out"):
                self._pipe.write(piece)

    def read(self, timeout: float) -> bytes:
        """Bytes of damaged frames, whole or not."""
        if not self._ready:
            self._incoming += self._pipe.read(timeout)
            end = self._incoming.rfind(b"\0") + 1
            for frame in _frames(bytes(self._incoming[:end])):
                self._ready += b"".join(self._damaged(frame, "in"))
            del self._incoming[:end]
        # pieces show that no reader counts on whole frames
        size = (
            int(self._rng.integers(1, len(self._ready) + 1)) if self._ready and self._hits("split") else None
        )
        data = bytes(self._ready[:size])
        del self._ready[: len(data)]
        return data

    def close(self) -> None:
        """Close the pipe underneath."""
        self._pipe.close()

    def _hits(self, name: str) -> bool:
        hit = name in self._shares and self._rng.random() < self._shares[name]
        if hit:
            self._note(name)
        return hit

    def _note(self, name: str) -> None:
        self.injected[name] += 1
        self.marks.append((name, self._row()))

    def _damaged(self, frame: bytes, way: str) -> list[bytes]:
        """What becomes of one frame (its final zero included): pieces to send, perhaps none."""
        rng = self._rng
        if self._hits("drop"):
            return []
        if self._hits("truncate"):
            frame = frame[: int(rng.integers(0, len(frame)))]
        if frame and self._hits("lose"):
            at = int(rng.integers(0, len(frame)))
            frame = frame[:at] + frame[at + 1 :]
        if self._hits("insert"):
            at = int(rng.integers(0, len(frame) + 1))
            frame = frame[:at] + rng.bytes(1) + frame[at:]
        if frame and self._hits("flip"):
            at = int(rng.integers(0, len(frame)))
            frame = frame[:at] + bytes([frame[at] ^ 1 << int(rng.integers(0, 8))]) + frame[at + 1 :]
        if self._hits("noise"):
            frame = rng.bytes(int(rng.integers(1, 80))) + frame
        if self._hits("duplicate"):
            frame = frame + frame
        if not self._held[way]:
            late = self._hits("late")
            self._overtaken[way] = not late and self._hits("reorder")
            if late or self._overtaken[way]:
                self._held[way] = frame
                return []
        frame = frame + self._held[way] if self._overtaken[way] else self._held[way] + frame
        self._held[way] = b""
        if len(frame) > 1 and self._hits("split"):
            at = int(rng.integers(1, len(frame)))
            return [frame[:at], frame[at:]]
        return [frame] if frame else []


def _frames(data: bytes) -> list[bytes]:
    """Cut behind every zero."""
    parts = data.split(b"\0")
    frames = [part + b"\0" for part in parts[:-1]]
    return [*frames, parts[-1]] if parts[-1] else frames
