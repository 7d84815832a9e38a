# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Zarr replay buffers as of Diffusion Policy: data/KEY [N, …] and meta/episode_ends, a folder or a zip.

Zarr fills absent chunks with a constant and lets codecs run that unpickle: both are looked for in the
metadata, which is JSON, before Zarr opens anything.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError, reason
from kdp_edge.data.formats.columns import Column, left_out, listed, one, pick, vectors
from kdp_edge.data.formats.found import Choice, Found, flat
from kdp_edge.data.hdf5 import check_declared, check_memory

ENDS = "meta/episode_ends"
LARGEST_TEXT = 1 << 20  # bytes of an array's metadata
MOST_FILES = 1_000_000
ACTIONS, STATES, REWARDS = ("action", "actions"), ("state", "states", "obs"), ("reward", "rewards")
CODECS = {
    "blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma", "shuffle", "delta", "fixedscaleoffset", "astype",
    "bytes", "transpose", "crc32", "crc32c", "adler32", "fletcher32", "sharding_indexed",
}  # fmt: skip


@dataclass(frozen=True)
class _Array:
    """What the metadata of an array say, and how much of it is there."""

    shape: tuple[int, ...]
    dtype: np.dtype
    size: int = 0  # bytes of the whole, or of one chunk if that is larger
    chunks: int = 0  # that the shape asks for
    files: int = 0  # that are there
    stored: int = 0  # bytes of those


def is_zarr(path: Path) -> bool:
    if path.is_dir():
        return (path / ".zgroup").is_file() or (path / "zarr.json").is_file()
    return path.name.endswith(".zarr.zip")


def read_zarr(path: Path, choice: Choice) -> Found:
    """A replay buffer's rows; by default data/state (or all vectors but actions and rewards) and data/action.

    Raises:
        KdpError: no replay buffer, damaged, or its ends do not fit its rows.
    """
    choice.refuse(("episode", "time"), "a replay buffer")
    import zarr

    sizes = _sizes(path)
    arrays = _arrays(path, sizes)
    if ENDS not in arrays or not any(name.startswith("data/") for name in arrays):
        raise KdpError(
            f"{path}: no replay buffer (there: {listed(sorted(arrays))}); expected data/… and {ENDS}"
        )
    there = {
        name.removeprefix("data/"): Column(array.shape[1:], array.dtype)
        for name, array in arrays.items()
        if name.startswith("data/") and array.shape
    }
    observations = pick("--observations", choice.observations or _usual(there), there, str(path))
    played = [key for key in ACTIONS if key in there][:1] or list(ACTIONS[:1])
    actions = pick("--actions", choice.actions or played, there, str(path))
    reward = choice.reward or next((key for key in REWARDS if key in there), "")
    if reward:
        reward = one("--reward", reward, there, str(path))
    keys = list(dict.fromkeys([*observations.keys, *actions.keys, *((reward,) if reward else ())]))
    notes = [note for key in keys if (note := _check(path, f"data/{key}", arrays[f"data/{key}"]))]
    _check(path, ENDS, arrays[ENDS])
    check_memory(sum(arrays[f"data/{key}"].size for key in keys), path)
    values = _read(zarr, path, [*(f"data/{key}" for key in keys), ENDS])
    ends = _ends(values.pop(ENDS), {key: len(values[f"data/{key}"]) for key in keys}, path, notes)
    columns = {key: values[f"data/{key}"][: len(ends)] for key in keys}
    return Found(
        "Zarr replay buffer",
        flat(observations.matrix(columns), actions.matrix(columns),
             columns[reward].reshape(-1) if reward else None, ends, choice.ends),
        observations.names,
        actions.names,
        has_rewards=bool(reward),
        notes=(*notes, *left_out(there, keys)),
    )  # fmt: skip


def _usual(there: dict[str, Column]) -> list[str]:
    """Observations by default."""
    named = [key for key in STATES if key in there][:1]
    return named or [key for key in vectors(there) if key not in (*ACTIONS, *REWARDS)] or ["state"]


def _sizes(path: Path) -> dict[str, int]:
    """Bytes of every file of the store by its name; refused are links, and more files than a store has."""
    if path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                return {part.filename: part.compress_size for part in archive.infolist() if not part.is_dir()}
        except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
            raise KdpError(f"{path}: not a readable zip file ({reason(error)}); download it again") from None
    sizes: dict[str, int] = {}
    for file in path.rglob("*"):
        if file.is_symlink():
            raise KdpError(
                f"{path}: '{file.relative_to(path)}' is a link, expected the data themselves; copy them"
            )
        if file.is_file():
            sizes[file.relative_to(path).as_posix()] = file.stat().st_size
        if len(sizes) > MOST_FILES:
            raise KdpError(f"{path}: more than {MOST_FILES:,} files; store it in larger chunks")
    return sizes


def _text(path: Path, name: str, size: int) -> Any:
    """A JSON file of the store."""
    if size > LARGEST_TEXT:
        raise KdpError(f"{path}: '{name}' has {size:,} bytes, expected at most {LARGEST_TEXT:,}")
    try:
        if path.is_file():
            with zipfile.ZipFile(path) as archive, archive.open(name) as file:
                text = file.read(LARGEST_TEXT)
        else:
            text = (path / name).read_bytes()
        return json.loads(text)
    except Exception as error:  # zlib, zipfile, JSON and UTF-8 each raise their own
        raise KdpError(f"{path}: '{name}' is damaged ({reason(error)}); fetch or export it again") from None


