# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""All windows of a data set, and each window's nearest neighbours in key space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import atomic_path
from kdp_edge.data.npz import DamagedArchive, read_npz
from kdp_edge.data.store import DataSet, dataset_path
from kdp_edge.window import Normalizer, cut_windows, window_starts

CELL_SIZE = 800  # keys in one cell of the inverted file, on average
PROBES = 8  # cells searched for one query


@dataclass(frozen=True)
class Windows:
    """M windows of H steps; row m begins at transition start[m] of its data set.

    keys [M, obs] float32: the normalised observation the window begins with.
    flat [M, H*(obs+act)] float32: step-major, normalised observations then actions of each step.
    """

    start: np.ndarray
    keys: np.ndarray
    flat: np.ndarray


def make_windows(data: DataSet, normalizer: Normalizer, horizon: int, within: int | None = None) -> Windows:
    """All windows of a data set; raises `KdpError` when no episode is long enough.

    Args:
        within: how many of a window's steps lie in its episode at least, without it all; beyond the end its
            last step stays.
    """
    start = window_starts(data.ends, within or horizon)
    if len(start) == 0:
        raise KdpError(f"data set '{data.name}': no episode has {horizon} steps; use a shorter horizon")
    state = normalizer(data.observations)
    flat = cut_windows(state, data.actions, start, horizon, data.ends)
    return Windows(start, np.ascontiguousarray(state[start]), flat)


def nearest(keys: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` nearest keys of every key, itself included, nearest first (inverted-file search).

    Returns:
        squared distances float32 [M, count] and row numbers int64 [M, count]; where the search
        found fewer, the row itself fills the rest at infinite distance.
    """
    import faiss

    cells = max(1, len(keys) // CELL_SIZE)
    index = faiss.index_factory(keys.shape[1], f"IVF{cells},Flat")
    index.train(np.ascontiguousarray(keys[:: max(1, len(keys) // (cells * 200))]))
    index.add(keys)
    faiss.ParameterSpace().set_index_parameter(index, "nprobe", min(PROBES, cells))
    distance2, row = index.search(keys, count)
    missing = row < 0
    row = np.where(missing, np.arange(len(keys))[:, None], row)
    return np.where(missing, np.inf, np.maximum(distance2, 0.0)).astype(np.float32), row


def cached_nearest(data: DataSet, windows: Windows, within: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`nearest` of the windows' keys, computed once per data set, steps within an episode, and count.

    A cache that is damaged, cut, or of other windows is made again.
    """
    folder = dataset_path(data.name) / "cache"
    file = folder / f"nearest-{data.sha256[:12]}-h{within}-n{count}.npz"
    if (cached := _read_nearest(file, len(windows.keys), count)) is not None:
        return cached
    distance2, row = nearest(windows.keys, count)
    folder.mkdir(exist_ok=True)
    with atomic_path(file) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, distance2=distance2, row=row.astype(np.int32))
    return distance2, row


def _read_nearest(file: Path, windows: int, count: int) -> tuple[np.ndarray, np.ndarray] | None:
    """What `cached_nearest` stored, or None where it is missing, damaged or not of so many windows."""
    if not file.is_file():
        return None
    try:
        arrays = read_npz(file)
        distance2, row = arrays["distance2"], arrays["row"]
    except (DamagedArchive, KeyError):
        return None
    whole = distance2.shape == row.shape == (windows, count)
    if not whole or distance2.dtype != np.float32 or row.dtype != np.int32:
        return None
    if not (row >= 0).all() or not (row < windows).all() or not (distance2 >= 0).all():
        return None  # NaN is not >= 0 either
    return distance2, row
