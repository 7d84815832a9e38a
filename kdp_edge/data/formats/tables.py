# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""CSV and Parquet logs of a robot: one row a step, columns chosen by name, one file or several.

A file is an episode unless `--episode` names the column that tells episodes apart. `--time` names the column
of time stamps: they give the rate, and rows that are missing or out of order.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import hint
from kdp_edge.data.formats import parquet
from kdp_edge.data.formats.columns import Column, left_out, listed, one, pick
from kdp_edge.data.formats.episodes import locator, rate_of
from kdp_edge.data.formats.found import Choice, Found, flat
from kdp_edge.data.hdf5 import check_memory

if TYPE_CHECKING:
    import pyarrow

ENDINGS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
DELIMITERS = ",;\t"
HEADER = 1 << 20  # bytes of a first line
NUMBER = re.compile(r"(\d+)")


def table_files(path: Path, kind: str) -> list[Path]:
    """The files at `path` (a file, a folder or a pattern such as logs/*.csv), log_2 before log_10."""
    if path.is_dir():
        found = [file for file in path.iterdir() if ENDINGS.get(file.suffix.lower()) == kind]
    elif path.is_file():
        found = [path]
    else:
        found = [file for file in path.parent.glob(path.name) if file.is_file()] if path.name else []
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    return [(p.isdigit(), int(p) if p.isdigit() else 0, p) for p in NUMBER.split(path.name)]


def read_tables(files: Sequence[Path], kind: str, choice: Choice, rate_hz: float | None) -> Found:
    """The chosen columns of all files as one log.

    Raises:
        KdpError: a column is not chosen, not there or no number; rows are out of order or missing.
    """
    where = str(files[0]) if len(files) == 1 else str(files[0].parent)
    schemas = [_csv_columns(file) if kind == "csv" else _parquet_columns(file) for file in files]
    there = schemas[0]
    if not choice.observations or not choice.actions:
        raise KdpError(
            f"{where}: which columns are sensors, which are commands? give --observations A,B,… and "
            f"--actions C,…; there: {listed(there)}"
        )
    observations = pick("--observations", choice.observations, there, where)
    actions = pick("--actions", choice.actions, there, where)
    reward = one("--reward", choice.reward, there, where) if choice.reward else ""
    keys = [*observations.keys, *actions.keys, *((reward,) if reward else ())]
    others = [_known("--" + name, getattr(choice, name), there, where) for name in ("episode", "time")]
    wanted = list(dict.fromkeys([*keys, *(key for key in others if key)]))
    _check_same(files, schemas, wanted)
    floats = list(dict.fromkeys(keys))
    tables = (
        [_read_csv(file, wanted, floats) for file in files] if kind == "csv" else parquet.read(files, wanted)
    )
    place = _places(files, [table.num_rows for table in tables], kind)
    columns = {key: _floats(tables, files, key, there[key].shape) for key in floats}
    ends = _ends(tables, choice.episode, place)
    rate = rate_hz
    if choice.time:
        rate = rate_of(_times(tables, files, choice.time), ends, rate_hz, place, choice.time)
    rewards = columns[reward].reshape(-1) if reward else None
    fields = flat(observations.matrix(columns), actions.matrix(columns), rewards, ends, choice.ends)
    layout = {"csv": "CSV", "parquet": "Parquet"}[kind] + (
        f" of {len(files)} files" if len(files) > 1 else ""
    )
    notes = left_out(there, wanted)
    if not choice.episode and len(files) == 1:
        notes.append("one file is one episode; --episode COLUMN tells several apart")
    if rate is None:
        raise KdpError(f"{where}: how many steps a second? give --time COLUMN, or --rate-hz")
    return Found(
        layout,
        fields,
        observations.names,
        actions.names,
        rate_hz or rate,
        has_rewards=bool(reward),
        notes=tuple(notes),
    )


def _csv_columns(path: Path) -> dict[str, Column]:
    """Names in the first line of a CSV file; all of them may hold numbers."""
    names = _header(path)[0]
    return {name: Column((), np.dtype(float)) for name in names}


