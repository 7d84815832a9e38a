# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Where one episode ends and the next begins, by the data themselves: held against the flags.

Two consecutive rows belong to different episodes where the successor that the file gives for the first
is not the second, and where no step leads from the first to the second: a straight line through all steps
(next observation from observation and action, by least squares) tells positions from velocities well
enough that a reset stands far outside what it leaves over. One signal that jumps alone (an angle that
wraps) and signals that mostly stand still (a goal) tell nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdp_edge.window import float32_step

GAP = 1e-3  # of a signal's spread, between a successor and the next row
FAR = 5.0  # of the largest usual step: a jump by itself
JUMP = 2.0  # of the largest usual change, besides: at an impact speeds jump, but positions do not
APART = 2.0  # as FAR, where most ends agree
LARGE = 0.9  # quantile of steps that is a large one, however many joins are among the others
LARGEST = (0.99, 2.5)  # the largest usual step: this quantile, but not above so many large ones
FEWEST = 16  # steps; fewer tell nothing of what is usual
SAMPLE = 20_000  # steps that the line is drawn through
CHUNK = 65_536  # rows at a time


@dataclass(frozen=True)
class Joins:
    """Of N rows, about the N - 1 steps from each row to the next.

    gap bool [N - 1]: the file's successor of the row is not the next row; all false without successors.
    far float64 [N - 1]: how far the next row lies from where a step leads, the largest usual step being 1;
    jump float64 [N - 1]: the same of the bare change from row to row. Both 0 where nothing can be told.
    """

    gap: np.ndarray
    far: np.ndarray
    jump: np.ndarray

    @property
    def resets(self) -> np.ndarray:
        """Steps that are a join by themselves, whatever the flags say: bool [N - 1]."""
        return (self.far > FAR) & (self.jump > JUMP)

    def late(self, ends: np.ndarray) -> bool:
        """Whether most of the ends [N] are marked one row late: at the first row of the next episode."""
        return self._shifted(ends, -1)

    def early(self, ends: np.ndarray) -> bool:
        """Whether most of the ends [N] are marked one row early: an episode's last row begins the next."""
        return self._shifted(ends, 1)

    def unmarked(self, ends: np.ndarray) -> np.ndarray:
        """Rows after which the data jump although no end [N] is marked and no successor tells of it.

        None where the file's successors tell most marked ends apart: then they are what its plant did, and
        a jump that they tell as well is a knock, not a reset.
        """
        told = self.gap[ends[:-1]]
        if len(told) and told.mean() > 0.5:
            return np.zeros(0, int)
        return np.flatnonzero(self.resets & ~self.gap & ~ends[:-1])

    def of_next(self, ends: np.ndarray) -> np.ndarray:
        """Marked ends whose successor is the next row although that is far: the next episode's first row.

        One by one where the step is far, and all of them where they are far by and large.
        """
        marked = np.flatnonzero(ends[:-1] & ~self.gap)
        if len(marked) and (ends[:-1] & self.gap).sum() == 0 and np.median(self.far[marked]) > APART:
            return marked
        return marked[self.resets[marked]]

    def _shifted(self, ends: np.ndarray, by: int) -> bool:
        """Whether most steps beside the marked ones are far and the marked ones themselves are not."""
        marked = np.flatnonzero(ends[:-1])
        marked = marked[(marked + by >= 0) & (marked + by < len(self.far))]
        marked = marked[~ends[marked + by]]
        if len(marked) < 2:
            return False
        here, beside = self.far[marked], self.far[marked + by]
        parted = (beside > APART) & (APART * here < beside)
        if self.gap.any():
            parted = self.gap[marked + by] & ~self.gap[marked]
        return bool(parted.mean() > 0.5)


