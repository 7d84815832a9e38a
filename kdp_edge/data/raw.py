# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Transitions as a file gives them, the checks that name the field at fault, and episodes from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data.episode import Episode
from kdp_edge.data.joins import Joins, find_joins
from kdp_edge.data.signals import blurred, glitched, still

REQUIRED = ("observations", "actions", "rewards", "terminals")
SUCCESS = "success"
KNOWN = (*REQUIRED, "timeouts", "next_observations", SUCCESS)
RANGE_SLACK = 1e-4  # of half the range: rounding of a tanh; more than that is another unit or another robot
JUMPS_ALLOWED = 0.01  # share of rows; some published sets miss a few timeouts


@dataclass(frozen=True)
class Expected:
    """What the data must fit; None where the data themselves decide."""

    obs_dim: int | None
    act_dim: int | None
    act_low: np.ndarray | np.float32  # of each action, or of all
    act_high: np.ndarray | np.float32
    max_episode_steps: int | None
    range_options: str = ""  # what gives the range of the actions, where a user can
    obs_names: tuple[str, ...] = ()
    act_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Raw:
    """N transitions: observations [N, obs], actions [N, act], rewards [N] float32; terminals and
    timeouts [N] bool; next_observations [N, obs] float32 where the file has them. notes: what float32
    cannot hold of them."""

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminals: np.ndarray
    timeouts: np.ndarray
    next_observations: np.ndarray | None
    notes: tuple[str, ...] = ()
    success: np.ndarray | None = None  # bool [N], where the file says it: the episode has succeeded


def check(fields: Mapping[str, Any], expected: Expected, where: str, clip_actions: bool = False) -> Raw:
    """Turn a file's arrays into `Raw`.

    Args:
        fields: observations, actions, rewards, terminals; timeouts and next_observations if there.
        where: file or data set, for messages.
        clip_actions: clip actions to their limits instead of refusing them.

    Raises:
        KdpError: names `where`, the field, what was found and what was expected.
    """
    arrays = {name: np.asarray(fields[name]) for name in KNOWN if name in fields}
    count = check_shapes({name: array.shape for name, array in arrays.items()}, where, expected)
    notes = [
        *blurred("observations", arrays["observations"], expected.obs_names),
        *blurred("actions", arrays["actions"], expected.act_names),
        *blurred("rewards", arrays["rewards"].reshape(-1, 1)),
    ]
    following = None
    if "next_observations" in arrays:
        following = _floats(arrays, "next_observations", where)
    return Raw(
        _floats(arrays, "observations", where),
        _actions(arrays, expected, where, clip_actions),
        _rewards(arrays, where),
        _flags(arrays, "terminals", where),
        _flags(arrays, "timeouts", where) if "timeouts" in arrays else np.zeros(count, bool),
        following,
        tuple(notes),
        _flags(arrays, SUCCESS, where) if SUCCESS in arrays else None,
    )


def check_shapes(shapes: Mapping[str, tuple[int, ...]], where: str, expected: Expected | None = None) -> int:
    """Number of transitions N of a file, from the shapes of its fields alone.

    Rewards and flags are [N] or [N, 1], matrices [N, columns] with as many columns as `expected` has.

    Raises:
        KdpError: a field is missing, empty or of another shape.
    """
    for name in REQUIRED:
        if name not in shapes:
            raise KdpError(
                f"{where}: field '{name}' is missing (there: {', '.join(sorted(shapes))}); "
                f"expected {', '.join(REQUIRED)} and timeouts"
            )
    if len(shapes["rewards"]) == 0:
        raise KdpError(f"{where}: field 'rewards' is a scalar, expected [N], one row a transition")
    count = shapes["rewards"][0]
    if count == 0:
        raise KdpError(f"{where}: field 'rewards' is empty; expected one row a transition")
    _check_vector(shapes, "rewards", count, where)
    for name in ("next_observations", "observations", "actions"):
        if name in shapes:
            _check_matrix(shapes, name, count, expected, where)
    for name in ("terminals", "timeouts", SUCCESS):
        _check_vector(shapes, name, count, where)
    return count


def _check_vector(shapes: Mapping[str, tuple[int, ...]], name: str, count: int, where: str) -> None:
    shape = shapes.get(name, (count,))
    if shape in ((count,), (count, 1)):
        return
    hint = "one number a transition"
    if name == "rewards" and len(shape) > 1:
        hint = "one number a transition: add up the parts of a reward, or choose one"
    raise KdpError(f"{where}: field '{name}' has shape {list(shape)}, expected [{count}], {hint}")


