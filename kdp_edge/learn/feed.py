# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Random batches, drawn for several steps at once: what is left of the work in a step is to slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

STEPS = 8  # of one draw: more gain nothing, and leave the processor's cache before they are used


class Feed:
    """Goes on exactly after a checkpoint: its state is the generator's before the current draw."""

    def __init__(self, draw: Callable[[int], Sequence[Tensor]], rng: torch.Generator) -> None:
        """`draw(n)` returns tensors [n, ...] for n steps, using no random numbers but those of `rng`."""
        self.draw, self.rng = draw, rng
        self.before = rng.get_state()
        self.drawn: list[tuple[Tensor, ...]] = []
        self.used = 0

    def next(self) -> tuple[Tensor, ...]:
        """The next step's tensors."""
        if self.used == len(self.drawn):
            self.before = self.rng.get_state()
            self._fill()
            self.used = 0
        self.used += 1
        return self.drawn[self.used - 1]

    def _fill(self) -> None:
        self.drawn = list(zip(*(tensor.unbind(0) for tensor in self.draw(STEPS)), strict=True))

    def state_dict(self) -> dict[str, Any]:
        return {"before": self.before, "used": self.used}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.before, self.used = state["before"].cpu(), state["used"]
        self.rng.set_state(self.before)
        if self.used:
            self._fill()
