# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What is left of each signal once it is float32 and int8: notes that name the column and say what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdp_edge.window import FEW_LEVELS, float32_step, int8_levels

ROUNDING = 1e-3  # of a signal's standard deviation: an int8 step of one that spreads evenly is 0.014
EXACT = 2**24  # from here on float32 leaves out whole numbers


def column_name(field: str, column: int, names: Sequence[str]) -> str:
    """How notes call a column of a field: its number and its name; without one as imported data have it."""
    return "field 'rewards'" if field == "rewards" else f"field '{field}' {_column(field, column, names)}"


def _column(field: str, column: int, names: Sequence[str]) -> str:
    name = names[column] if column < len(names) else f"{field.removesuffix('s')}_{column}"
    return f"column {column} ({name})"


def blurred(field: str, values: np.ndarray, names: Sequence[str] = ()) -> list[str]:
    """A note for each column of floats [N, columns] whose values float32 does not tell apart.

    That is where its rounding is above `ROUNDING` of the signal's standard deviation, as for seconds since
    1970 or for kilometres that move by micrometres, or where whole numbers above 2^24 change. What does not
    move by more than the rounding of its own type is constant, and not meant.
    """
    values = (
        values.astype(np.float64, copy=False) if values.dtype.itemsize >= 4 else values.astype(np.float64)
    )
    if not np.isfinite(values).all():
        return []  # refused by name later
    step = float32_step(values)
    spread = values.std(0)
    own = np.finfo(np.float64).eps * np.abs(values).max(0)
    notes = []
    for column in range(values.shape[1]):
        whole = _whole_numbers_change(values[:, column])
        rounding = step[column] / 12**0.5
        if spread[column] > 16 * own[column] and (rounding > ROUNDING * spread[column] or whole):
            there = len(np.unique(values[:, column]))
            left = len(np.unique(values[:, column].astype(np.float32)))
            notes.append(
                f"{column_name(field, column, names)}: float32 tells {left} of {there} values apart, "
                f"its steps are {step[column]:.3g} there, the signal spreads by {spread[column]:.3g}; "
                "subtract a constant offset before the import, or leave the signal out"
            )
    return notes


def _whole_numbers_change(values: np.ndarray) -> bool:
    return bool(
        np.abs(values).max() > EXACT
        and (values == np.rint(values)).all()
        and (values.astype(np.float32) != values).any()
    )


def glitched(field: str, values: np.ndarray, names: Sequence[str] = ()) -> list[str]:
    """A note for each column [N, columns] whose few extreme rows take the int8 levels of all others."""
    notes, levels = [], int8_levels(values)
    for column in np.flatnonzero(levels < FEW_LEVELS).tolist():
        signal = values[:, column].astype(np.float64)
        row = int(np.abs(signal - signal.mean()).argmax())
        low, high = np.percentile(signal, (1, 99))
        notes.append(
            f"{column_name(field, column, names)}: 98 % of the data, {low:.4g} to {high:.4g}, use "
            f"{levels[column]} of 255 int8 levels, because row {row} holds {signal[row]:.4g}; drop or repair "
            "such rows if they are glitches"
        )
    return notes


def still(field: str, values: np.ndarray, names: Sequence[str] = ()) -> list[str]:
    """A note that names the columns [N, columns] that never move; none for fewer than 2 rows."""
    if len(values) < 2:
        return []
    columns = np.flatnonzero(values.min(0) == values.max(0))
    if len(columns) == 0:
        return []
    found = []
    for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):  # an Ant has 24 in four runs
        ends = dict.fromkeys((int(run[0]), int(run[-1])))
        found.append(" to ".join(_column(field, column, names) for column in ends))
    return [f"never moves: field '{field}' {', '.join(found)}"]