def _header(path: Path) -> tuple[list[str], str]:
    """Names of the columns and what stands between them: the likeliest of comma, semicolon and tab."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            line = file.readline(HEADER)
    except UnicodeDecodeError as error:
        raise KdpError(f"{path}: not text in UTF-8 ({error.reason}); export it as CSV again") from None
    if len(line) >= HEADER or "\0" in line or not line.strip():
        raise KdpError(f"{path}: the first line holds no names of columns; export it as CSV with a header")
    between = max(DELIMITERS, key=line.count)
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=between))]
    except csv.Error as error:
        raise KdpError(f"{path}: the first line is no CSV ({error}); export it again") from None
    if all(_is_number(name) for name in names):
        raise KdpError(
            f"{path}: the first line holds numbers, expected the names of the columns; write them there"
        )
    if len(twice := [name for name in names if names.count(name) > 1]):
        raise KdpError(f"{path}: two columns are called '{twice[0]}'; name each once")
    return names, between


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_csv(path: Path, wanted: Sequence[str], floats: Sequence[str]) -> pyarrow.Table:
    import pyarrow
    import pyarrow.csv

    names, between = _header(path)
    check_memory(parquet.BYTES * path.stat().st_size // 2, path)  # a number takes two letters or more
    try:
        return pyarrow.csv.read_csv(
            path,
            pyarrow.csv.ReadOptions(column_names=names, skip_rows=1),
            pyarrow.csv.ParseOptions(delimiter=between),
            pyarrow.csv.ConvertOptions(
                include_columns=list(wanted), column_types=dict.fromkeys(floats, pyarrow.float64())
            ),
        )
    except Exception as error:  # Arrow says which row and column
        raise parquet.damaged(path, error, "CSV") from None


def _parquet_columns(path: Path) -> dict[str, Column]:
    """The columns of a Parquet file; of lists the first row tells how long they are."""
    schema, counts = parquet.footer(path)
    rows = max(1, max((counts[name] for name in schema.names if name in counts), default=1))
    rows = min((counts[name] for name in schema.names if name in counts), default=rows) or rows
    there = {}
    for field in schema:
        shape, dtype = parquet.row_shape(field.type)
        if shape is None:
            shape = (counts.get(field.name, 0) // rows,)
        there[field.name] = Column(shape, dtype)
    return there


def _known(option: str, name: str, there: dict[str, Column], where: str) -> str:
    if name and name not in there:
        raise KdpError(f"{where}: no column '{name}' ({option}): {hint(name, there)}there: {listed(there)}")
    return name


def _check_same(files: Sequence[Path], schemas: Sequence[dict[str, Column]], wanted: Sequence[str]) -> None:
    for file, schema in zip(files, schemas, strict=True):
        for name in wanted:
            if name not in schema:
                raise KdpError(
                    f"{file}: no column '{name}': {hint(name, schema)}there: {listed(schema)}; "
                    f"{files[0].name} has it"
                )


def _floats(
    tables: Sequence[pyarrow.Table], files: Sequence[Path], key: str, shape: tuple[int, ...]
) -> np.ndarray:
    """A column of all files as float64 [N, *shape]; whole numbers and flags are numbers too."""
    parts = [
        parquet.numbers(table[key], shape, f"{file}: column '{key}'").astype(np.float64)
        for table, file in zip(tables, files, strict=True)
    ]
    return np.concatenate(parts)


def _times(tables: Sequence[pyarrow.Table], files: Sequence[Path], key: str) -> np.ndarray:
    """Time stamps as float64 [N]: numbers as they are, dates in seconds since the first."""
    import pyarrow

    kind = tables[0][key].type
    if not pyarrow.types.is_timestamp(kind):
        return _floats(tables, files, key, ())
    dates = [table[key].cast(pyarrow.timestamp("ns", tz=kind.tz)).cast(pyarrow.int64()) for table in tables]
    where = f"{files[0]}: column '{key}'"
    numbers = np.concatenate([parquet.numbers(one_file, (), where) for one_file in dates])
    return np.asarray((numbers - numbers[0]) / 1e9, np.float64)


def _ends(tables: Sequence[pyarrow.Table], column: str, place: Callable[[int], str]) -> np.ndarray:
    """Bool [N]: the last row of each episode: where the column changes, or each file's last row."""
    rows = [table.num_rows for table in tables]
    if sum(rows) == 0:
        raise KdpError(f"{place(0)}: no row; record something first")
    if not column:
        ends = np.zeros(sum(rows), bool)
        ends[np.cumsum([count for count in rows if count]) - 1] = True
        return ends
    import pyarrow

    kinds = {str(table[column].type) for table in tables if table.num_rows}
    if len(kinds) > 1 or pyarrow.types.is_nested(tables[0][column].type):
        raise KdpError(
            f"{place(0)}: column '{column}' holds {', '.join(sorted(kinds))}; expected numbers or names"
        )
    chunks = [chunk for table in tables if table.num_rows for chunk in table[column].chunks]
    named = pyarrow.concat_arrays(chunks)
    if named.null_count:
        raise KdpError(
            f"{place(0)}: column '{column}' is empty in {named.null_count} rows; expected an episode"
        )
    codes = named.dictionary_encode()
    index = codes.indices.to_numpy(zero_copy_only=False)
    changes = np.flatnonzero(np.diff(index)) + 1
    seen = {int(index[0])}
    for row in changes.tolist():
        if int(index[row]) in seen:
            name = codes.dictionary[int(index[row])].as_py()
            raise KdpError(
                f"{place(row)}: episode {name!s:.40} of column '{column}' comes again after others; sort "
                "the rows, number the episodes through, or leave --episode out (one file, one episode)"
            )
        seen.add(int(index[row]))
    ends = np.zeros(len(index), bool)
    ends[[*(changes - 1).tolist(), len(index) - 1]] = True
    return ends


def _places(files: Sequence[Path], rows: Sequence[int], kind: str) -> Callable[[int], str]:
    """Names the file and row, or line, of a row of the log."""
    located = locator(rows)

    def place(row: int) -> str:
        file, local = located(row)
        return f"{files[file]}: line {local + 2}" if kind == "csv" else f"{files[file]}: row {local}"

    return place