def _check_matrix(
    shapes: Mapping[str, tuple[int, ...]], name: str, count: int, expected: Expected | None, where: str
) -> None:
    shape, columns = shapes[name], None
    if expected is not None:
        columns = expected.act_dim if name == "actions" else expected.obs_dim
    if expected is not None and columns is None and name == "next_observations":
        columns = (shapes["observations"] + (None, None))[1]
    wanted = f"[{count}, {'n' if columns is None else columns}]"
    if len(shape) != 2 or shape[0] != count or shape[1] == 0 or (columns is not None and shape[1] != columns):
        raise KdpError(
            f"{where}: field '{name}' has shape {list(shape)}, expected {wanted} "
            "(one row a reward, the task's columns); is it data of another task?"
        )


def _floats(arrays: Mapping[str, np.ndarray], name: str, where: str) -> np.ndarray:
    """A field of floats as float32, the same shape."""
    array = arrays[name]
    if array.dtype.kind != "f":
        raise KdpError(f"{where}: field '{name}' has dtype {array.dtype}, expected float32 or float64")
    return _finite(_float32(array), name, where)


def _float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused with its row
        return array.astype(np.float32)


def _rewards(arrays: Mapping[str, np.ndarray], where: str) -> np.ndarray:
    """Rewards as float32 [N]; integers and booleans are numbers as well."""
    array = arrays["rewards"]
    if array.dtype.kind not in "fiub":
        raise KdpError(f"{where}: field 'rewards' has dtype {array.dtype}, expected numbers")
    return _finite(_float32(array.reshape(-1)), "rewards", where)


