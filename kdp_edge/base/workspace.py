# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Where a user's data sets and runs live: $KDP_EDGE_HOME, or ./kdp-work."""

from __future__ import annotations

import os
from pathlib import Path


def workspace() -> Path:
    """The workspace folder; it need not exist yet."""
    return Path(os.environ.get("KDP_EDGE_HOME") or "kdp-work").absolute()


def data_folder() -> Path:
    """Minari's root: data set `kdp-local/<task>-v0` lies in <this>/kdp-local/<task>-v0."""
    return workspace() / "data"


def dataset_id(name: str) -> str:
    """Minari's id of a local set; local sets are never called D4RL."""
    return f"kdp-local/{name}-v0"


def dataset_path(name: str) -> Path:
    return data_folder() / dataset_id(name)


def runs_folder() -> Path:
    return workspace() / "runs"
