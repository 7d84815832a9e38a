"""Where one episode ends and the next begins, by the data themselves: held against the flags.

Two consecutive rows belong to different episodes where the successor that the file gives for the first
is not the second, and where the second is far from the first: a reset moves most signals at once, by many
times what they move within a step. One signal that jumps alone (a goal, an angle that wraps, a velocity at
an impact) is no reset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdp_edge.window import float32_step

GAP = 1e-3  # of a signal's spread, between a successor and the next row
FAR = 10.0  # usual large steps, of half of the signals: a jump by itself
APART = 4.0  # the same where many ends agree
USUAL = 0.9  # quantile of a signal's steps that counts as a usual large one
FEWEST = 8  # steps; fewer tell nothing of what is usual
SAMPLE = 200_000  # steps, enough for a quantile


@dataclass(frozen=True)
class Joins:
    """Of N rows, about the N - 1 steps from each row to the next.

    gap bool [N - 1]: the file's successor of the row is not the next row; all false without successors.
    far float64 [N - 1]: how many times a usual large step of its signals the step is, the median of them.
    """

    gap: np.ndarray
    far: np.ndarray

    def late(self, ends: np.ndarray) -> bool:
        """Whether most of the ends [N] are marked one row late: at the first row of the next episode."""
        return self._shifted(ends, -1)

    def early(self, ends: np.ndarray) -> bool:
        """Whether most of the ends [N] are marked one row early: an episode's last row begins the next."""
        return self._shifted(ends, 1)

    def unmarked(self, ends: np.ndarray) -> np.ndarray:
        """Rows after which the data jump although no end [N] is marked and no successor tells of it."""
        return np.flatnonzero((self.far > FAR) & ~self.gap & ~ends[:-1])

    def of_next(self, ends: np.ndarray) -> np.ndarray:
        """Marked ends whose successor is the next row although that is far: the next episode's first row.

        One by one where the step is far, and all of them where they are far by and large.
        """
        marked = np.flatnonzero(ends[:-1] & ~self.gap)
        if len(marked) and (ends[:-1] & self.gap).sum() == 0 and np.median(self.far[marked]) > APART:
            return marked
        return marked[self.far[marked] > FAR]

    def _shifted(self, ends: np.ndarray, by: int) -> bool:
        """Whether most steps beside the marked ones are far and the marked ones themselves are not."""
        marked = np.flatnonzero(ends[:-1])
        marked = marked[(marked + by >= 0) & (marked + by < len(self.far))]
        marked = marked[~ends[marked + by]]
        if len(marked) < 2:
            return False
        here, beside = self.far[marked], self.far[marked + by]
        parted = (beside > APART) & (beside > APART * here)
        if self.gap.any():
            parted = self.gap[marked + by] & ~self.gap[marked]
        return bool(parted.mean() > 0.5)


def find_joins(observations: np.ndarray, following: np.ndarray | None, ends: np.ndarray) -> Joins:
    """Measure every step of rows [N, obs], with their successors [N, obs] if the file has them.

    Args:
        ends: bool [N], the marked ends; steps at and beside them do not count as usual.
    """
    count = max(len(observations) - 1, 0)
    gap = np.zeros(count, bool)
    if following is not None and count:
        most = GAP * observations.std(0, dtype=np.float64) + 2 * float32_step(observations)
        gap = (np.abs(following[:-1] - observations[1:]) > most).any(1)
    return Joins(gap, _far(observations, gap, ends))


def _far(observations: np.ndarray, gap: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Median over the moving signals of |step| / usual large step: float64 [N - 1], 0 where unknown."""
    steps = np.abs(np.diff(observations, axis=0))
    marked = ends.copy()
    marked[:-1] |= ends[1:]
    marked[1:] |= ends[:-1]
    usual = ~marked[:-1] & ~gap
    if usual.sum() < FEWEST:
        return np.zeros(len(steps))
    inside = steps[usual]
    large = np.quantile(inside[:: len(inside) // SAMPLE + 1], USUAL, axis=0)
    moving = large > float32_step(observations)
    if not moving.any():
        return np.zeros(len(steps))
    return np.asarray(np.median(steps[:, moving] / large[moving], axis=1), np.float64)
