# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""OGBench's npz: observations, actions and terminals [N], whose "terminals" mark where a trajectory was cut.

No file holds rewards: tasks are goals, given later. Every row of an end has an action but no successor.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data.formats.columns import NUMBERS, Column, Picked, left_out, listed, one, pick, vectors
from kdp_edge.data.formats.found import Choice, Found, flat
from kdp_edge.data.hdf5 import check_memory
from kdp_edge.data.npz import DamagedArchive, npz_headers, read_npz

NAME = re.compile(
    r"([a-z0-9]+(?:-[a-z0-9]+)*?)-(?:navigate|stitch|explore|play|noisy)(?:-[a-z]+)?-(v\d+)(?:-val)?"
)
ENDS = "terminals"

Headers = dict[str, tuple[tuple[int, ...], np.dtype]]


def read_ogbench(path: Path, choice: Choice) -> Found:
    """An OGBench file's rows; qpos and other arrays of it can be chosen as observations too.

    Raises:
        KdpError: the archive is damaged, an array is missing or of another length, or no end is marked.
    """
    choice.refuse(("episode", "time"), "OGBench's layout")
    try:
        headers = npz_headers(path)
    except DamagedArchive as error:
        raise KdpError(f"{path}: not a readable npz file ({error}); download or export it again") from None
    count, there = _columns(headers, path)
    observations, obs_names = _picked("observations", choice.observations, there, path)
    actions, act_names = _picked("actions", choice.actions, there, path)
    reward = choice.reward
    if reward:
        flats = {
            **there,
            **{n: Column((), d) for n, (s, d) in headers.items() if s in ((count,), (count, 1))},
        }
        reward = one("--reward", reward, flats, str(path))
    keys = [*observations.keys, *actions.keys, *((reward,) if reward else ())]
    check_memory(sum(headers[key][1].itemsize * int(np.prod(headers[key][0])) for key in keys), path)
    arrays = read_npz(path, [*keys, ENDS])
    rewards, ends = arrays[reward] if reward else None, _ends(arrays[ENDS], count, path)
    return Found(
        "OGBench npz",
        flat(observations.matrix(arrays), actions.matrix(arrays), rewards, ends, choice.ends),
        obs_names,
        act_names,
        environment=_environment(path),
        has_rewards=bool(reward),
        notes=tuple(left_out(vectors(there), keys)),
    )


def _columns(headers: Headers, path: Path) -> tuple[int, dict[str, Column]]:
    """Number of rows, and what can be chosen: arrays of numbers [N, …]."""
    for name in ("observations", "actions", ENDS):
        if name not in headers:
            raise KdpError(
                f"{path}: array '{name}' is missing (there: {listed(sorted(headers))}); is it OGBench's?"
            )
    count = (*headers["actions"][0], 0)[0]
    there = {
        name: Column(shape[1:], dtype)
        for name, (shape, dtype) in headers.items()
        if len(shape) > 1 and shape[0] == count and dtype.kind in NUMBERS
    }
    for name in ("observations", "actions"):
        if name not in there:
            raise KdpError(
                f"{path}: array '{name}' has shape {list(headers[name][0])} and dtype {headers[name][1]}, "
                f"expected [{count}, n] of floats"
            )
    return count, there


def _picked(
    name: str, wanted: tuple[str, ...], there: dict[str, Column], path: Path
) -> tuple[Picked, tuple[str, ...]]:
    """The array `name` with `wanted` as names of its columns, or the arrays that `wanted` names."""
    if wanted and set(wanted) & set(there):
        picked = pick(f"--{name}", wanted, there, str(path))
        return picked, picked.names
    return pick(f"--{name}", (name,), there, str(path)), wanted


def _ends(flags: np.ndarray, count: int, path: Path) -> np.ndarray:
    """The array terminals as bool [N]."""
    if flags.shape not in ((count,), (count, 1)) or flags.dtype.kind not in "biuf":
        raise KdpError(
            f"{path}: array '{ENDS}' has shape {list(flags.shape)} and dtype {flags.dtype}, expected "
            f"[{count}] of 0 and 1"
        )
    flags = flags.reshape(-1).astype(np.float64)
    if not ((flags == 0) | (flags == 1)).all():
        raise KdpError(f"{path}: array '{ENDS}' holds values other than 0 and 1; export the file again")
    if not flags.any():
        raise KdpError(
            f"{path}: array '{ENDS}' marks no end in {count} rows; expected 1 at a trajectory's last row"
        )
    if len(flags) > 1 and flags[-1] and flags[-2] and flags.mean() > 1.5 * (np.diff(flags) > 0).mean():
        raise KdpError(
            f"{path}: array '{ENDS}' marks two rows in a row: OGBench's compact form in memory, not its "
            "file; save the file's own arrays"
        )
    return np.asarray(flags != 0)


def _environment(path: Path) -> str:
    """The environment that a file's name stands for: pointmaze-medium of pointmaze-medium-navigate-v0."""
    found = NAME.fullmatch(path.stem)
    return f"ogbench:{found[1]}-{found[2]}" if found else ""
