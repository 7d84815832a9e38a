# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""LeRobotDataset v2.0, v2.1 and v3: a folder of Parquet files beside `meta/info.json`; videos are not read.

v2 has one file an episode, v3 many episodes a file; the rows are the same. `timestamp`, `frame_index`,
`episode_index` and `index` number every row, and all of them are held against each other. LeRobot's actions
carry no range, its episodes no reason why they end: ends are cuts unless `--ends terminal` says otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import LARGEST_JSON, read_object
from kdp_edge.data.formats import parquet
from kdp_edge.data.formats.columns import Column, Picked, clean, left_out, listed, one, pick, vectors
from kdp_edge.data.formats.episodes import check_numbering, locator, rate_of
from kdp_edge.data.formats.found import Choice, Found, flat

INFO = "meta/info.json"
FILE = re.compile(r"(?:file-|episode_)(\d+)\.parquet")
NUMBERS = ("episode_index", "frame_index", "index", "timestamp")
REWARD, SUCCESS = "next.reward", "next.success"
VERSION = re.compile(r"v(2\.[01]|3\.\d+)")


def is_lerobot(path: Path) -> bool:
    return (path / INFO).is_file()


def read_lerobot(path: Path, choice: Choice) -> Found:
    """A LeRobotDataset's rows; by default every `observation.*` that is no image, and `action`.

    Raises:
        KdpError: another version, a file or field is missing or damaged, or rows are out of order.
    """
    choice.refuse(("episode", "time"), "a LeRobotDataset")
    info, version = _info(path)
    there = _features(info, path)
    observations = pick(
        "--observations", choice.observations or _usual(there, "observation"), there, str(path)
    )
    actions = pick("--actions", choice.actions or _usual(there, "action"), there, str(path))
    reward = choice.reward or (REWARD if REWARD in there else "")
    if reward:
        reward = one("--reward", reward, there, str(path))
    files = _files(path)
    flag = there.get(SUCCESS)
    told = flag is not None and flag.dtype == bool and flag.width == 1
    keys = (*observations.keys, *actions.keys, *([reward] if reward else []), *([SUCCESS] if told else []))
    columns, place = _columns(files, there, keys, path)
    ends = _checked_ends(columns, place)
    _check_totals(path, info, version, ends)
    fps = _fps(info, path)
    rate = rate_of(columns["timestamp"], ends, fps, place, "timestamp")
    rewards = columns[reward].reshape(-1) if reward else None
    fields = flat(observations.matrix(columns), actions.matrix(columns), rewards, ends, choice.ends)
    if told:
        fields["success"] = columns[SUCCESS].reshape(-1)
    robot = clean(str(info.get("robot_type") or "")).strip("_")
    return Found(
        f"LeRobotDataset v{version}",
        fields,
        observations.names,
        actions.names,
        fps or rate,
        has_rewards=bool(reward),
        notes=_notes(info, there, (observations, actions), reward),
        more={"robot_type": robot} if robot else {},
    )


def _info(path: Path) -> tuple[dict[str, Any], str]:
    """meta/info.json, and the version of its layout."""
    info = read_object(path / INFO)
    version = info.get("codebase_version")
    if not (isinstance(version, str) and (known := VERSION.fullmatch(version))):
        raise KdpError(
            f"{path / INFO}: codebase_version is {version!r:.40}, expected v2.0, v2.1 or v3.x; convert the "
            "set with lerobot's own converters"
        )
    return info, known[1]


def _fps(info: dict[str, Any], path: Path) -> float | None:
    fps = info.get("fps")
    if fps is None:
        return None
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps < 1e6:
        raise KdpError(
            f"{path / INFO}: fps is {fps!r:.40}, expected frames a second; repair or export it again"
        )
    return float(fps)


def _features(info: dict[str, Any], path: Path) -> dict[str, Column]:
    """What info.json says of every column of the set."""
    features = info.get("features")
    if not isinstance(features, dict) or not features:
        raise KdpError(f"{path / INFO}: field 'features' is missing or no object; export the set again")
    there = {}
    for key, one_feature in features.items():
        shape = one_feature.get("shape") if isinstance(one_feature, dict) else None
        kind = one_feature.get("dtype") if isinstance(one_feature, dict) else None
        sizes_ok = isinstance(shape, list) and all(type(size) is int and 0 <= size < 2**31 for size in shape)
        if not sizes_ok or not isinstance(kind, str):
            raise KdpError(
                f"{path / INFO}: feature '{clean(key)}' has no shape and dtype; export the set again"
            )
        names = _motor_names(one_feature.get("names"))
        image = kind in ("image", "video")
        there[key] = Column(tuple(shape or ()), np.dtype("u1") if image else _dtype(kind), names, image)
    return there


def _dtype(name: str) -> np.dtype:
    """NumPy's name of a number; texts and unknown kinds are objects, which nobody can choose."""
    known = re.fullmatch(r"bool|u?int(8|16|32|64)|float(16|32|64)", name)
    return np.dtype(name if known else object)


def _motor_names(names: Any) -> tuple[str, ...]:
    """Names of a feature's numbers: a list, or lists in an object, as ("motors": […])."""
    if isinstance(names, dict):
        lists = [value for value in names.values() if isinstance(value, list)]
        names = [name for value in lists for name in value] if len(lists) == len(names) else list(names)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names)


def _usual(there: dict[str, Column], kind: str) -> list[str]:
    """`kind` itself or every `kind.*` that holds numbers."""
    numbers = vectors(there)
    found = [kind] if kind in numbers else [key for key in numbers if key.startswith(f"{kind}.")]
    return found or [kind]


