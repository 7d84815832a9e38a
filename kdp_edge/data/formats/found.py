# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a user chose of a file, and what a reader found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError

ENDS = ("cut", "terminal")
D4RL, MINARI = "D4RL HDF5", "Minari"
PUBLISHED_IN = (D4RL, MINARI)


@dataclass(frozen=True)
class Choice:
    """Keys or columns to read, each empty where the format's own default is meant.

    ends: what the end of an episode means where the file does not tell: "cut" (a time limit, or the
    recording stopped) or "terminal" (nothing comes after it).
    """

    observations: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    reward: str = ""
    episode: str = ""
    time: str = ""
    ends: str = ""

    def said(self) -> dict[str, Any]:
        """What was chosen, for the record."""
        return {name: value for name, value in asdict(self).items() if value}

    def check_ends(self) -> None:
        if self.ends and self.ends not in ENDS:
            raise KdpError(f"--ends '{self.ends}': expected {' or '.join(ENDS)}")

    def refuse(self, options: Sequence[str], layout: str) -> None:
        """Raise `KdpError` where an option is given that this layout has no use for."""
        for option in options:
            if getattr(self, option):
                raise KdpError(f"--{option} {getattr(self, option)}: {layout} says it itself; leave it out")


@dataclass(frozen=True)
class Found:
    """D4RL's arrays by name, and what the layout itself says of them.

    fields: observations, actions, rewards, terminals, timeouts; next_observations where the layout has
    them. act_range: smallest and largest action that the layout declares, one pair for all actuators.
    has_rewards: False for demonstrations; their rewards are zeros. environment: where it was recorded.
    """

    layout: str
    fields: dict[str, np.ndarray]
    obs_names: tuple[str, ...] = ()
    act_names: tuple[str, ...] = ()
    rate_hz: float | None = None
    act_range: tuple[float, float] | None = None
    environment: str = ""
    has_rewards: bool = True
    notes: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)  # what else the layout says, for the record

    @property
    def may_be_published(self) -> bool:
        """Whether it is a layout in which data of our tasks are published."""
        return self.layout in PUBLISHED_IN

    @property
    def ends(self) -> np.ndarray:
        """Bool [N]: the last row of each episode, as the layout marks them."""
        flags = [
            self.fields[name].reshape(-1) != 0 for name in ("terminals", "timeouts") if name in self.fields
        ]
        return np.logical_or.reduce(flags)

    def read_as(self) -> str:
        """One line for the user: layout, episodes, rate."""
        rate = f", {self.rate_hz:g} Hz" if self.rate_hz else ""
        return f"{self.layout}, {max(1, int(self.ends.sum()))} episodes{rate}"

    def without_zero_rewards(self) -> Found:
        """Rewards that are 0 in every row are none."""
        return self if self.fields["rewards"].any() else replace(self, has_rewards=False)

    def said(self) -> dict[str, Any]:
        """What the layout itself tells of robot and plant, for the record."""
        return {**self.more, **({"environment": self.environment} if self.environment else {})}


def flat(
    observations: np.ndarray, actions: np.ndarray, rewards: np.ndarray | None, ends: np.ndarray, how: str
) -> dict[str, np.ndarray]:
    """The fields of N rows whose episodes end where `ends` [N] is true, and mean `how` there."""
    terminal = how == "terminal"
    return {
        "observations": observations,
        "actions": actions,
        "rewards": np.zeros(len(ends), np.float32) if rewards is None else rewards,
        "terminals": ends if terminal else np.zeros_like(ends),
        "timeouts": np.zeros_like(ends) if terminal else ends,
    }


def settled_ends(found: Found, ends: str, where: str) -> Found:
    """What the ends mean, as the user says or as the data tell.

    `terminals` that end every episode after the same number of steps, with no timeouts beside them, are a
    time limit's: what comes after would be taken to be worth nothing.

    Raises:
        KdpError: such ends, and the user does not say what they mean.
    """
    terminals = found.fields["terminals"].reshape(-1) != 0
    others = found.ends & ~terminals
    if ends == "cut":
        fields = {**found.fields, "terminals": np.zeros_like(terminals), "timeouts": found.ends}
        return replace(found, fields=fields)
    stops = np.flatnonzero(terminals)
    lengths = np.diff(np.concatenate([[-1], stops]))
    if ends or others.any() or len(stops) < 2 or len(set(lengths.tolist())) > 1 or lengths[0] < 2:
        return found
    raise KdpError(
        f"{where}: field 'terminals' ends each of {len(stops)} episodes after {lengths[0]} steps, as a time "
        "limit does, and a planner would learn that nothing is worth anything from there: give --ends cut, "
        "or --ends terminal if that is what the ends mean"
    )
