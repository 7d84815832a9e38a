# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What every stage of training has in common: it can be saved after any step and goes on bit by bit."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from kdp_edge.base.errors import KdpError


class Resumable:
    """A stage whose whole state is its step count and the `saved` attributes.

    A class names in `saved` everything it holds that has a `state_dict`: learner, averages, the feed
    of random batches.
    """

    saved: ClassVar[tuple[str, ...]]
    done: int
    loss: Tensor

    def state(self) -> dict[str, Any]:
        """All that is needed to go on from here."""
        parts = {name: getattr(self, name).state_dict() for name in self.saved}
        return {**parts, "done": self.done, "loss": self.loss}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `state`; raises `KdpError` when another version of kdp-edge saved it."""
        if missing := set(self.saved) - set(state):
            raise KdpError(
                f"the checkpoint lacks {', '.join(sorted(missing))}: another version of kdp-edge saved it; "
                f"finish this run with that version, or train again"
            )
        for name in self.saved:
            getattr(self, name).load_state_dict(state[name])
        self.done = state["done"]
        self.loss = state["loss"]
