# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The image that is about to be flashed, refused unless every one of its statements about itself agrees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json
from kdp_edge.exporters import boot_rom, image_trailer
from kdp_edge.exporters.boards import Board, load_board
from kdp_edge.exporters.build import BUILD_FILE, Image, load_image


@dataclass(frozen=True)
class FlashImage:
    """A whole image for one board."""

    image: Image
    board: Board
    data: bytes  # from the start of flash, trailer included
    described: str = ""  # task, score and model, for the user who is about to write it

    @property
    def address(self) -> int:
        """Where `data` belongs; the vector table comes first, or what the boot ROM starts with."""
        return self.board.flash_start


def load(folder: Path, board: str) -> FlashImage:
    """The image in `folder` (written by `kdp-edge build`), for `board`.

    Raises:
        KdpError: another board's image, a changed file, or a record, trailer and model that disagree.
    """
    folder = Path(folder)
    target = load_board(board)
    if target.is_native:
        raise KdpError(
            "board native is a program for this computer: nothing to flash; run kdp-edge hil --device native"
        )
    board = target.name
    _check_record(folder, board)
    image = load_image(folder)
    data = image.bin.read_bytes()
    trailer = image_trailer.read(data, str(image.bin))
    statements = {
        "board": (trailer.board, image.board),
        "model_sha256": (trailer.model_sha256, image.model_sha256),
    }
    for field, (inside, recorded) in statements.items():
        if inside != recorded:
            raise KdpError(
                f"{image.bin}: its trailer says {field} {inside}, {BUILD_FILE} says {recorded}; "
                f"build again: kdp-edge build --board {board}"
            )
    if len(data) > target.flash_bytes:
        raise KdpError(
            f"{image.bin}: {len(data)} bytes, board {board} has {target.flash_bytes} bytes of flash"
        )
    boot_rom.check(target.boot, target.flash_start, data)
    return FlashImage(image, target, data, _described(read_json(folder / BUILD_FILE)))


def _described(record: dict[str, Any]) -> str:
    score = record.get("score")
    known = f"score {score:.1f}" if isinstance(score, int | float) else "score not known"
    return f"task {record['task']}, {known}, model {record['model_sha256'][:16]}"


def _check_record(folder: Path, board: str) -> None:
    path = folder / BUILD_FILE
    if not path.is_file():
        raise KdpError(f"{folder}: no {BUILD_FILE}, so no image; build one: kdp-edge build --board {board}")
    record = read_json(path)
    found = record.get("board") if isinstance(record, dict) else None
    if found != board:
        raise KdpError(
            f"{path}: image is for board {found}, expected {board}; build it: kdp-edge build --board {board}"
        )
    needed = {*Image.__dataclass_fields__, "files"}
    missing = sorted(needed - set(record))
    if missing or not {"image.bin", record.get("elf")} <= set(record.get("files") or {}):
        raise KdpError(
            f"{path}: incomplete record (missing: {', '.join(missing) or 'image files'}); build again"
        )
