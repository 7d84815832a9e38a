# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Actions on their way to the plant, and which of them acts when, to the sub-step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from kdp_edge.tasks.simulation import Piece

_SLACK = 1e-9  # of a sub-step: what adding seconds may be off by


@dataclass
class Flight:
    """Several actions may be under way at once; the one that was planned last wins.

    Times are in control steps since the episode began.
    """

    substeps: int  # of a control step
    acting: np.ndarray
    meanwhile: np.ndarray | None = None  # acts from each control step's begin to the next arrival; None: hold
    _waiting: list[tuple[int, np.ndarray]] = field(default_factory=list)

    def send(self, arrives: float, action: np.ndarray) -> None:
        """`action` acts from the first sub-step that begins at or after `arrives`."""
        at = math.ceil(arrives * self.substeps - _SLACK)
        # one planned earlier that would come later is out of date by then
        self._waiting = [one for one in self._waiting if one[0] < at] + [(at, action)]

    def step(self, number: int) -> tuple[np.ndarray, list[Piece]]:
        """Control step `number`: the action at its end, and those before it with their sub-steps."""
        at, end = number * self.substeps, (number + 1) * self.substeps
        if self.meanwhile is not None:
            self.acting = self.meanwhile
        pieces: list[Piece] = []
        while self._waiting and self._waiting[0][0] < end:
            arrives, action = self._waiting.pop(0)
            if arrives > at:
                pieces.append((self.acting, arrives - at))
                at = arrives
            self.acting = action
        return self.acting, pieces
