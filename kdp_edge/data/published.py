# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Where the published sets of each task lie, and how one is fetched and checked.

D4RL's HDF5 files are the way to published numbers. Minari's `mujoco/*` sets come from other policies
on other versions of the robots and have no replay sets: they are not D4RL's.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import atomic_path, sha256_file
from kdp_edge.base.workspace import data_folder

D4RL = "http://rail.eecs.berkeley.edu/datasets/offline_rl"
BLOCK = 1 << 20
MINARI_MUJOCO = "Minari's mujoco sets come from other policies than D4RL's: scores are not D4RL's"


@dataclass(frozen=True)
class Published:
    """A task's published data: D4RL's file (sha256 where it is known) and Minari's set."""

    url: str
    minari: str | None = None
    sha256: str | None = None

    @property
    def file_name(self) -> str:
        return self.url.rpartition("/")[2]


def _locomotion() -> dict[str, Published]:
    known = {"hopper-medium-expert": "9d51ad87f8c905be3880d84c6140bcdb7fbf39a19e046a237f238ba34fec9e26"}
    sets = {}
    for body, task in (("hopper", "hopper"), ("halfcheetah", "halfcheetah"), ("walker2d", "walker2d-v4")):
        for level in ("medium", "medium-replay", "medium-expert"):
            url = f"{D4RL}/gym_mujoco_v2/{body}_{level.replace('-', '_')}-v2.hdf5"
            sets[f"{task}-{level}"] = Published(url, None, known.get(f"{body}-{level}"))
    return sets


PUBLISHED: dict[str, Published] = {
    **_locomotion(),
    **{
        f"maze2d-{size}": Published(
            f"{D4RL}/maze2d/maze2d-{size}-sparse-v1.hdf5", f"D4RL/pointmaze/{size}-v2"
        )
        for size in ("umaze", "medium", "large")
    },
    **{
        f"{hand}-cloned": Published(f"{D4RL}/hand_dapg_v1/{hand}-cloned-v1.hdf5", f"D4RL/{hand}/cloned-v2")
        for hand in ("door", "relocate")
    },
}


def task_of(source: str) -> str | None:
    """The task whose published file or Minari id `source` (a path, URL or id) names."""
    name = source.rstrip("/").rpartition("/")[2]
    for task, published in PUBLISHED.items():
        if name == published.file_name or source == published.minari:
            return task
    return None


def fetch(url: str, sha256: str | None, progress: Callable[[int, int], None] = lambda done, of: None) -> Path:
    """Download a file once into the workspace and check it; returns its path.

    Raises:
        KdpError: no hash is known, the download failed, or the content has another hash.
    """
    known = next((p.sha256 for p in PUBLISHED.values() if p.url == url), None)
    wanted = sha256 or known
    if wanted is None:
        raise KdpError(f"{url}: its sha256 is not known here; give it with --sha256")
    path = data_folder() / "downloads" / url.rpartition("/")[2]
    if not (path.is_file() and sha256_file(path) == wanted.lower()):
        _download(url, path, wanted.lower(), progress)
    return path


def _download(url: str, path: Path, wanted: str, progress: Callable[[int, int], None]) -> None:
    with atomic_path(path) as temporary:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer, open(temporary, "wb") as file:
                total, done = int(answer.headers.get("Content-Length") or 0), 0
                while block := answer.read(BLOCK):
                    file.write(block)
                    done += len(block)
                    progress(done, total)
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise KdpError(
                f"{url}: download failed ({reason}); fetch it elsewhere and import the file"
            ) from None
        found = sha256_file(temporary)
        if found != wanted:
            raise KdpError(f"{url}: sha256 is {found}, expected {wanted}; nothing was kept")
