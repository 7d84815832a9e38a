# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Whole episodes side by side, and the checks of order and time that tell a recording from a heap of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kdp_edge.base.errors import KdpError

JUMP = 0.5  # of a control step: frames that arrive later or earlier than that are missing or doubled
AGREES = 0.05  # of a stated rate: as far may the time stamps' own rate be from it
SLOWEST_HZ = 1.0  # below this, time stamps are taken to be in another unit than seconds
UNITS = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}


@dataclass(frozen=True)
class Part:
    """One episode of T steps as a file holds it.

    observations [T, n], or [T + 1, n] with the one after the last step; actions [T, m]; rewards [T], if
    there are any. terminal: nothing comes after the last step. success: whether it has succeeded, where the
    file says it.
    """

    where: str
    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray | None
    terminal: bool
    success: bool | None = None


def side_by_side(parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """D4RL's arrays of whole episodes.

    Raises:
        KdpError: an episode is empty, its arrays differ in length, or it differs from the first one in the
            numbers of a row or in having rewards.
    """
    for part in parts:
        _check_part(part, parts[0])
    after = all(len(part.observations) == len(part.actions) + 1 for part in parts)
    lengths = [len(part.actions) for part in parts]
    ends = np.zeros(sum(lengths), bool)
    ends[np.cumsum(lengths) - 1] = True
    terminals = np.zeros_like(ends)
    terminals[ends] = [part.terminal for part in parts]
    rewards = [part.rewards for part in parts if part.rewards is not None]
    fields = {
        "observations": np.concatenate([p.observations[: len(p.actions)] for p in parts]),
        "actions": np.concatenate([part.actions for part in parts]),
        "rewards": np.concatenate(rewards) if rewards else np.zeros(len(ends), np.float32),
        "terminals": terminals,
        "timeouts": ends & ~terminals,
    }
    if all(part.success is not None for part in parts):
        fields["success"] = np.repeat([bool(part.success) for part in parts], lengths)
    if after:
        fields["next_observations"] = np.concatenate([part.observations[1:] for part in parts])
    return fields


def _check_part(part: Part, first: Part) -> None:
    steps = len(part.actions)
    if steps == 0:
        raise KdpError(f"{part.where}: no step in this episode; delete it and import again")
    if len(part.observations) not in (steps, steps + 1):
        raise KdpError(
            f"{part.where}: {len(part.observations)} observations of {steps} actions, expected as many, or "
            "one more; export the file again"
        )
    for what, mine, others in (
        ("observations", part.observations, first.observations),
        ("actions", part.actions, first.actions),
    ):
        if mine.shape[1] != others.shape[1]:
            raise KdpError(
                f"{part.where}: {what} of {mine.shape[1]} numbers a row, {first.where} has "
                f"{others.shape[1]}; export one kind of episodes only"
            )
    if (part.rewards is None) != (first.rewards is None):
        with_them, without = (first, part) if part.rewards is None else (part, first)
        raise KdpError(f"{without.where}: no rewards, but {with_them.where} has some; export the file again")
    if part.rewards is not None and part.rewards.reshape(-1).shape != (steps,):
        raise KdpError(
            f"{part.where}: rewards of shape {list(part.rewards.shape)}, expected [{steps}], one a step"
        )


def locator(rows: Sequence[int]) -> Callable[[int], tuple[int, int]]:
    """What finds a row of several files, of `rows` each, one under the other: number of file, row in it."""
    starts = np.concatenate([[0], np.cumsum(rows)])

    def located(row: int) -> tuple[int, int]:
        file = min(int(np.searchsorted(starts, row, "right")) - 1, len(rows) - 1)
        return file, row - int(starts[file])

    return located


def check_numbering(
    index: np.ndarray, frame: np.ndarray | None, row: np.ndarray | None, place: Callable[[int], str]
) -> None:
    """Refuse rows whose own numbers say that they are out of order, doubled or missing.

    Args:
        index: int [N], the episode of each row. frame: int [N], its number within the episode.
        row: int [N], its number within the whole set. The last two where the file has them.
        place: says where in the files a row lies.
    """
    if len(index) and index[0] != 0:
        raise KdpError(
            f"{place(0)}: the first episode is {index[0]}, expected 0; fetch every file of the set"
        )
    steps = np.diff(index)
    if len(bad := np.flatnonzero((steps != 0) & (steps != 1))):
        at = int(bad[0]) + 1
        what = "frames are out of order" if steps[at - 1] < 0 else "episodes are missing"
        raise KdpError(
            f"{place(at)}: episode {index[at]} follows episode {index[at - 1]}: {what}; fetch every file of "
            "the set, or export it again"
        )
    starts = np.concatenate([[True], steps != 0])
    for name, numbers, begins in (("frame_index", frame, starts), ("index", row, np.zeros_like(starts))):
        if numbers is None:
            continue
        wrong = np.diff(numbers, prepend=numbers[:1] - 1) != 1
        wrong = np.where(begins, numbers != 0, wrong)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            before = f" follows {numbers[at - 1]}" if at and not begins[at] else ""
            expected = 0 if begins[at] else numbers[at - 1] + 1
            raise KdpError(
                f"{place(at)}: field '{name}' is {numbers[at]}{before}, expected {expected}: frames are out "
                "of order or missing; fetch every file of the set, or export it again"
            )


def rate_of(
    times: np.ndarray, ends: np.ndarray, given: float | None, place: Callable[[int], str], name: str
) -> float:
    """The rate in Hz by the time stamps of rows [N]; `ends` [N] mark the last row of each episode.

    Args:
        given: the rate that file or user state; time stamps may then also count in thousandths and less.

    Raises:
        KdpError: time stamps are not numbers, go back, stand still or jump, or tell another rate.
    """
    if not np.isfinite(times).all():
        at = int(np.flatnonzero(~np.isfinite(times))[0])
        raise KdpError(f"{place(at)}: '{name}' holds no time; repair or drop that row")
    inside = np.flatnonzero(~ends[:-1])
    steps = np.diff(times)[inside]
    if len(steps) == 0:
        raise KdpError(f"{place(0)}: '{name}': no episode has two rows; nothing tells the rate")
    usual = float(np.median(steps))
    if usual <= 0:
        at = int(inside[np.flatnonzero(steps <= 0)[0]]) + 1
        raise KdpError(f"{place(at)}: '{name}' goes back or stands still; expected rows in order of time")
    unit = _unit(usual, given, name, place)
    if len(wrong := np.flatnonzero(np.abs(steps - usual) > JUMP * usual)):
        at = int(inside[wrong[0]]) + 1
        raise KdpError(
            f"{place(at)}: '{name}' jumps from {times[at - 1]:.10g} to {times[at]:.10g}, steps are "
            f"{usual:.4g} elsewhere ({len(wrong)} such jumps): rows are missing or doubled; resample the "
            "recording, or end the episode there"
        )
    return float(f"{unit / steps.mean():.4g}")


def _unit(usual: float, given: float | None, name: str, place: Callable[[int], str]) -> float:
    """How many time stamps' units a second has."""
    if given is not None:
        for per_second in (1.0, *UNITS.values()):
            if abs(usual * given / per_second - 1) < AGREES:
                return per_second
        raise KdpError(
            f"{place(0)}: '{name}' steps by {usual:.4g}, which is {1 / usual:.4g} Hz where it counts "
            f"seconds; the rate is said to be {given:g} Hz: give the right --rate-hz, or leave it out"
        )
    if usual > 1 / SLOWEST_HZ:
        raise KdpError(
            f"{place(0)}: '{name}' steps by {usual:.4g}; expected seconds, slower than {SLOWEST_HZ:g} Hz is "
            f"no control: give --rate-hz too, then {', '.join(UNITS)} are understood"
        )
    return 1.0
