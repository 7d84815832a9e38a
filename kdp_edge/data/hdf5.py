# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""HDF5 files of others: what lies inside is checked in the file's headers before any of it is read.

A file may point into other files (external links, external raw storage, virtual data sets), declare more
than it holds (a fill value stands for terabytes), or link to itself. All of that is refused by name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdp_edge.base.errors import KdpError, reason

if TYPE_CHECKING:
    import h5py

KINDS = "biuf"  # booleans, integers and floats; anything else is no number
LINKS = 16  # soft links followed for one name
DEPTH = 32  # of groups in each other
SMALL = 64 << 20  # bytes; no harm is done by a fill value that stands for so few
DEFLATE = 1100  # bytes that one stored byte can stand for, a little above zlib's limit
MEMORY_SHARE = 0.5  # of the machine's memory that the arrays of one file may take


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading; whatever HDF5 says to damage becomes a `KdpError` that names the file."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except KdpError:
        raise
    except Exception as error:  # HDF5 answers damage with OSError, RuntimeError, KeyError and others
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> KdpError:
    """What to say of a file that HDF5 cannot read."""
    return KdpError(f"{path}: not a readable HDF5 file ({reason(error)}); download or export it again")


def find(file: h5py.File, name: str, path: Path) -> h5py.Dataset | None:
    """The data set called `name`, or None where there is none.

    Raises:
        KdpError: a link leaves the file or leads nowhere; it is a group, a scalar or no numbers; or its
            values lie outside the file, or are not there.
    """
    import h5py

    found = _follow(file, name, path)
    if found is None:
        return None
    if isinstance(found, h5py.Group):
        inside = ", ".join(sorted(found)[:8]) or "nothing"
        raise KdpError(
            f"{path}: field '{name}' is a group (of {inside}), expected one array with a row a transition; "
            "put its parts side by side into one data set"
        )
    if not isinstance(found, h5py.Dataset):
        raise KdpError(f"{path}: field '{name}' is a {type(found).__name__}, expected an array")
    _check(found, name, path)
    if found.ndim == 0:
        raise KdpError(f"{path}: field '{name}' is a scalar, expected an array with a row a transition")
    if found.dtype.kind not in KINDS:
        raise KdpError(f"{path}: field '{name}' has dtype {found.dtype}, expected numbers or booleans")
    return found


def has(file: h5py.File, name: str, path: Path) -> bool:
    """Whether anything in the file is called `name`."""
    return _follow(file, name, path) is not None


def arrays_under(
    file: h5py.File, name: str, path: Path, seen: set[int] | None = None, depth: int = 0
) -> dict[str, h5py.Dataset]:
    """The arrays of numbers in the group `name`, by path and in its order; of an array: itself by "".

    Empty where nothing is called `name`. What holds no numbers, or one only, is passed over.

    Raises:
        KdpError: as `find`; or groups are in each other too deeply, or one comes twice.
    """
    import h5py

    found, seen = _follow(file, name, path), set() if seen is None else seen
    if isinstance(found, h5py.Dataset):
        numbers = found.ndim > 0 and found.dtype.kind in KINDS
        return {"": found} if numbers and find(file, name, path) is not None else {}
    if not isinstance(found, h5py.Group):
        return {}
    address = h5py.h5o.get_info(found.id).addr
    if depth > DEPTH or address in seen:
        raise KdpError(f"{path}: group '{name}' comes twice, or lies too deep; export the file again")
    seen.add(address)
    inside: dict[str, h5py.Dataset] = {}
    for key in found:
        for rest, dataset in arrays_under(file, f"{name}/{key}", path, seen, depth + 1).items():
            inside[f"{key}/{rest}".rstrip("/")] = dataset
    return inside


def check_declared(size: int, stored: int, path: Path, what: str) -> None:
    """Raise `KdpError` where `what` declares `size` bytes, more than `stored` bytes can stand for."""
    if size > SMALL and size > DEFLATE * max(stored, 1):
        raise KdpError(
            f"{path}: {what} declare {size:,} bytes, but {stored:,} are there; expected all of them: export "
            "it again"
        )


def check_memory(size: int, path: Path) -> None:
    """Raise `KdpError` where `size` bytes of arrays are more than this machine can well hold."""
    most = int(MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if size > most:
        raise KdpError(
            f"{path}: its arrays declare {size:,} bytes, this machine takes {most:,} at most; import a part "
            "of it, or use a machine with more memory"
        )


def check_file(path: Path) -> None:
    """Check every object of a file that another library will read; see `find` for what is refused."""
    import h5py

    with opened(path) as file:
        size, seen, open_groups = 0, set(), [(file["/"], "", 0)]
        while open_groups:
            group, name, depth = open_groups.pop()
            if depth > DEPTH:
                raise KdpError(f"{path}: group '{name}' lies {depth} groups deep, expected at most {DEPTH}")
            for key in group:
                where = f"{name}/{key}".lstrip("/")
                if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                    raise KdpError(f"{path}: field '{where}' is a link, expected the data themselves")
                inside = group[key]
                address = h5py.h5o.get_info(inside.id).addr
                if address in seen:
                    raise KdpError(
                        f"{path}: field '{where}' stands for one that is there already; export it again"
                    )
                seen.add(address)
                if isinstance(inside, h5py.Dataset):
                    _check(inside, where, path)
                    size += inside.nbytes
                elif isinstance(inside, h5py.Group):
                    open_groups.append((inside, where, depth + 1))
        check_memory(size, path)


def _follow(file: h5py.File, name: str, path: Path) -> Any:
    """The object called `name`, by links within the file alone."""
    import h5py

    parts, here, followed = name.split("/"), file["/"], 0
    while parts:
        part = parts.pop(0)
        if part in ("", "."):
            continue
        link = here.get(part, getlink=True) if isinstance(here, h5py.Group) else None
        if link is None:
            if followed:
                raise KdpError(f"{path}: field '{name}' is a link that leads nowhere; export the file again")
            return None
        if isinstance(link, h5py.SoftLink):
            followed += 1
            if followed > LINKS:
                raise KdpError(
                    f"{path}: field '{name}' is a link that leads to itself; export the file again"
                )
            parts = link.path.split("/") + parts
            here = file["/"] if link.path.startswith("/") else here
        elif isinstance(link, h5py.HardLink):
            here = here[part]
        else:
            raise KdpError(
                f"{path}: field '{name}' links to another file ({getattr(link, 'filename', '?')}), expected "
                "the data themselves; copy them into this file"
            )
    return here


def _check(dataset: h5py.Dataset, name: str, path: Path) -> None:
    """Raise `KdpError` unless the values of a data set lie in its own file, all of them."""
    if dataset.external or dataset.is_virtual:
        raise KdpError(
            f"{path}: field '{name}' keeps its values in another file, expected them in this one; copy them"
        )
    stored = dataset.id.get_storage_size()
    packed = DEFLATE if dataset.id.get_create_plist().get_nfilters() else 1
    if dataset.nbytes > SMALL and dataset.nbytes > packed * max(stored, 1):
        raise KdpError(
            f"{path}: field '{name}' declares {dataset.nbytes:,} bytes ({list(dataset.shape)} of "
            f"{dataset.dtype}), but the file holds {stored:,}; expected all of them: export it again"
        )