def _finite(array: np.ndarray, name: str, where: str) -> np.ndarray:
    bad = ~np.isfinite(array.reshape(len(array), -1)).all(1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise KdpError(
            f"{where}: field '{name}' holds NaN or infinity in {int(bad.sum())} rows, the first is row "
            f"{row}; expected finite numbers: repair or drop those episodes"
        )
    return array


def _actions(
    arrays: Mapping[str, np.ndarray], expected: Expected, where: str, clip_actions: bool
) -> np.ndarray:
    actions = _floats(arrays, "actions", where)
    low, high = expected.act_low, expected.act_high
    slack = RANGE_SLACK * (high - low) / 2
    strange = (actions < low - slack) | (actions > high + slack)
    outside = strange.any(1)
    if outside.any() and not clip_actions:
        own = f"give their range with {expected.range_options}, " if expected.range_options else ""
        column = int(np.flatnonzero(strange.any(0))[0])
        least, most = (np.broadcast_to(bound, actions.shape[1])[column] for bound in (low, high))
        name = f" ({expected.act_names[column]})" if expected.act_names and np.ndim(low) else ""
        raise KdpError(
            f"{where}: field 'actions'{name} ranges from {actions[:, column].min():.4g} to "
            f"{actions[:, column].max():.4g}, expected {least:g} to {most:g}; {int(outside.sum())} rows lie "
            f"outside, the first is row {int(np.flatnonzero(outside)[0])}: {own}rescale them, or clip with "
            "--clip-actions"
        )
    return np.clip(actions, low, high)


def _flags(arrays: Mapping[str, np.ndarray], name: str, where: str) -> np.ndarray:
    array = arrays[name].reshape(-1)
    if array.dtype.kind not in "fiub":
        raise KdpError(f"{where}: field '{name}' has dtype {array.dtype}, expected booleans")
    strange = (array != 0) & (array != 1)
    if strange.any():
        raise KdpError(
            f"{where}: field '{name}' holds values other than 0 and 1 (for example "
            f"{array[strange][0]}); expected true at the last transition of an episode"
        )
    return array.astype(bool)


def episodes_of(raw: Raw, expected: Expected, where: str) -> tuple[list[Episode], list[str]]:
    """Cut transitions into episodes at terminals and timeouts; notes say what was done to the data.

    Without next_observations the last transition of a truncated episode has no successor and is
    dropped; after a terminal the successor is never used, so the state itself stands for it. So it is
    where next_observations are those of the next episode.

    Raises:
        KdpError: no end is marked, the ends lie one row beside those of the data, too many are missing, an
            episode is longer than its task's, or no transition is left.
    """
    ends = raw.terminals | raw.timeouts
    if not ends.any():
        raise KdpError(
            f"{where}: fields 'terminals' and 'timeouts' mark no episode end in {len(ends)} transitions; "
            "expected true at the last transition of each episode (timeouts: cut by a time limit)"
        )
    joins = find_joins(raw.observations, raw.actions, raw.next_observations, ends)
    _check_flags(joins, ends, where)
    notes: list[str] = []
    ends, whole = _found_ends(joins, ends, where, notes)
    known = _known_successors(raw, joins, ends, notes)
    stops = np.flatnonzero(ends) + 1
    starts = np.concatenate([[0], stops[:-1]])
    _check_lengths(stops - starts, starts, expected, where)
    cut = [
        _episode(raw, a, b, bool(known[b - 1]), bool(whole[b - 1]))
        for a, b in zip(starts.tolist(), stops.tolist(), strict=True)
    ]
    episodes = [episode for episode in cut if episode is not None]
    if not episodes:
        raise KdpError(
            f"{where}: no transition is left: fields 'terminals' and 'timeouts' end an episode at every row, "
            "and no row has a successor; expected true at the last transition of each episode only"
        )
    dropped = len(raw.rewards) - sum(len(e.rewards) for e in episodes)
    if dropped:
        notes.append(f"{dropped} transitions without a successor dropped at time limits")
    notes += [*raw.notes, *still("observations", raw.observations, expected.obs_names)]
    return episodes, [*notes, *glitched("observations", raw.observations, expected.obs_names)]


def _check_flags(joins: Joins, ends: np.ndarray, where: str) -> None:
    """Refuse flags that lie one row beside the place where the data jump."""
    for shifted, found, direction in (
        (joins.late(ends), "late: they mark the first row of the next episode", "earlier"),
        (joins.early(ends), "early: the row after a marked one still belongs to its episode", "later"),
    ):
        if shifted:
            raise KdpError(
                f"{where}: fields 'terminals' and 'timeouts' are one row {found} (the first is row "
                f"{int(np.flatnonzero(ends)[0])}, by where the observations jump); expected true at the last "
                f"transition of each episode: move them one row {direction}"
            )


def _found_ends(
    joins: Joins, ends: np.ndarray, where: str, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Ends with those that no flag marks and the last row, and which of them end a whole episode."""
    jumps = np.flatnonzero(joins.gap & ~ends[:-1])
    if len(jumps) > JUMPS_ALLOWED * len(ends):
        raise KdpError(
            f"{where}: field 'next_observations' differs from the next row of 'observations' within "
            f"an episode at {len(jumps)} rows, the first is row {jumps[0]}; mark the ends in timeouts"
        )
    if len(jumps):
        notes.append(f"{len(jumps)} unmarked episode ends found where next_observations jump")
    unmarked = joins.unmarked(ends)
    if len(unmarked):
        notes.append(
            f"{len(unmarked)} steps jump far outside an episode's own steps, the first from row "
            f"{unmarked[0]} to the next: taken as ends of episodes that 'terminals' and 'timeouts' lack"
        )
    whole = ends.copy()
    whole[jumps] = whole[unmarked] = True
    found = whole.copy()
    found[-1] = True
    return found, whole


def _known_successors(raw: Raw, joins: Joins, ends: np.ndarray, notes: list[str]) -> np.ndarray:
    """Rows [N] whose successor the file gives, but for those that are the next episode's first row."""
    if raw.next_observations is None:
        return np.zeros(len(ends), bool)
    known = np.ones(len(ends), bool)
    foreign = joins.of_next(ends)
    if len(foreign):
        known[foreign] = False
        notes.append(
            f"field 'next_observations' of {len(foreign)} rows at an episode's end, the first is row "
            f"{foreign[0]}, is the first observation of the next episode: these successors are not used"
        )
    return known


def _check_lengths(lengths: np.ndarray, starts: np.ndarray, expected: Expected, where: str) -> None:
    limit = expected.max_episode_steps
    if limit is None or lengths.max() <= limit:
        return
    worst = int(lengths.argmax())
    raise KdpError(
        f"{where}: the episode that begins at row {starts[worst]} has {lengths[worst]} steps, the task ends "
        f"one after {limit}; fields 'terminals' and 'timeouts' do not mark its end"
    )


def _episode(raw: Raw, start: int, stop: int, known: bool, complete: bool) -> Episode | None:
    """Rows start..stop - 1; `known`: the file gives the last one's successor."""
    terminated = bool(raw.terminals[stop - 1])
    success = None if raw.success is None else bool(raw.success[start:stop].any())
    observations = raw.observations[start:stop]
    if raw.next_observations is not None and known:
        observations = np.concatenate([observations, raw.next_observations[stop - 1 : stop]])
    elif terminated:
        observations = np.concatenate([observations, observations[-1:]])
    else:
        stop -= 1
    if stop == start:
        return None
    rows = slice(start, stop)
    return Episode(observations, raw.actions[rows], raw.rewards[rows], terminated, complete, success)
