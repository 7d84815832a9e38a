# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""NumPy archives that may be damaged: every array read, or one exception."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

LARGEST = 4 << 30  # bytes of all arrays of an archive: more is no archive of ours


class DamagedArchive(ValueError):
    """What a file is that NumPy cannot read as an archive of arrays, and why."""


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz file, whole and without pickles.

    Raises:
        DamagedArchive: cut, changed, no archive, or its arrays are larger than they can be.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if (size := sum(part.file_size for part in archive.infolist())) > LARGEST:
                raise DamagedArchive(f"its arrays take {size:,} bytes, expected at most {LARGEST:,}")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except DamagedArchive:
        raise
    except Exception as error:  # zipfile, zlib and NumPy's header parser raise a dozen kinds
        raise DamagedArchive((str(error).splitlines() or [type(error).__name__])[0]) from None