def find_joins(
    observations: np.ndarray, actions: np.ndarray, following: np.ndarray | None, ends: np.ndarray
) -> Joins:
    """Measure every step of rows [N, obs] and [N, act], with successors [N, obs] if the file has them.

    Args:
        ends: bool [N], the marked ends; steps at and beside them do not count as usual.
    """
    gap = np.zeros(max(len(observations) - 1, 0), bool)
    if following is not None and len(gap):
        most = GAP * observations.std(0, dtype=np.float64) + 2 * float32_step(observations)
        gap = (np.abs(following[:-1] - observations[1:]) > most).any(1)
    beside = ends.copy()
    beside[:-1] |= ends[1:]
    beside[1:] |= ends[:-1]
    usual = np.flatnonzero(~beside[:-1] & ~gap)
    moving = _moving(observations, usual)
    if len(usual) < FEWEST or len(moving) == 0:
        return Joins(gap, np.zeros(len(gap)), np.zeros(len(gap)))
    sample = usual[:: len(usual) // SAMPLE + 1]
    steps = observations[sample + 1][:, moving].astype(np.float64) - observations[sample][:, moving]
    inputs = np.concatenate([observations[sample], actions[sample]], 1).astype(np.float64)
    far, jump = (
        _measure(observations, actions, moving, usual, line)
        for line in (_Line.through(inputs, steps), _Line.flat(inputs.shape[1], len(moving)))
    )
    return Joins(gap, far, jump)


def _moving(observations: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Columns that change at most of the usual steps: a goal that is set now and then does not."""
    sample = usual[:: len(usual) // SAMPLE + 1]
    change = np.abs(observations[sample + 1].astype(np.float64) - observations[sample])
    if len(change) == 0:
        return np.zeros(0, int)
    return np.flatnonzero(np.median(change, 0) > float32_step(observations))


def _measure(
    observations: np.ndarray, actions: np.ndarray, moving: np.ndarray, usual: np.ndarray, line: _Line
) -> np.ndarray:
    """Distance of each next row from where `line` leads, the largest usual one being 1: float64 [N - 1]."""

    def left(rows: np.ndarray) -> np.ndarray:
        here, there = observations[rows].astype(np.float64), observations[rows + 1][:, moving]
        return np.abs(there - here[:, moving] - line(np.concatenate([here, actions[rows]], 1)))

    large = np.quantile(left(usual[:: len(usual) // SAMPLE + 1]), LARGE, axis=0)
    large = np.maximum(large, float32_step(observations)[moving])
    distance = np.empty(len(observations) - 1)
    for rows in np.array_split(np.arange(len(distance)), len(distance) // CHUNK + 1):
        distance[rows] = _but_the_largest(left(rows) / large)
    quantile, times = LARGEST
    largest = min(np.quantile(distance[usual], quantile), times * np.quantile(distance[usual], LARGE))
    return distance / largest if largest > 0 else np.zeros(len(distance))


def _but_the_largest(ratio: np.ndarray) -> np.ndarray:
    """Root mean square over the columns of [n, columns] without the largest, if there are more: [n]."""
    if ratio.shape[1] > 1:
        ratio = np.sort(ratio, axis=1)[:, :-1]
    return np.asarray(np.sqrt(np.square(ratio).mean(1)))


@dataclass(frozen=True)
class _Line:
    """Step of the moving signals from [observation, action]: (x - mean) / spread @ weight + offset."""

    mean: np.ndarray
    spread: np.ndarray
    weight: np.ndarray
    offset: np.ndarray

    @classmethod
    def flat(cls, inputs: int, outputs: int) -> _Line:
        """No step at all."""
        return cls(np.zeros(inputs), np.ones(inputs), np.zeros((inputs, outputs)), np.zeros(outputs))

    @classmethod
    def through(cls, inputs: np.ndarray, steps: np.ndarray) -> _Line:
        """Least squares through inputs [n, obs + act] and steps [n, moving]; flat where there are too few."""
        if len(inputs) < 4 * inputs.shape[1]:
            return cls.flat(inputs.shape[1], steps.shape[1])
        mean, spread, offset = inputs.mean(0), inputs.std(0), steps.mean(0)
        spread = np.where(spread > 0, spread, 1.0)
        weight = np.linalg.lstsq((inputs - mean) / spread, steps - offset, rcond=1e-9)[0]
        return cls(mean, spread, weight, offset)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Steps [n, moving] from inputs [n, obs + act]."""
        return np.asarray((inputs - self.mean) / self.spread @ self.weight + self.offset)
