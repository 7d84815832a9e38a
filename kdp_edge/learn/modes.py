# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Whether data take one of two ways: where alike states are followed by actions that fall in two heaps.

At such a fork the mean of the matched windows is a plan that nobody played.
"""

from __future__ import annotations

import numpy as np

from kdp_edge.data.store import DataSet
from kdp_edge.window import Normalizer, window_starts

STEPS = 4  # of actions that are compared
STATES, NEIGHBOURS = 1024, 32  # states that are looked at, and windows that begin like each
LEAST = 1 / 8  # share of the neighbours that makes a heap
APART = 6.0  # distance of two heaps, in their own standard deviations
MIDDLE = 0.25  # of that distance, to each side of its middle,
STRAY = 1 / 16  # and the share of the neighbours that may lie there
EXPLAINED = 0.75  # of what the neighbours' actions differ by: in which heap they are
TOLD = 0.7  # share of the neighbours whose heap may be guessed by their keys; half is chance
RIDGE = 0.3  # of that guess, in mean variances of a key's signal


def forks(data: DataSet) -> float:
    """Share of the states at which the data go on in two separate ways, and the state does not tell in which.

    Looked at are `STATES` windows, evenly over the data, and the actions of their nearest neighbours in key
    space, on the axis on which these differ most. Two ways lead on where the best split in two (2-means, on a
    line exact) is into heaps of at least `LEAST`, `APART`, hardly any between, which explain what actions
    differ by; and where a ridge regression on the others' keys guesses a neighbour's heap little better than
    chance. The halves of an even or a normal spread are 3.5 and 2.7 apart.
    """
    start = window_starts(data.ends, STEPS)
    if len(start) < 2 * NEIGHBOURS:
        return 0.0
    keys = Normalizer.fit(data.observations)(data.observations)[start]
    rows = np.linspace(0, len(start) - 1, min(STATES, len(start))).astype(np.int64)
    near = _nearest(keys, rows)
    played = data.actions[start[near][..., None] + np.arange(STEPS)].reshape(*near.shape, -1)
    actions, offsets = (_centred(part) for part in (played, keys[near]))
    axes = np.linalg.eigh(actions @ actions.swapaxes(1, 2))[1][
        ..., -1
    ]  # places up to a factor, for any split
    found = [
        (heap := _heaps(axis)) is not None and _explains(heap, windows) and not _told(heap, offset)
        for axis, windows, offset in zip(axes, actions, offsets, strict=True)
    ]
    return float(np.mean(found))


def _nearest(keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of the nearest keys of some of them, int64 [S, NEIGHBOURS]."""
    import faiss

    index = faiss.IndexFlatL2(keys.shape[1])
    index.add(np.ascontiguousarray(keys))
    found: np.ndarray = index.search(np.ascontiguousarray(keys[rows]), NEIGHBOURS)[1]
    return found


def _centred(of_neighbours: np.ndarray) -> np.ndarray:
    """[S, n, C] less the mean of each n."""
    centred: np.ndarray = (of_neighbours - of_neighbours.mean(1, keepdims=True)).astype(np.float64)
    return centred


def _heaps(places: np.ndarray) -> np.ndarray | None:
    """Numbers [n] that are two heaps: -1 and 1 for those of either; None where they are not."""
    count, line = len(places), np.sort(places)
    left = np.arange(1, count)
    sums = line.cumsum()[:-1]
    explained = sums**2 / left + (line.sum() - sums) ** 2 / (count - left)  # what 2-means makes greatest
    split = int(explained.argmax()) + 1
    low, high = line[:split], line[split:]
    apart = high.mean() - low.mean()
    within = np.sqrt((low.var() * len(low) + high.var() * len(high)) / count)
    between = np.abs(line - (low.mean() + high.mean()) / 2) < MIDDLE * apart
    if apart < APART * within or between.mean() > STRAY or min(split, count - split) < LEAST * count:
        return None
    return np.where(places < high[0], -1.0, 1.0)


def _explains(heap: np.ndarray, actions: np.ndarray) -> bool:
    """Whether actions [n, A] differ by the heap they are in more than by all else."""
    within = sum(np.square(part - part.mean(0)).sum() for part in (actions[heap < 0], actions[heap > 0]))
    return bool(within <= (1 - EXPLAINED) * np.square(actions).sum())


def _told(heap: np.ndarray, offset: np.ndarray) -> bool:
    """Whether keys [n, obs], centred, say which heap a neighbour is in; each is guessed from the others."""
    count = len(heap)
    gram = offset @ offset.T  # the ridge's dual: neighbours are few, signals may be many
    penalty = RIDGE * np.trace(gram) / min(offset.shape) + 1e-12
    hat = gram @ np.linalg.inv(gram + penalty * np.eye(count)) + 1 / count
    own = np.diag(hat)
    right = np.sign((hat @ heap - own * heap) / (1 - own)) == heap
    return bool((right[heap < 0].mean() + right[heap > 0].mean()) / 2 > TOLD)
