# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Parquet files through pyarrow: what their footers declare is checked before a column is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdp_edge.base.errors import KdpError, reason
from kdp_edge.data.hdf5 import check_declared, check_memory

if TYPE_CHECKING:
    import pyarrow

BYTES = 8  # that a number may take once it is read
DEPTH = 4  # of lists in each other


def damaged(path: Path, error: Exception, kind: str = "Parquet") -> KdpError:
    """What to say of a file that pyarrow cannot read."""
    return KdpError(f"{path}: not a readable {kind} file ({reason(error)}); download or export it again")


def footer(path: Path) -> tuple[pyarrow.Schema, dict[str, int]]:
    """Schema of a file, and how many numbers it declares for each column."""
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            counts: dict[str, int] = {}
            for group in range(file.metadata.num_row_groups):
                one = file.metadata.row_group(group)
                for column in range(one.num_columns):
                    leaf = one.column(column)
                    name = leaf.path_in_schema.partition(".list.")[0]
                    counts[name] = counts.get(name, 0) + leaf.num_values
            return file.schema_arrow, counts
    except Exception as error:  # Arrow answers damage with OSError and kinds of its own
        raise damaged(path, error) from None


def read(paths: Sequence[Path], columns: Sequence[str]) -> list[pyarrow.Table]:
    """The columns of each file; refused is more than the machine, or a file of that size, can hold."""
    import pyarrow.parquet

    total = 0
    for path in paths:
        counts = footer(path)[1]
        size = sum(BYTES * max(0, counts.get(name, 0)) for name in columns)
        check_declared(size, path.stat().st_size, path, "columns")
        total += size
    check_memory(total, paths[0].parent)
    tables = []
    for path in paths:
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                tables.append(file.read(columns=list(columns)))
        except Exception as error:
            raise damaged(path, error) from None
    return tables


def row_shape(kind: Any) -> tuple[tuple[int, ...] | None, np.dtype]:
    """Shape of a row and dtype of a column of that Arrow type; None where the type leaves the shape open."""
    import pyarrow

    shape: tuple[int, ...] | None = ()
    while isinstance(kind, pyarrow.BaseExtensionType):
        kind = kind.storage_type
    for _ in range(DEPTH):
        if pyarrow.types.is_fixed_size_list(kind):
            shape = None if shape is None else (*shape, kind.list_size)
        elif pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
            shape = None
        else:
            break
        kind = kind.value_type
    if pyarrow.types.is_boolean(kind):
        return shape, np.dtype(bool)
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
        return shape, np.dtype(kind.to_pandas_dtype())
    return shape, np.dtype(object)


def numbers(column: pyarrow.ChunkedArray, shape: tuple[int, ...], where: str) -> np.ndarray:
    """A column as [N, *shape]; rows without a value are NaN.

    Raises:
        KdpError: it holds no numbers, or rows of other shapes.
    """
    import pyarrow

    flat, rows, expected = column.combine_chunks(), len(column), list(shape)
    if isinstance(flat, pyarrow.ChunkedArray):  # several chunks remain where there is too much for one
        flat = pyarrow.concat_arrays(flat.chunks)
    count = rows
    for _ in range(DEPTH):
        if isinstance(flat, pyarrow.ExtensionArray):
            flat = flat.storage
        if not hasattr(flat, "flatten") or isinstance(flat, pyarrow.StructArray):
            break
        if flat.null_count:
            raise KdpError(f"{where}: {flat.null_count} rows hold nothing, expected {expected or 'a number'}")
        inner = flat.flatten()
        width = len(inner) // max(1, len(flat))
        if not pyarrow.types.is_fixed_size_list(flat.type):
            lengths = np.diff(flat.offsets.to_numpy())
            if len(lengths) and (lengths != lengths[0]).any():
                at = int(np.flatnonzero(lengths != lengths[0])[0])
                raise KdpError(
                    f"{where}: row {at} holds {lengths[at]} numbers, the rows before it {lengths[0]}; "
                    "expected one shape in all rows"
                )
        flat, count = inner, count * width
    kind = flat.type
    if not (
        pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind)
    ):
        raise KdpError(f"{where}: holds {kind}, expected numbers")
    if len(flat) != rows * int(np.prod(shape, dtype=np.int64)):
        found = len(flat) / max(1, rows)
        raise KdpError(f"{where}: rows of {found:g} numbers, expected shape {expected or 'of one number'}")
    values = np.asarray(flat.to_numpy(zero_copy_only=False))
    if values.dtype.kind not in "biuf":
        raise KdpError(f"{where}: {flat.null_count} rows hold nothing, expected {kind} in all")
    return values.reshape(rows, *shape)
