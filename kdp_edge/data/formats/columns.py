# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Which numbers of a file become observations and actions: chosen by key, named one by one, no images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import hint

UNSAFE = re.compile(r"[^A-Za-z0-9_./:\[\]+-]")  # names end up in file names, C comments and web pages
LONGEST = 60  # letters of a name
LISTED = 30  # names in a message
NUMBERS = "biuf"  # kinds of dtypes
SINGULAR = {
    "observations": "observation",
    "obs": "observation",
    "actions": "action",
}  # as other data call them
COLOURS = (1, 3, 4)  # channels of a picture


@dataclass(frozen=True)
class Column:
    """An array of a file with a row a step: shape of a row, dtype, names of its numbers where it has any."""

    shape: tuple[int, ...]
    dtype: np.dtype
    names: tuple[str, ...] = ()
    declared_image: bool = False

    @property
    def width(self) -> int:
        return prod(self.shape)

    @property
    def image(self) -> bool:
        """Whether a row is a picture (or several): declared so, or by its shape."""
        small = self.dtype.kind == "u" and self.dtype.itemsize < 4
        pixels = len(self.shape) == 2 and small and min(self.shape) > 4
        colours = len(self.shape) == 3 and (self.shape[-1] in COLOURS or self.shape[0] in COLOURS or small)
        return self.declared_image or pixels or colours or len(self.shape) > 3

    def number_names(self, key: str) -> tuple[str, ...]:
        """A name for each number of a row: the file's own, or key and index."""
        if len(self.names) == self.width:
            return tuple(clean(name) for name in self.names)
        key = SINGULAR.get(key, clean(key))
        return (key,) if self.width == 1 else tuple(f"{key}_{i}" for i in range(self.width))


@dataclass(frozen=True)
class Picked:
    """Chosen keys, each whole or one number of it, and the names of all their numbers in order."""

    parts: tuple[tuple[str, int | None], ...]
    names: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(key for key, _ in self.parts))

    def matrix(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """[N, numbers] from arrays [N, ...] by key; whole numbers beside floats become floats."""
        flat = {key: arrays[key].reshape(len(arrays[key]), prod(arrays[key].shape[1:])) for key in self.keys}
        chosen = [flat[key] if i is None else flat[key][:, i : i + 1] for key, i in self.parts]
        return np.concatenate(chosen, 1) if len(chosen) > 1 else chosen[0]


def clean(name: str) -> str:
    """A name from a file as signals may be called: printable ASCII without spaces, of at most 60 letters."""
    return UNSAFE.sub("_", name)[:LONGEST] or "_"


def pick(option: str, wanted: Sequence[str], there: Mapping[str, Column], where: str) -> Picked:
    """The arrays or single numbers called `wanted`, in that order.

    Args:
        option: which the names were given by, for messages.
        wanted: keys, or key and index (`object_3`), or key and the file's name of a number (`state.x`).

    Raises:
        KdpError: one is not there, is a picture, holds no numbers, or comes twice.
    """
    single = _single_numbers(there) if any(name not in there for name in wanted) else {}
    parts: list[tuple[str, int | None]] = []
    names: list[str] = []
    for name in wanted:
        if name not in there and name not in single:
            raise KdpError(
                f"{where}: nothing is called '{name}' ({option}): {hint(name, [*there, *single])}"
                f"there: {listed(there)}"
            )
        key, index = (name, None) if name in there else single[name]
        _check(option, key, there[key], where)
        parts.append((key, index))
        own = there[key].number_names(key)
        names += own if index is None else own[index : index + 1]
    if len(set(parts)) < len(parts):
        raise KdpError(f"{where}: {option} names '{_twice(wanted)}' twice; name each once")
    return Picked(tuple(parts), _distinct(names, parts, there))


def vectors(there: Mapping[str, Column]) -> list[str]:
    """The keys whose rows are numbers, and no pictures."""
    return [
        key
        for key, column in there.items()
        if not column.image and column.width > 0 and column.dtype.kind in NUMBERS
    ]


def one(option: str, name: str, there: Mapping[str, Column], where: str) -> str:
    """The key `name`, whose rows are one number each."""
    picked = pick(option, (name,), there, where)
    if len(picked.names) != 1 or picked.parts[0][1] is not None:
        raise KdpError(
            f"{where}: {option} {name}: {len(picked.names)} numbers a row, expected one; name its key"
        )
    return picked.keys[0]


def left_out(there: Iterable[str], used: Iterable[str] = ()) -> list[str]:
    """A note of what a file holds and nobody reads."""
    rest = [key for key in there if key not in set(used)]
    return [f"not read: {listed(rest)}"] if rest else []


def listed(names: Iterable[str]) -> str:
    """Names for a message, not all of very many."""
    shown = [clean(name) for name in names]
    more = f" and {len(shown) - LISTED} more" if len(shown) > LISTED else ""
    return (", ".join(shown[:LISTED]) + more) or "nothing"


def _single_numbers(there: Mapping[str, Column]) -> dict[str, tuple[str, int]]:
    """What a single number of an array is called: key_index, or key.name."""
    found = {}
    for key in vectors(there):
        column = there[key]
        if 1 < column.width <= 4096:
            named = len(column.names) == column.width
            for i in range(column.width):
                found[f"{key}_{i}"] = (key, i)
                if named:
                    found[f"{key}.{column.names[i]}"] = (key, i)
    return found


def _check(option: str, key: str, column: Column, where: str) -> None:
    if column.image:
        raise KdpError(
            f"{where}: '{key}' ({option}) holds images ({list(column.shape)} a row); a planner takes "
            "vectors of numbers: name others"
        )
    if column.dtype.kind not in NUMBERS:
        raise KdpError(f"{where}: '{key}' ({option}) has dtype {column.dtype}, expected numbers")
    if column.width == 0:
        raise KdpError(f"{where}: '{key}' ({option}) has rows of shape {list(column.shape)}: no number")


def _twice(wanted: Sequence[str]) -> str:
    return Counter(wanted).most_common(1)[0][0]


def _distinct(
    names: list[str], parts: Sequence[tuple[str, int | None]], there: Mapping[str, Column]
) -> tuple[str, ...]:
    """The names, with their key before them where two keys have the same ones."""
    if len(set(names)) == len(names):
        return tuple(names)
    made: list[str] = []
    for key, index in parts:
        own = there[key].number_names(key)
        own = own if len(own) == 1 and not there[key].names else tuple(f"{clean(key)}.{name}" for name in own)
        made += own if index is None else own[index : index + 1]
    if len(set(made)) < len(made):
        made = [f"{name}_{i}" for i, name in enumerate(made)]
    return tuple(made)