def _files(path: Path) -> list[Path]:
    """The Parquet files of the rows in the order of their numbers: v3's go on from chunk to chunk."""
    found = []
    for file in path.glob("data/chunk-*/*.parquet"):
        number, chunk = FILE.fullmatch(file.name), file.parent.name.removeprefix("chunk-")
        if number and chunk.isascii() and chunk.isdigit():
            found.append((int(chunk), int(number[1]), file))
    if not found:
        raise KdpError(
            f"{path}: no file data/chunk-*/*.parquet; fetch the whole set, not its meta folder only"
        )
    return [file for _, _, file in sorted(found)]


def _columns(
    files: Sequence[Path], there: dict[str, Column], keys: Sequence[str], path: Path
) -> tuple[dict[str, np.ndarray], Callable[[int], str]]:
    """The columns of all files by name, one under the other, and what names the place of a row."""
    wanted = list(dict.fromkeys([*keys, *NUMBERS]))
    for file in files:
        names = parquet.footer(file)[0].names
        if missing := [key for key in wanted if key not in names]:
            raise KdpError(
                f"{file}: column '{missing[0]}' is missing (there: {listed(names)}), {INFO} names it; fetch "
                "or export the set again"
            )
    tables = parquet.read(files, wanted)
    columns = {}
    for key in wanted:
        shape = () if key in NUMBERS else there[key].shape
        shape = () if shape == (1,) and not _is_list(tables[0].schema.field(key).type) else shape
        columns[key] = np.concatenate(
            [
                parquet.numbers(table[key], shape, f"{file}: column '{key}'")
                for table, file in zip(tables, files, strict=True)
            ]
        )
    located = locator([table.num_rows for table in tables])

    def place(row: int) -> str:
        file, local = located(row)
        return f"{path}: {files[file].relative_to(path)} row {local}"

    return columns, place


def _is_list(kind: Any) -> bool:
    return parquet.row_shape(kind)[0] != ()


def _checked_ends(columns: dict[str, np.ndarray], place: Callable[[int], str]) -> np.ndarray:
    """Bool [N]: the last row of each episode, after every number of the rows was checked."""
    index = columns["episode_index"]
    if len(index) == 0:
        raise KdpError(f"{place(0)}: the set has no row; record something first")
    for name in ("episode_index", "frame_index", "index"):
        if columns[name].dtype.kind not in "iu":
            raise KdpError(f"{place(0)}: '{name}' is {columns[name].dtype}, expected whole numbers")
    numbers = {name: columns[name].astype(np.int64) for name in NUMBERS[:3]}
    check_numbering(numbers["episode_index"], numbers["frame_index"], numbers["index"], place)
    return np.append(np.diff(index) != 0, True)


def _check_totals(path: Path, info: dict[str, Any], version: str, ends: np.ndarray) -> None:
    """Hold the rows against what the set says of itself."""
    for field, found in (("total_episodes", int(ends.sum())), ("total_frames", len(ends))):
        declared = info.get(field)
        if isinstance(declared, int) and declared != found:
            raise KdpError(
                f"{path / INFO}: {field} is {declared}, the files in data/ hold {found}; fetch every file "
                "of the set"
            )
    lengths = np.diff(np.concatenate([[-1], np.flatnonzero(ends)])).tolist()
    for episode, (declared, found) in enumerate(zip(_lengths(path, version), lengths, strict=False)):
        if declared != found:
            raise KdpError(
                f"{path}: episode {episode} has {found} rows, meta/episodes says {declared}; fetch or "
                "export the set again"
            )


def _lengths(path: Path, version: str) -> list[int]:
    """Steps of each episode by the set's list of episodes; empty where there is none."""
    if version.startswith("2"):
        return _lengths_v2(path / "meta" / "episodes.jsonl")
    files = sorted(path.glob("meta/episodes/chunk-*/file-*.parquet"))
    names = ("episode_index", "length")
    if not files or any(name not in parquet.footer(file)[0].names for file in files for name in names):
        return []
    tables = parquet.read(files, names)
    index, lengths = (
        np.concatenate(
            [parquet.numbers(table[name], (), f"{path}: meta/episodes: '{name}'") for table in tables]
        )
        for name in names
    )
    return [int(length) for length in lengths[np.argsort(index, kind="stable")]]


def _lengths_v2(file: Path) -> list[int]:
    if not file.is_file():
        return []
    if file.stat().st_size > LARGEST_JSON:
        raise KdpError(f"{file}: {file.stat().st_size} bytes, expected at most {LARGEST_JSON}")
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        lengths = {int(row["episode_index"]): int(row["length"]) for row in rows}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise KdpError(
            f"{file}: no list of episodes ({type(error).__name__}: {error}); fetch it again"
        ) from None
    if any(b - a != 1 for a, b in pairwise(sorted(lengths))):
        raise KdpError(f"{file}: episodes are missing in it; fetch it again")
    return [lengths[episode] for episode in sorted(lengths)]


def _notes(
    info: dict[str, Any], there: dict[str, Column], picked: Sequence[Picked], reward: str
) -> tuple[str, ...]:
    chosen = [key for one_picked in picked for key in one_picked.keys]
    used = [*chosen, reward, SUCCESS, *NUMBERS, "task_index"]
    notes = left_out(there, used)
    tasks = info.get("total_tasks")
    if isinstance(tasks, int) and tasks > 1:
        notes.append(f"{tasks} tasks, told apart by their text only, which is no input of a planner")
    return tuple(notes)
