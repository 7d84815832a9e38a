# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Real images for the whole session: random planners, built for the board that QEMU emulates."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kdp_edge.exporters import firmware
from kdp_edge.exporters.build import Image, compile_bundle
from kdp_edge.exporters.bundle import write_bundle
from kdp_edge.quantization.synthetic import random_planner


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """An image for stm32f405; not to be changed."""
    return make(tmp_path_factory.mktemp("flash"), seed=0)


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The same with another model."""
    return make(tmp_path_factory.mktemp("flash"), seed=1)


def make(folder: Path, seed: int, board: str = "stm32f405") -> Image:
    """Bundle and image of a random planner."""
    planner = random_planner(seed=seed)
    bundle = write_bundle(planner, "firmware", folder / "bundle", firmware.write, lambda *_: [], {})
    return compile_bundle(bundle.path, board, folder / "image")


@pytest.fixture
def copy(built: Image, tmp_path: Path) -> Path:
    """A copy of the image's folder, to damage."""
    return Path(shutil.copytree(built.folder, tmp_path / "image"))
