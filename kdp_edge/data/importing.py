# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`data import`: a published or a user's own data set, checked field by field, into the workspace."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import sha256_file
from kdp_edge.base.provenance import versions
from kdp_edge.data import store
from kdp_edge.data.declared import OwnRobot, check_facts, check_rate, completed, declared, placed, settled
from kdp_edge.data.describe import statistics, successes
from kdp_edge.data.episode import Episode
from kdp_edge.data.formats.found import Choice, Found, settled_ends
from kdp_edge.data.formats.minari_sets import is_minari_id, open_minari, read_minari
from kdp_edge.data.formats.registry import AUTO, check_format, detect, read_path
from kdp_edge.data.making.make import FORMAT, PACKAGES, Made, recipe_hash
from kdp_edge.data.published import MINARI_MUJOCO, PUBLISHED, fetch, task_of
from kdp_edge.data.raw import Expected, Raw, check, episodes_of
from kdp_edge.tasks import TASKS, Robot, Task, get_task
from kdp_edge.window import WindowShape, beyond_device

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
USUAL_HORIZON, USUAL_K = 4, 8  # of RunConfig, which this room does not know; a test compares them


@dataclass(frozen=True)
class Source:
    """What a user points at, and how to read it."""

    text: str  # path, URL or Minari id
    task: str | None = None
    sha256: str | None = None
    download: bool = False
    clip_actions: bool = False
    format: str = AUTO
    choice: Choice = field(default_factory=Choice)


