# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""robomimic's HDF5: data/demo_N with actions, obs/*, often next_obs/*, rewards, dones; and attributes.

`dones` are true at success and at a demonstration's last step alike, so an end is a cut unless
`--ends terminal` says otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data import hdf5
from kdp_edge.data.formats.columns import Picked, clean, left_out
from kdp_edge.data.formats.episodes import Part, side_by_side
from kdp_edge.data.formats.found import Choice, Found
from kdp_edge.data.formats.groups import choose, read_episodes

if TYPE_CHECKING:
    import h5py

EPISODE = re.compile(r"demo_(\d{1,18})")
AFTER = "next_obs/"
LARGEST_TEXT = 1 << 20
REPLAY = "make observations of the states first, with robomimic's dataset_states_to_obs.py --done_mode 2"


def is_robomimic(file: h5py.File) -> bool:
    import h5py

    link = file.get("data", getlink=True)
    return isinstance(link, h5py.HardLink) and isinstance(file["data"], h5py.Group) and bool(_demos(file))


def read_robomimic(path: Path, choice: Choice) -> Found:
    """Every demonstration; by default all of obs/* that are no images.

    Raises:
        KdpError: observations are missing, or a demonstration differs from the first one.
    """
    choice.refuse(("episode", "time"), "robomimic's layout")
    with hdf5.opened(path) as file:
        demos = _demos(file)
        chosen = choose(file, demos[0], path, choice, REPLAY)
        after = {key: f"{AFTER}{key}" for key in chosen.observations.keys}
        parts = [
            Part(
                f"{path}: {demo}",
                _with_last(chosen.observations, arrays, after),
                chosen.actions.matrix(arrays),
                arrays[chosen.reward] if chosen.reward else None,
                choice.ends == "terminal",
            )
            for demo, arrays in read_episodes(file, demos, chosen, path, list(after.values()))
        ]
        fields = side_by_side(parts)
        rate, environment = _environment(file, path)
        _check_total(file, parts, path)
    return Found(
        "robomimic HDF5",
        fields,
        chosen.observations.names,
        chosen.actions.names,
        rate,
        environment=environment,
        has_rewards=bool(chosen.reward),
        notes=tuple(left_out(chosen.unread(("dones", "states")))),
    )


def _demos(file: h5py.File) -> list[str]:
    """The groups of the demonstrations by their number: demo_2 before demo_10."""
    found = [(int(match[1]), f"data/{name}") for name in file["data"] if (match := EPISODE.fullmatch(name))]
    return [group for _, group in sorted(found)]


def _with_last(picked: Picked, arrays: Mapping[str, np.ndarray], after: Mapping[str, str]) -> np.ndarray:
    """Observations [T, n], and the one after the last step where the file has all of it."""
    seen = picked.matrix(arrays)
    last = {key: arrays[name][-1:] for key, name in after.items() if name in arrays}
    if len(last) < len(after) or any(last[key].shape[1:] != arrays[key].shape[1:] for key in last):
        return seen
    return np.concatenate([seen, picked.matrix(last)])


def _environment(file: h5py.File, path: Path) -> tuple[float | None, str]:
    """Rate and name of the environment by the attribute env_args, as far as it tells."""
    text = file["data"].attrs.get("env_args")
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if not isinstance(text, str) or len(text) > LARGEST_TEXT:
        return None, ""
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise KdpError(
            f"{path}: attribute env_args of 'data' is no JSON; repair it, or export again"
        ) from None
    said = said if isinstance(said, dict) else {}
    inner = said.get("env_kwargs")
    rate = inner.get("control_freq") if isinstance(inner, dict) else None
    name = clean(said["env_name"]) if isinstance(said.get("env_name"), str) else ""
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1e6:
        return None, name
    return float(rate), name


def _check_total(file: h5py.File, parts: Sequence[Part], path: Path) -> None:
    """Hold the steps against what the file says of itself."""
    declared = file["data"].attrs.get("total")
    steps = sum(len(part.actions) for part in parts)
    if isinstance(declared, int | np.integer) and int(declared) != steps:
        raise KdpError(
            f"{path}: attribute total of 'data' is {declared}, its {len(parts)} demonstrations hold {steps} "
            "steps; fetch or export the file again"
        )