def _arrays(path: Path, sizes: dict[str, int]) -> dict[str, _Array]:
    """Every array of the store by its path, from the metadata of version 2 (.zarray) or 3 (zarr.json)."""
    found = {}
    for name, size in sizes.items():
        folder, _, file = name.rpartition("/")
        if file not in (".zarray", "zarr.json") or not folder.startswith(("data/", "meta/")):
            continue
        said = _text(path, name, size)
        if isinstance(said, dict) and (file == ".zarray" or said.get("node_type") == "array"):
            inside = {n: s for n, s in sizes.items() if n.startswith(f"{folder}/") and not n.endswith("json")}
            found[folder] = _array(said, inside, f"{path}: {folder}")
    return found


def _array(said: dict[str, Any], inside: dict[str, int], where: str) -> _Array:
    try:
        if "zarr_format" in said and said["zarr_format"] == 2:
            kind, chunk = said["dtype"], said["chunks"]
            codecs = [*(said.get("filters") or []), *([said["compressor"]] if said.get("compressor") else [])]
            names = [codec["id"] for codec in codecs]
        else:
            kind, chunk = said["data_type"], said["chunk_grid"]["configuration"]["chunk_shape"]
            names = _codecs(said["codecs"])
        shape = tuple(said["shape"])
        sizes = (*shape, *chunk)
        if any(type(size) is not int or not 0 <= size < 2**62 for size in sizes) or len(chunk) != len(shape):
            raise ValueError(f"shape {shape}")
        dtype = np.dtype(kind)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise KdpError(
            f"{where}: metadata are no Zarr array's ({reason(error)}); fetch or export it again"
        ) from None
    foreign = [str(name) for name in names if str(name).removeprefix("numcodecs.") not in CODECS]
    if foreign or dtype.hasobject:
        return _Array(shape, np.dtype(object))  # codecs of images, or pickles: nobody may choose it
    count = prod(ceil(size / max(1, one_chunk)) for size, one_chunk in zip(shape, chunk, strict=True))
    size = max(prod(shape), prod(chunk)) * dtype.itemsize
    chunks = [name for name in inside if not name.endswith((".zarray", ".zattrs"))]
    return _Array(shape, dtype, size, count, len(chunks), sum(inside[name] for name in chunks))


def _codecs(codecs: Any) -> list[str]:
    """Names of the codecs of version 3, those inside of shards too."""
    names = []
    for codec in codecs:
        names.append(codec["name"])
        inner = codec.get("configuration") or {}
        for key in ("codecs", "index_codecs"):
            names += _codecs(inner.get(key) or [])
    return names


def _check(path: Path, name: str, array: _Array) -> str:
    """Refuse what declares more than is there; a note where chunks are absent, which Zarr fills silently."""
    check_declared(array.size, array.stored, path, f"chunks of '{name}'")
    if array.files == 0 and array.size:
        raise KdpError(f"{path}: no chunk of '{name}' is there; fetch or export the store again")
    if array.files < array.chunks:
        return (
            f"{array.chunks - array.files} of {array.chunks} chunks of '{name}' are absent: Zarr leaves out "
            "those that hold one value only; fetch the store again if it was copied in parts"
        )
    return ""


def _read(zarr: Any, path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    try:
        store: Any = zarr.storage.ZipStore(path, mode="r") if path.is_file() else path
        group = zarr.open_group(store, mode="r")
        read = {name: np.asarray(group[name][...]) for name in names}
        if path.is_file():
            store.close()
    except Exception as error:  # Zarr and its codecs answer damage with kinds of their own
        raise KdpError(
            f"{path}: not a readable Zarr store ({reason(error)}); fetch or export it again"
        ) from None
    return read


def _ends(ends: np.ndarray, rows: dict[str, int], path: Path, notes: list[str]) -> np.ndarray:
    """Bool [rows]: the last row of each episode, by meta/episode_ends: the row after it."""
    if len(set(rows.values())) > 1:
        lengths = ", ".join(f"{key} {count}" for key, count in rows.items())
        raise KdpError(f"{path}: arrays of different length ({lengths}); expected one row a step in each")
    count = next(iter(rows.values()))
    if ends.ndim != 1 or ends.dtype.kind not in "iu" or len(ends) == 0:
        raise KdpError(
            f"{path}: {ENDS} has shape {list(ends.shape)} and dtype {ends.dtype}, expected whole numbers, "
            "one an episode"
        )
    ends = ends.astype(np.int64)
    if (np.diff(ends, prepend=0) <= 0).any():
        at = int(np.flatnonzero(np.diff(ends, prepend=0) <= 0)[0])
        raise KdpError(
            f"{path}: {ENDS} holds {ends[at]} at {at}, expected numbers that grow; export it again"
        )
    if ends[-1] > count:
        raise KdpError(
            f"{path}: {ENDS} ends with {ends[-1]}, the arrays have {count} rows; fetch the store again"
        )
    if ends[-1] < count:
        notes.append(f"{count - ends[-1]} rows after the last of {ENDS} are not read")
    flags = np.zeros(int(ends[-1]), bool)
    flags[ends - 1] = True
    return flags