def import_set(
    source: Source,
    name: str,
    robot: OwnRobot | Robot | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Made:
    """Read, check and store a data set under `name`.

    Args:
        robot: for data of a robot that is not in the registry, by its file or as facts; a task of that
            name is made.

    Raises:
        KdpError: the source cannot be read, a field does not fit (the message names it), no device takes as
            many numbers, the robot's environment is not that of the data, or nothing says what a stop plays.
    """
    _check_request(source, name, robot, force)
    task = _known_task(source, robot, name)
    found, made_from = _read(source, task, robot, progress)
    if task is None or source.choice.ends:
        found = settled_ends(found, source.choice.ends, source.text)
    if isinstance(robot, Robot):
        check_rate(robot, found, source.text)
    own = robot if isinstance(robot, Robot) else None if task else settled(robot, found, source.text)
    expected = _expected(task, own)
    raw = check(found.fields, expected, source.text, source.clip_actions)
    _check_size(raw, source.text)
    task, found, where = (task, found, []) if task else _new_task(name, own, raw, found)
    raw = replace(raw, actions=task.robot.shares(raw.actions))
    episodes, notes = episodes_of(raw, expected, source.text)
    notes += where
    notes = [*found.notes, *notes, *_notes(source, task), *_too_large(task)]
    store.write(name, task, episodes, _record(task, found, made_from, episodes, notes))
    return Made(name, store.read_meta(name), reused=False)


def _check_request(source: Source, name: str, robot: OwnRobot | Robot | None, force: bool) -> None:
    """Look at all that can be refused before anything is read."""
    if isinstance(robot, OwnRobot):
        check_facts(robot)
    check_format(source.format)
    source.choice.check_ends()
    if not NAME.fullmatch(name):
        raise KdpError(f"--name '{name}': expected up to 100 small letters, digits, '.', '_' and '-'")
    if store.exists(name) and not force:
        raise KdpError(f"data set '{name}' exists; choose another --name, or --force to replace it")
    store.check_name(name)


def _record(
    task: Task, found: Found, made_from: dict[str, Any], episodes: Sequence[Episode], notes: list[str]
) -> dict[str, Any]:
    """What is stored beside the data."""
    made_from = {**made_from, "format": FORMAT, "task": task.name}
    return {
        "recipe": made_from,
        "recipe_hash": recipe_hash(made_from),
        "task": task.name,
        "origin": "published" if _is_published(made_from) else "imported",
        "notes": notes,
        "read_as": found.read_as(),
        "has_rewards": found.has_rewards,
        **found.said(),
        "transitions": sum(len(e.rewards) for e in episodes),
        "episodes": len(episodes),
        "behaviour": statistics(task, episodes, found.has_rewards),
        "by_policy": {},
        **successes(episodes),
        "packages": versions(PACKAGES),
    }


def _known_task(source: Source, robot: OwnRobot | Robot | None, name: str) -> Task | None:
    """The registered task of the data, or None for a robot of the user's own, which the data may describe."""
    if source.task is not None:
        if robot is not None:
            raise KdpError("--task excludes --robot, --rate-hz and what goes with it: a task knows its robot")
        return get_task(source.task)
    found = task_of(source.text) if robot is None else None
    if found is None and name in TASKS:
        raise KdpError(f"--name {name} is a task of its own; choose another name for your robot's data")
    return get_task(found) if found else None


def _read(
    source: Source, task: Task | None, robot: OwnRobot | Robot | None, progress: Callable[[int, int], None]
) -> tuple[Found, dict[str, Any]]:
    """What lies at the source, and the record of where it came from."""
    path, made_from = Path(source.text), dict[str, Any](source=source.text)
    choice, rate = source.choice, robot.rate_hz if robot is not None else None
    if isinstance(robot, OwnRobot):
        choice = replace(choice, observations=robot.observations, actions=robot.actions)
    made_from |= {"choice": said} if (said := choice.said()) else {}
    if source.text.startswith(("http://", "https://")):
        path = fetch(source.text, source.sha256, progress)
    if path.is_file():
        digest = sha256_file(path)
        if source.sha256 and digest != source.sha256.lower():
            raise KdpError(f"{path}: sha256 is {digest}, expected {source.sha256}; fetch it again")
        made_from["sha256"] = digest
    kind = detect(path) if source.format == AUTO else source.format
    maze = task is not None and task.name.startswith("maze2d")
    is_id = kind is None and not path.is_dir() and is_minari_id(source.text)
    if kind == "minari" or is_id:
        rows = None
        if maze and task is not None:
            from kdp_edge.tasks.maze2d import MAZES

            rows = MAZES[task.name.partition("-")[2]].split()
        return read_minari(open_minari(source.text, source.download), source.text, rows, choice), made_from
    if kind is None and path.is_dir():
        raise KdpError(
            f"{path}: a folder of no layout that is known; expected a LeRobotDataset (meta/info.json), a "
            "Minari set (data/metadata.json), a Zarr store (.zgroup, zarr.json), or files *.csv or *.parquet"
        )
    if kind is None:
        raise KdpError(
            f"{source.text}: no such file, and no Minari id (like D4RL/door/cloned-v2) or URL either"
        )
    if maze and kind == "d4rl":
        from kdp_edge.data.formats.d4rl import read_hdf5

        return read_hdf5(
            path, True, replace(_expected(task, None), obs_dim=None)
        ), made_from  # the goal comes later
    return read_path(path, kind, choice, _expected(task, None) if task else None, rate), made_from


def _expected(task: Task | None, robot: OwnRobot | Robot | None) -> Expected:
    known = task.robot if task is not None else robot
    if isinstance(known, Robot):
        names = [tuple(one.name for one in signals) for signals in (known.observations, known.actions)]
        steps = known.plant.max_episode_steps if task is not None else None
        options = "" if task is not None else "low and high of each [[action]] in the robot file"
        return Expected(
            len(names[0]), len(names[1]), known.low, known.high, steps, options, names[0], names[1]
        )
    own = known or OwnRobot()
    low, high = (np.float32(bound) for bound in own.act_range)
    return Expected(
        len(own.observations) or None, len(own.actions) or None, low, high, None,
        "--act-low and --act-high", own.observations, own.actions,
    )  # fmt: skip


def _new_task(
    name: str, robot: OwnRobot | Robot | None, raw: Raw, found: Found
) -> tuple[Task, Found, list[str]]:
    """A task for a robot of the user's own, its data, and notes of where it is played."""
    found = found.without_zero_rewards()
    own = robot if isinstance(robot, Robot) else declared(name, robot or OwnRobot(), raw)
    task, where = placed(Task(name, completed(own, raw)), found.environment)
    return task, found, where


def _check_size(raw: Raw, where: str) -> None:
    """Refuse data that no planner of ours can ever serve on a device: not even with a window of one step."""
    shape = WindowShape(1, raw.observations.shape[1], raw.actions.shape[1])
    if reason := beyond_device(shape, 1, 1):
        raise KdpError(f"{where}: {reason}; leave out what the controller does not need, and import again")


def _too_large(task: Task) -> list[str]:
    """A note where a device takes the task's numbers, but not with the usual windows and candidates."""
    reason = beyond_device(WindowShape(USUAL_HORIZON, task.obs_dim, task.act_dim), USUAL_K, 1)
    return [f"{reason}: train with a smaller --horizon or --k"] if reason and task.name not in TASKS else []


def _is_published(made_from: dict[str, Any]) -> bool:
    return task_of(made_from["source"]) is not None


def _notes(source: Source, task: Task) -> list[str]:
    notes = []
    if source.text.startswith("mujoco/"):
        notes.append(MINARI_MUJOCO)
    if task.name.startswith("walker2d-") and not task.name.startswith("walker2d-v4"):
        notes.append(
            "this task plays Walker2d-v5, whose left foot has other friction than D4RL's robot; "
            "for D4RL data use --task walker2d-v4-…"
        )
    if task.name.startswith("maze2d"):
        notes.append("goals are part of the observation; rewards are those of the pursued goal")
    if source.text.startswith("D4RL/pointmaze"):
        notes.append("PointMaze's dynamics are not Maze2D's: scores are not D4RL's")
    published = PUBLISHED.get(task.name)
    if published and task_of(source.text) == task.name and published.sha256 is None:
        notes.append("no reference hash of this published file is known; compare sha256 with your source")
    return notes
