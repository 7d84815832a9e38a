"""Transitions as a file gives them, the checks that name the field at fault, and episodes from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data.episode import Episode

REQUIRED = ("observations", "actions", "rewards", "terminals")
RANGE_SLACK = 1e-4  # rounding of a tanh; more than that is another unit or another robot
JUMP = 1e-3  # of a signal's spread: more between a successor and the next row is another episode
JUMPS_ALLOWED = 0.01  # share of rows; some published sets miss a few timeouts


@dataclass(frozen=True)
class Expected:
    """What the data must fit; None where the data themselves decide."""

    obs_dim: int | None
    act_dim: int | None
    act_low: float
    act_high: float
    max_episode_steps: int | None


@dataclass(frozen=True)
class Raw:
    """N transitions: observations [N, obs], actions [N, act], rewards [N] float32; terminals and
    timeouts [N] bool; next_observations [N, obs] float32 where the file has them."""

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminals: np.ndarray
    timeouts: np.ndarray
    next_observations: np.ndarray | None


def check(fields: Mapping[str, Any], expected: Expected, where: str, clip_actions: bool = False) -> Raw:
    """Turn a file's arrays into `Raw`.

    Args:
        fields: observations, actions, rewards, terminals; timeouts and next_observations if there.
        where: file or data set, for messages.
        clip_actions: clip actions to their limits instead of refusing them.

    Raises:
        KdpError: names `where`, the field, what was found and what was expected.
    """
    for name in REQUIRED:
        if name not in fields:
            raise KdpError(
                f"{where}: field '{name}' is missing (there: {', '.join(sorted(fields))}); "
                f"expected {', '.join(REQUIRED)} and timeouts"
            )
    count = len(fields["rewards"])
    if count == 0:
        raise KdpError(f"{where}: field 'rewards' is empty; expected one row a transition")
    following = None
    if "next_observations" in fields:
        following = _matrix(fields, "next_observations", count, expected.obs_dim, where)
    raw = Raw(
        _matrix(fields, "observations", count, expected.obs_dim, where),
        _actions(fields, count, expected, where, clip_actions),
        _finite(_numbers(fields, "rewards", where).reshape(-1), "rewards", where),
        _flags(fields, "terminals", count, where),
        _flags(fields, "timeouts", count, where) if "timeouts" in fields else np.zeros(count, bool),
        following,
    )
    if following is not None and following.shape != raw.observations.shape:
        raise KdpError(
            f"{where}: field 'next_observations' has shape {following.shape}, expected "
            f"{raw.observations.shape} as observations"
        )
    return raw


def _numbers(fields: Mapping[str, Any], name: str, where: str) -> np.ndarray:
    array = np.asarray(fields[name])
    if not np.issubdtype(array.dtype, np.floating):
        raise KdpError(f"{where}: field '{name}' has dtype {array.dtype}, expected float32 or float64")
    return array.astype(np.float32)


def _finite(array: np.ndarray, name: str, where: str) -> np.ndarray:
    bad = ~np.isfinite(array.reshape(len(array), -1)).all(1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise KdpError(
            f"{where}: field '{name}' holds NaN or infinity in {int(bad.sum())} rows, the first is row "
            f"{row}; expected finite numbers: repair or drop those episodes"
        )
    return array


def _matrix(fields: Mapping[str, Any], name: str, count: int, columns: int | None, where: str) -> np.ndarray:
    array = _numbers(fields, name, where)
    wanted = f"[{count}, {'n' if columns is None else columns}]"
    if array.ndim != 2 or len(array) != count or (columns is not None and array.shape[1] != columns):
        raise KdpError(
            f"{where}: field '{name}' has shape {list(array.shape)}, expected {wanted} "
            "(one row a reward, the task's columns); is it data of another task?"
        )
    return _finite(array, name, where)


def _actions(
    fields: Mapping[str, Any], count: int, expected: Expected, where: str, clip_actions: bool
) -> np.ndarray:
    actions = _matrix(fields, "actions", count, expected.act_dim, where)
    low, high = expected.act_low, expected.act_high
    outside = ((actions < low - RANGE_SLACK) | (actions > high + RANGE_SLACK)).any(1)
    if outside.any() and not clip_actions:
        raise KdpError(
            f"{where}: field 'actions' ranges from {actions.min():.4g} to {actions.max():.4g}, expected "
            f"{low:g} to {high:g}; {int(outside.sum())} rows lie outside, the first is row "
            f"{int(np.flatnonzero(outside)[0])}: rescale them, or clip with --clip-actions"
        )
    return np.clip(actions, low, high)


def _flags(fields: Mapping[str, Any], name: str, count: int, where: str) -> np.ndarray:
    array = np.asarray(fields[name]).reshape(-1)
    if len(array) != count:
        raise KdpError(f"{where}: field '{name}' has {len(array)} rows, expected {count} as rewards")
    if not np.isin(np.unique(array), (0, 1)).all():
        raise KdpError(
            f"{where}: field '{name}' holds values other than 0 and 1 (for example "
            f"{array[~np.isin(array, (0, 1))][0]}); expected true at the last transition of an episode"
        )
    return array.astype(bool)


def episodes_of(raw: Raw, expected: Expected, where: str) -> tuple[list[Episode], list[str]]:
    """Cut transitions into episodes at terminals and timeouts; notes say what was done to the data.

    Without next_observations the last transition of a truncated episode has no successor and is
    dropped; after a terminal the successor is never used, so the state itself stands for it.
    """
    ends = raw.terminals | raw.timeouts
    if not ends.any():
        raise KdpError(
            f"{where}: fields 'terminals' and 'timeouts' mark no episode end in {len(ends)} transitions; "
            "expected true at the last transition of each episode (timeouts: cut by a time limit)"
        )
    notes = []
    jumps = _jumps(raw, ends)
    if len(jumps) > JUMPS_ALLOWED * len(ends):
        raise KdpError(
            f"{where}: field 'next_observations' differs from the next row of 'observations' within "
            f"an episode at {len(jumps)} rows, the first is row {jumps[0]}; mark the ends in timeouts"
        )
    if len(jumps):
        notes.append(f"{len(jumps)} unmarked episode ends found where next_observations jump")
    ends[jumps] = True
    whole = ends.copy()
    ends[-1] = True
    stops = np.flatnonzero(ends) + 1
    starts = np.concatenate([[0], stops[:-1]])
    _check_lengths(stops - starts, starts, expected, where)
    cut = [
        _episode(raw, a, b, bool(whole[b - 1])) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)
    ]
    episodes = [episode for episode in cut if episode is not None]
    dropped = len(raw.rewards) - sum(len(e.rewards) for e in episodes)
    if dropped:
        notes.append(f"{dropped} transitions without a successor dropped at time limits")
    return episodes, notes


def _jumps(raw: Raw, ends: np.ndarray) -> np.ndarray:
    """Rows whose successor is not the next row although no end is marked."""
    if raw.next_observations is None or len(ends) < 2:
        return np.zeros(0, int)
    spread = raw.observations.std(0) + 1e-6
    gap = np.abs(raw.next_observations[:-1] - raw.observations[1:]) / spread
    return np.flatnonzero((gap > JUMP).any(1) & ~ends[:-1])


def _check_lengths(lengths: np.ndarray, starts: np.ndarray, expected: Expected, where: str) -> None:
    limit = expected.max_episode_steps
    if limit is None or lengths.max() <= limit:
        return
    worst = int(lengths.argmax())
    raise KdpError(
        f"{where}: the episode that begins at row {starts[worst]} has {lengths[worst]} steps, the task ends "
        f"one after {limit}; fields 'terminals' and 'timeouts' do not mark its end"
    )


def _episode(raw: Raw, start: int, stop: int, complete: bool) -> Episode | None:
    terminated = bool(raw.terminals[stop - 1])
    observations = raw.observations[start:stop]
    if raw.next_observations is not None:
        observations = np.concatenate([observations, raw.next_observations[stop - 1 : stop]])
    elif terminated:
        observations = np.concatenate([observations, observations[-1:]])
    else:
        stop -= 1
    if stop == start:
        return None
    return Episode(observations, raw.actions[start:stop], raw.rewards[start:stop], terminated, complete)
