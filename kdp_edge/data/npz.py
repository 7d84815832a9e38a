# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""NumPy archives that may be damaged: every array read, or one exception."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import reason

LARGEST = 4 << 30  # bytes of all arrays of an archive: more is no archive of ours
SLACK = 1 << 16  # bytes that an array's header may take


class DamagedArchive(ValueError):
    """What a file is that NumPy cannot read as an archive of arrays, and why."""


def npz_headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and dtype of each array of an .npz file, from their headers alone.

    Raises:
        DamagedArchive: cut, changed, no archive, or an array declares another size than its entry has.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {}
            for part in archive.infolist():
                if not part.filename.endswith(".npy"):
                    continue
                with archive.open(part) as file:
                    version = np.lib.format.read_magic(file)
                    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                        version, np.lib.format.read_array_header_2_0
                    )
                    shape, _, dtype = read(file)
                size = prod(shape) * dtype.itemsize
                if not dtype.hasobject and not size <= part.file_size <= size + SLACK:
                    raise DamagedArchive(
                        f"array '{part.filename[:-4]}' declares {list(shape)} of {dtype}, {size:,} bytes, "
                        f"but {part.file_size:,} are there"
                    )
                headers[part.filename[:-4]] = (shape, dtype)
            return headers
    except DamagedArchive:
        raise
    except Exception as error:  # zipfile, zlib and NumPy's header parser raise a dozen kinds
        raise DamagedArchive(reason(error)) from None


def read_npz(path: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """All arrays of an .npz file, or those called `names`, whole and without pickles.

    Raises:
        DamagedArchive: cut, changed, no archive, or its arrays are larger than they can be.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = [part for part in archive.infolist() if names is None or part.filename[:-4] in names]
            if (size := sum(part.file_size for part in parts)) > LARGEST:
                raise DamagedArchive(f"its arrays take {size:,} bytes, expected at most {LARGEST:,}")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in (arrays.files if names is None else names)}
    except DamagedArchive:
        raise
    except Exception as error:  # zipfile, zlib and NumPy's header parser raise a dozen kinds
        raise DamagedArchive(reason(error)) from None
