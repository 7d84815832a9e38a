# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`data import`: a published or a user's own data set, checked field by field, into the workspace."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import sha256_file
from kdp_edge.base.provenance import versions
from kdp_edge.data import store
from kdp_edge.data.describe import statistics
from kdp_edge.data.making.make import FORMAT, PACKAGES, Made, recipe_hash
from kdp_edge.data.minari_sets import is_minari_id, open_minari, read_minari
from kdp_edge.data.published import MINARI_MUJOCO, PUBLISHED, fetch, task_of
from kdp_edge.data.raw import Expected, Raw, check, episodes_of
from kdp_edge.tasks import TASKS, Robot, Task, get_task
from kdp_edge.tasks.environments import make_env
from kdp_edge.tasks.robot import Action, Observation, Plant, check_robot
from kdp_edge.tasks.safe_actions import safe_wishes, with_safe_actions
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


@dataclass(frozen=True)
class OwnRobot:
    """Facts of a robot that no file describes; names are numbered where they are not given."""

    rate_hz: float
    env_id: str = ""
    observations: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    act_low: float = -1.0
    act_high: float = 1.0
    safe: tuple[str, ...] = ()  # VALUE, "hold", or NAME= in front of either


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
    if isinstance(robot, OwnRobot):
        _check_robot(robot)
    if not NAME.fullmatch(name):
        raise KdpError(f"--name '{name}': expected up to 100 small letters, digits, '.', '_' and '-'")
    if store.exists(name) and not force:
        raise KdpError(f"data set '{name}' exists; choose another --name, or --force to replace it")
    store.check_name(name)
    task = _known_task(source, robot, name)
    expected = _expected(task, robot)
    fields, made_from = _read(source, task, expected, progress)
    raw = check(fields, expected, source.text, source.clip_actions)
    _check_size(raw, source.text)
    if task is None:
        own = robot if isinstance(robot, Robot) else _declared(name, robot or _asked(source), raw)
        task = Task(name, _completed(own, raw))
    raw = replace(raw, actions=task.robot.shares(raw.actions))
    episodes, notes = episodes_of(raw, expected, source.text)
    if robot is not None:
        notes += _unplayable(task)
        task = replace(task, robot=with_safe_actions(task))
    made_from |= {"format": FORMAT, "task": task.name}
    meta = {
        "recipe": made_from,
        "recipe_hash": recipe_hash(made_from),
        "task": task.name,
        "origin": "published" if _is_published(made_from) else "imported",
        "notes": [*notes, *_notes(source, task), *_too_large(task)],
        "transitions": sum(len(e.rewards) for e in episodes),
        "episodes": len(episodes),
        "behaviour": statistics(task, episodes),
        "by_policy": {},
        "packages": versions(PACKAGES),
    }
    store.write(name, task, episodes, meta)
    return Made(name, store.read_meta(name), reused=False)


def _known_task(source: Source, robot: OwnRobot | Robot | None, name: str) -> Task | None:
    """The registered task of the data, or None for a robot of the user's own."""
    if source.task is not None:
        if robot is not None:
            raise KdpError("--task excludes --robot and --rate-hz: a task knows its robot")
        return get_task(source.task)
    if robot is not None:
        if name in TASKS:
            raise KdpError(f"--name {name} is a task of its own; choose another name for your robot's data")
        return None
    found = task_of(source.text)
    if found is None:
        raise _asked_for_task(source)
    return get_task(found)


def _asked_for_task(source: Source) -> KdpError:
    return KdpError(
        f"{source.text}: which task is it? give --task (one of {', '.join(TASKS)}), or --robot FILE or "
        "--rate-hz for a robot of your own"
    )


def _asked(source: Source) -> OwnRobot:
    raise _asked_for_task(source)


