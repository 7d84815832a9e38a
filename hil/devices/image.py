# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The firmware image of a policy for a board: built once, found again by what went into it."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.base.files import read_json
from kdp_edge.base.workspace import workspace
from kdp_edge.exporters import targets
from kdp_edge.exporters.boards import FIRMWARE, BuildOptions, load_board
from kdp_edge.exporters.build import BUILD_FILE, Image, compile_bundle, load_image, toolchain_for
from kdp_edge.quantization.plan import IntegerPlanner


@dataclass(frozen=True)
class BuiltImage:
    """An image and the compiler that made it."""

    image: Image
    toolchain: str


def image_for(planner: IntegerPlanner, board: str, options: BuildOptions | None = None) -> BuiltImage:
    """Build `planner` for `board`, or take the image that the same inputs gave before.

    Builds are repeatable, so this is the image that `kdp-edge build` makes, byte for byte.

    Raises:
        KdpError: with exit code 3 when the toolchain is missing.
    """
    options = options or BuildOptions()
    try:
        toolchain = toolchain_for(load_board(board)).version()
    except KdpError as error:
        raise KdpError(str(error), DEVICE_MISSING) from None
    key = _key(planner, board, options, toolchain)
    folder = workspace() / "images" / f"{load_board(board).name}-{key}"
    if (folder / BUILD_FILE).is_file():
        try:
            return BuiltImage(load_image(folder), toolchain)
        except KdpError:
            pass  # damaged: built again below
    with tempfile.TemporaryDirectory(prefix="kdp-bundle-") as temporary:
        bundle = targets.export_planner(planner, "firmware", Path(temporary) / "bundle", {})
        image = compile_bundle(bundle.path, board, folder, options)
    return BuiltImage(image, str(read_json(image.folder / BUILD_FILE)["toolchain"]))


def _key(planner: IntegerPlanner, board: str, options: BuildOptions, toolchain: str) -> str:
    """Hash of everything that an image is made from."""
    digest = hashlib.sha256(f"{planner.model_sha256()} {asdict(options)} {toolchain}".encode())
    exporters = Path(targets.__file__).parent
    own = load_board(board).folder  # may lie outside the package
    for folder, pattern in ((FIRMWARE, "**/*"), (exporters, "*.py"), (own, "**/*")):
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(folder)} {path.stat().st_size} ".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
