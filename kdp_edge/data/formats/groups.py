# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""HDF5 files with a group an episode: keys chosen from the first one, and read the same from all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data import hdf5
from kdp_edge.data.formats.columns import Column, Picked, listed, one, pick, vectors
from kdp_edge.data.formats.found import Choice

if TYPE_CHECKING:
    import h5py

OBSERVATIONS = "obs"  # the group, or the array, of observations in every episode
AGAIN = "export the file again"


@dataclass(frozen=True)
class Chosen:
    """What is read of every episode. paths: where in an episode's group each key lies."""

    observations: Picked
    actions: Picked
    reward: str
    paths: dict[str, str]

    @property
    def keys(self) -> list[str]:
        reward = [self.reward] if self.reward else []
        return list(dict.fromkeys([*self.observations.keys, *self.actions.keys, *reward]))

    def unread(self, known: Sequence[str]) -> list[str]:
        """Keys that nobody reads, without those that the layout has for itself and `known` others."""
        return [key for key in self.paths if key not in {*self.keys, *known}]


def choose(file: h5py.File, group: str, path: Path, choice: Choice, no_observations: str) -> Chosen:
    """Keys by the first episode's arrays; by default observations that are no images, actions, rewards.

    Args:
        no_observations: what to do where the episode has none.
    """
    full = {
        key: Column(dataset.shape[1:], dataset.dtype)
        for key, dataset in hdf5.arrays_under(file, group, path).items()
        if not key.startswith("next_obs/")
    }
    paths = {_short(key, full): key for key in full}
    there = {short: full[key] for short, key in paths.items()}
    seen = [key for key in vectors(there) if _in(paths[key], OBSERVATIONS)]
    if not seen and not choice.observations:
        raise KdpError(f"{path}: field '{group}/{OBSERVATIONS}' is missing, or all images: {no_observations}")
    played = [key for key in vectors(there) if _in(paths[key], "actions")] or ["actions"]
    where = f"{path}: {group}"
    observations = pick("--observations", choice.observations or seen, there, where)
    actions = pick("--actions", choice.actions or played, there, where)
    reward = choice.reward or ("rewards" if "rewards" in there else "")
    return Chosen(observations, actions, one("--reward", reward, there, where) if reward else "", paths)


def _in(key: str, group: str) -> bool:
    return key == group or key.startswith(f"{group}/")


def _short(key: str, full: dict[str, Column]) -> str:
    """What a user calls an array: object for obs/object."""
    short = key.removeprefix(f"{OBSERVATIONS}/")
    return key if short != key and short in full else short


def read_episodes(
    file: h5py.File, groups: Sequence[str], chosen: Chosen, path: Path, optional: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Each group's name and its arrays by key, and those at the paths `optional` that it has.

    Raises:
        KdpError: a group lacks a key or has it in another shape; or all together are too large.
    """
    found: list[dict[str, h5py.Dataset]] = []
    first: dict[str, h5py.Dataset] = {}
    for group in groups:
        handles = {key: _found(file, group, chosen.paths[key], path) for key in chosen.keys}
        first = first or handles
        for key, dataset in handles.items():
            if dataset.shape[1:] != first[key].shape[1:]:
                raise KdpError(
                    f"{path}: field '{group}/{chosen.paths[key]}' has rows of shape "
                    f"{list(dataset.shape[1:])}, {groups[0]} has {list(first[key].shape[1:])}; expected one "
                    "shape in all"
                )
        more = {name: hdf5.find(file, f"{group}/{name}", path) for name in optional}
        found.append(handles | {name: one_of for name, one_of in more.items() if one_of is not None})
    hdf5.check_memory(sum(dataset.nbytes for handles in found for dataset in handles.values()), path)
    for group, handles in zip(groups, found, strict=True):
        arrays = {key: dataset[:] for key, dataset in handles.items()}
        for picked in (chosen.observations, chosen.actions):
            if len({len(arrays[key]) for key in picked.keys}) > 1:
                shapes = ", ".join(f"{key} {list(arrays[key].shape)}" for key in picked.keys)
                raise KdpError(f"{path}: {group}: fields of different length ({shapes}); {AGAIN}")
        yield group, arrays


def _found(file: h5py.File, group: str, key: str, path: Path) -> h5py.Dataset:
    dataset = hdf5.find(file, f"{group}/{key}", path)
    if dataset is None:
        there = listed(hdf5.arrays_under(file, group, path))
        raise KdpError(
            f"{path}: field '{group}/{key}' is missing (there: {there}), other episodes have it; {AGAIN}"
        )
    return dataset
