# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What made a result: the commit of our sources, and the versions of packages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LOCAL = "local twin"  # origin of data that were rolled here
SOURCES = Path(__file__).resolve().parents[2]


def git_commit() -> str | None:
    """The commit of the source tree, `-dirty` if it has changes; None for an installed package."""
    if not (SOURCES / ".git").exists():
        return None
    command = ["git", "-C", str(SOURCES), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def other_simulator(made: str | None) -> list[str]:
    """A line where the physics that a policy learned are not of the MuJoCo that is installed; else none.

    Args:
        made: MuJoCo's version then; None where nobody recorded it.
    """
    here = versions(["mujoco"]).get("mujoco")
    if made is None or here is None or made == here:
        return []
    return [f"learned with MuJoCo {made}, played with {here}: its physics may differ, and returns with them"]


def simulator_note(meta: Mapping[str, Any]) -> list[str]:
    """A line where a data set was rolled with another MuJoCo than is installed; else none.

    Args:
        meta: of the data set. Of imported data nobody knows: what was installed then did not record them.
    """
    made = meta.get("packages", {}).get("mujoco") if meta.get("origin") == LOCAL else None
    here = versions(["mujoco"]).get("mujoco")
    if made is None or here is None or made == here:
        return []
    return [f"recorded with MuJoCo {made}, this is {here}: its physics may differ"]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions by name, those that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