def _read(
    source: Source, task: Task | None, expected: Expected, progress: Callable[[int, int], None]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    from kdp_edge.data.d4rl import read_hdf5

    maze = task is not None and task.name.startswith("maze2d")
    path = Path(source.text)
    if source.text.startswith(("http://", "https://")):
        path = fetch(source.text, source.sha256, progress)
    if path.is_file():
        digest = sha256_file(path)
        if source.sha256 and digest != source.sha256.lower():
            raise KdpError(f"{path}: sha256 is {digest}, expected {source.sha256}; fetch it again")
        in_file = replace(expected, obs_dim=None) if maze else expected  # the goal is appended later
        return read_hdf5(path, maze, in_file), {"source": source.text, "sha256": digest}
    if not path.is_dir() and not is_minari_id(source.text):
        raise KdpError(
            f"{source.text}: no such file, and no Minari id (like D4RL/door/cloned-v2) or URL either"
        )
    rows = None
    if maze and task is not None:
        from kdp_edge.tasks.maze2d import MAZES

        rows = MAZES[task.name.partition("-")[2]].split()
    return read_minari(open_minari(source.text, source.download), source.text, rows), {"source": source.text}


def _expected(task: Task | None, robot: OwnRobot | Robot | None) -> Expected:
    known = task.robot if task is not None else robot
    if isinstance(known, Robot):
        names = [tuple(one.name for one in signals) for signals in (known.observations, known.actions)]
        steps = known.plant.max_episode_steps if task is not None else None
        options = "" if task is not None else "low and high of each [[action]] in the robot file"
        return Expected(
            len(names[0]), len(names[1]), known.low, known.high, steps, options, names[0], names[1]
        )
    own = known or OwnRobot(1.0)
    return Expected(
        len(own.observations) or None, len(own.actions) or None, np.float32(own.act_low),
        np.float32(own.act_high), None, "--act-low and --act-high", own.observations, own.actions,
    )  # fmt: skip


def _declared(name: str, robot: OwnRobot, raw: Raw) -> Robot:
    """The robot that a command line describes."""
    observations = robot.observations or _numbered("observation", raw.observations.shape[1])
    actions = robot.actions or _numbered("action", raw.actions.shape[1])
    safe = safe_wishes(robot.safe, actions)
    made = Robot(
        name,
        robot.rate_hz,
        tuple(Observation(one) for one in observations),
        tuple(Action(one, low=robot.act_low, high=robot.act_high, safe=safe.get(one)) for one in actions),
        Plant(robot.env_id),
    )
    check_robot(made, "the robot that the options describe")
    return made


def _completed(robot: Robot, raw: Raw) -> Robot:
    """With what the file leaves to the data: the longest episode, and the worst and the best return."""
    ends = np.flatnonzero(raw.terminals | raw.timeouts)
    firsts = np.concatenate([[0], ends[:-1] + 1])
    returns = [float(raw.rewards[a : b + 1].sum()) for a, b in zip(firsts, ends, strict=True)]
    low, high = min(returns), max(returns)
    plant, score = robot.plant, robot.score
    longest = int((ends - firsts).max()) + 1
    if plant.max_episode_steps is None:
        plant = replace(plant, max_episode_steps=longest)
    if score.low is None:
        score = replace(score, low=low)
    if score.high is None:
        base = score.low if score.low is not None else low
        score = replace(score, high=high if high > base else base + max(1.0, abs(base)))
    return replace(robot, plant=plant, score=score)


def _check_robot(robot: OwnRobot) -> None:
    """Raise `KdpError` for a rate or a range that is none."""
    if not (isfinite(robot.rate_hz) and robot.rate_hz > 0):
        raise KdpError(f"--rate-hz {robot.rate_hz:g}: expected a finite number above 0, in Hz")
    for option, value in (("--act-low", robot.act_low), ("--act-high", robot.act_high)):
        if not isfinite(value):
            raise KdpError(f"{option} {value:g}: expected a finite number, the end of the actions' range")
    if robot.act_high <= robot.act_low:
        raise KdpError(f"--act-low {robot.act_low:g} --act-high {robot.act_high:g}: expected low < high")


def _check_size(raw: Raw, where: str) -> None:
    """Refuse data that no planner of ours can ever serve on a device: not even with a window of one step."""
    shape = WindowShape(1, raw.observations.shape[1], raw.actions.shape[1])
    if reason := beyond_device(shape, 1, 1):
        raise KdpError(f"{where}: {reason}; leave out what the controller does not need, and import again")


def _too_large(task: Task) -> list[str]:
    """A note where a device takes the task's numbers, but not with the usual windows and candidates."""
    reason = beyond_device(WindowShape(USUAL_HORIZON, task.obs_dim, task.act_dim), USUAL_K, 1)
    return [f"{reason}: train with a smaller --horizon or --k"] if reason and task.name not in TASKS else []


def _unplayable(task: Task) -> list[str]:
    """Open the environment of a user's own task; a note where no simulator is there to do so."""
    if not task.env_id:
        return []
    if find_spec("mujoco") is None:
        return [f"environment {task.env_id} was not checked: no simulator is installed here"]
    make_env(task).close()
    return []


def _numbered(what: str, count: int) -> tuple[str, ...]:
    return tuple(f"{what}_{number}" for number in range(count))


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
