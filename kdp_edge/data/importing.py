"""`data import`: a published or a user's own data set, checked field by field, into the workspace."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
from kdp_edge.data.episode import Episode
from kdp_edge.data.formats.found import Choice, Found
from kdp_edge.data.formats.minari_sets import is_minari_id, open_minari, read_minari
from kdp_edge.data.formats.registry import AUTO, check_format, detect, read_path, settled_ends
from kdp_edge.data.making.make import FORMAT, PACKAGES, Made, recipe_hash
from kdp_edge.data.published import MINARI_MUJOCO, PUBLISHED, fetch, task_of
from kdp_edge.data.raw import Expected, Raw, check, episodes_of
from kdp_edge.tasks import TASKS, Task, get_task
from kdp_edge.tasks.environments import make_env
from kdp_edge.window import WindowShape, beyond_device

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
RATES_AGREE = 0.05  # of a rate: farther apart may the user's and the data's not be
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


@dataclass(frozen=True)
class OwnRobot:
    """Facts of a robot that no task describes; None or empty where the data are to say it.

    Names choose keys or columns of the data; of data that are one array they name its columns. Actions lie
    between act_low and act_high (-1 and 1 where nobody says) in the file; stored, they are shares of that
    range from -1 to 1: what planners give and `env_id` must take (Gymnasium's RescaleAction does it).
    """

    rate_hz: float | None = None
    env_id: str = ""
    observations: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    act_low: float | None = None
    act_high: float | None = None

    @property
    def act_range(self) -> tuple[float, float]:
        return -1.0 if self.act_low is None else self.act_low, 1.0 if self.act_high is None else self.act_high


def import_set(
    source: Source,
    name: str,
    robot: OwnRobot | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Made:
    """Read, check and store a data set under `name`.

    Args:
        robot: for data of a robot that is not in the registry; a task called `name` is made.

    Raises:
        KdpError: the source cannot be read, a field does not fit (the message names it), no device takes as
            many numbers, or the robot's environment is not that of the data.
    """
    _check_request(source, name, robot, force)
    task = _known_task(source, robot, name)
    found, made_from = _read(source, task, robot, progress)
    own = None if task else _settled(robot, found, source)
    if task is None or source.choice.ends:
        found = settled_ends(found, source.choice.ends, source.text)
    expected = _expected(task, own)
    raw = check(found.fields, expected, source.text, source.clip_actions)
    raw = _as_shares(raw, own) if own else raw
    _check_size(raw, source.text)
    episodes, notes = episodes_of(raw, expected, source.text)
    if task is None:
        found = found.without_zero_rewards()
        task, where = _new_task(name, own or _asked(source), raw, episodes, found)
        notes += where
    notes = [*found.notes, *notes, *_notes(source, task), *_too_large(task)]
    store.write(name, task, episodes, _record(task, found, made_from, episodes, notes))
    return Made(name, store.read_meta(name), reused=False)


def _check_request(source: Source, name: str, robot: OwnRobot | None, force: bool) -> None:
    """Look at all that can be refused before anything is read."""
    if robot is not None:
        _check_robot(robot)
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
        "packages": versions(PACKAGES),
    }


def _known_task(source: Source, robot: OwnRobot | None, name: str) -> Task | None:
    """The registered task of the data, or None for a robot of the user's own, which the data may describe."""
    if source.task is not None:
        if robot is not None:
            raise KdpError(
                "--task and --rate-hz exclude each other: a task knows its rate, its signals and their range"
            )
        return get_task(source.task)
    found = task_of(source.text) if robot is None else None
    if found is None and name in TASKS:
        raise KdpError(f"--name {name} is a task of its own; choose another name for your robot's data")
    return get_task(found) if found else None


def _settled(robot: OwnRobot | None, found: Found, source: Source) -> OwnRobot:
    """The robot with what the data say of it where the user does not.

    Raises:
        KdpError: nobody says the rate, or the user says another one than the data.
    """
    said = robot or OwnRobot()
    rate = said.rate_hz or found.rate_hz
    if rate is None and found.may_be_published:
        raise _asked_for_task(source)
    if rate is None:
        raise KdpError(
            f"{source.text}: how many steps a second? give --rate-hz; {found.layout} does not say it"
        )
    if found.rate_hz and abs(rate / found.rate_hz - 1) > RATES_AGREE:
        raise KdpError(
            f"--rate-hz {rate:g}: {source.text} says {found.rate_hz:g} Hz; leave the option out, or repair "
            "the data"
        )
    own_range = (said.act_low, said.act_high) != (None, None)
    low, high = said.act_range if own_range else found.act_range or said.act_range
    return OwnRobot(
        rate, said.env_id, found.obs_names or said.observations, found.act_names or said.actions, low, high
    )


def _asked_for_task(source: Source) -> KdpError:
    return KdpError(
        f"{source.text}: which task is it? give --task (one of {', '.join(TASKS)}), or --rate-hz for a "
        "robot of your own"
    )


def _asked(source: Source) -> OwnRobot:
    raise _asked_for_task(source)


def _read(
    source: Source, task: Task | None, robot: OwnRobot | None, progress: Callable[[int, int], None]
) -> tuple[Found, dict[str, Any]]:
    """What lies at the source, and the record of where it came from."""
    path, made_from = Path(source.text), dict[str, Any](source=source.text)
    robot = robot or OwnRobot()
    choice = replace(source.choice, observations=robot.observations, actions=robot.actions)
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
    return read_path(path, kind, choice, _expected(task, None) if task else None, robot.rate_hz), made_from


def _expected(task: Task | None, robot: OwnRobot | None) -> Expected:
    if task is not None:
        return Expected(
            task.obs_dim, task.act_dim, task.act_low, task.act_high, task.max_episode_steps,
            obs_names=task.obs_names, act_names=task.act_names,
        )  # fmt: skip
    own = robot or OwnRobot()
    return Expected(
        len(own.observations) or None, len(own.actions) or None, *own.act_range, None,
        "--act-low and --act-high", own.observations, own.actions,
    )  # fmt: skip


def _new_task(
    name: str, robot: OwnRobot, raw: Raw, episodes: Sequence[Episode], found: Found
) -> tuple[Task, list[str]]:
    """A task for a robot of the user's own, and notes of where it can be played."""
    task = _own_task(name, robot, raw, [float(e.rewards.sum()) for e in episodes])
    task, where = _recorded_in(task, found.environment)
    return task, [*_unplayable(task), *where]


def _own_task(name: str, robot: OwnRobot, raw: Raw, returns: list[float]) -> Task:
    """Score 0 and 100 are the data's own worst and best episode: nobody published references."""
    observations = robot.observations or _numbered("observation", raw.observations.shape[1])
    actions = robot.actions or _numbered("action", raw.actions.shape[1])
    low, high = min(returns), max(returns)
    ends = np.flatnonzero(raw.terminals | raw.timeouts)
    longest = int(np.diff(np.concatenate([[-1], ends])).max())
    return Task(
        name=name,
        env_id=robot.env_id,
        obs_names=observations,
        obs_units=("1",) * len(observations),
        act_names=actions,
        act_units=("1",) * len(actions),
        act_low=-1.0,
        act_high=1.0,
        rate_hz=robot.rate_hz or 0.0,
        max_episode_steps=longest,
        ref_min=low,
        ref_max=high if high > low else low + max(1.0, abs(low)),
        recipe=(),
        default_steps=0,
    )


def _check_robot(robot: OwnRobot) -> None:
    """Raise `KdpError` for a rate or a range that is none."""
    if robot.rate_hz is not None and not (isfinite(robot.rate_hz) and robot.rate_hz > 0):
        raise KdpError(f"--rate-hz {robot.rate_hz:g}: expected a finite number above 0, in Hz")
    low, high = robot.act_range
    for option, value in (("--act-low", low), ("--act-high", high)):
        if not isfinite(value):
            raise KdpError(f"{option} {value:g}: expected a finite number, the end of the actions' range")
    if high <= low:
        raise KdpError(f"--act-low {low:g} --act-high {high:g}: expected low < high")


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


def _recorded_in(task: Task, environment: str) -> tuple[Task, list[str]]:
    """The task in the environment of its data if Gymnasium knows that and it fits, and a note of it.

    A module that a file names is not imported: only the user's own --env-id is.
    """
    if task.env_id or not environment:
        return task, []
    if ":" in environment or find_spec("mujoco") is None:
        return task, [f"recorded in {environment}; to play there, give --env-id {environment}"]
    placed = replace(task, env_id=environment)
    try:
        make_env(placed).close()
    except KdpError as error:
        return task, [f"recorded in {environment}, where no policy can be played: {error}"]
    return placed, [f"recorded in {environment}: policies are played there"]


def _as_shares(raw: Raw, robot: OwnRobot) -> Raw:
    """Actions from the robot's range to -1..1."""
    low, high = robot.act_range
    middle, half = (high + low) / 2, (high - low) / 2
    return replace(raw, actions=((raw.actions - middle) / half).astype(np.float32))


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
