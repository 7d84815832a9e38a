# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Which layout a path has, and its reader: the one table of formats."""

from __future__ import annotations

from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown
from kdp_edge.data import hdf5
from kdp_edge.data.formats.found import Choice, Found
from kdp_edge.data.formats.tables import ENDINGS, table_files
from kdp_edge.data.raw import Expected

FORMATS = ("d4rl", "minari", "lerobot", "robomimic", "ogbench", "zarr", "maniskill", "csv", "parquet")
AUTO = "auto"
TABLES = ("csv", "parquet")


def check_format(name: str) -> None:
    """Raise `KdpError` for a format that nobody knows."""
    if name != AUTO and name not in FORMATS:
        raise unknown("format", name, (AUTO, *FORMATS))


def detect(path: Path) -> str | None:
    """The format of what lies at `path`, by names and by what HDF5 files hold; None if nothing is there."""
    from kdp_edge.data.formats.lerobot import is_lerobot
    from kdp_edge.data.formats.zarr_buffer import is_zarr

    if is_lerobot(path):
        return "lerobot"
    if is_zarr(path):
        return "zarr"
    if path.is_dir():
        if any((folder / "metadata.json").is_file() for folder in (path, path / "data")):
            return "minari"
        return next((kind for kind in TABLES if table_files(path, kind)), None)
    if path.suffix.lower() == ".npz" and path.is_file():
        return "ogbench"
    kind = ENDINGS.get(path.suffix.lower())
    return kind if kind and table_files(path, kind) else _hdf5_or_none(path)


def _hdf5_or_none(path: Path) -> str | None:
    """Which of the HDF5 layouts a file has; D4RL's where it is none of the others, and says so when read."""
    from kdp_edge.data.formats.maniskill import is_maniskill
    from kdp_edge.data.formats.robomimic import is_robomimic

    if not path.is_file():
        return None
    with hdf5.opened(path) as file:
        if is_robomimic(file):
            return "robomimic"
        return "maniskill" if is_maniskill(file) else "d4rl"


def read_path(
    path: Path, kind: str, choice: Choice, expected: Expected | None = None, rate_hz: float | None = None
) -> Found:
    """Read what lies at `path` as the format `kind`.

    Args:
        expected: what a file of D4RL's layout must fit, by its headers.
        rate_hz: the rate that the user states.

    Raises:
        KdpError: names the file, the field or row, what was found and what was expected.
    """
    if kind in TABLES:
        from kdp_edge.data.formats.tables import read_tables

        files = table_files(path, kind)
        if not files:
            raise KdpError(
                f"{path}: no {kind} file is there; give a file, a folder, or a pattern like 'logs/*.{kind}'"
            )
        return read_tables(files, kind, choice, rate_hz)
    if not path.exists():
        raise KdpError(f"{path}: no such file or folder")
    if kind == "lerobot":
        from kdp_edge.data.formats.lerobot import read_lerobot

        return read_lerobot(path, choice)
    if kind == "zarr":
        from kdp_edge.data.formats.zarr_buffer import read_zarr

        return read_zarr(path, choice)
    if path.is_dir():
        raise KdpError(f"{path}: a folder, expected a file of the format {kind}")
    return _read_file(path, kind, choice, expected)


def _read_file(path: Path, kind: str, choice: Choice, expected: Expected | None) -> Found:
    if kind == "ogbench":
        from kdp_edge.data.formats.ogbench import read_ogbench

        return read_ogbench(path, choice)
    if kind == "robomimic":
        from kdp_edge.data.formats.robomimic import read_robomimic

        return read_robomimic(path, choice)
    if kind == "maniskill":
        from kdp_edge.data.formats.maniskill import read_maniskill

        return read_maniskill(path, choice)
    from kdp_edge.data.formats.d4rl import read_hdf5

    return read_hdf5(path, expected=expected, choice=choice)
