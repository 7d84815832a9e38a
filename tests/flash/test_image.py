# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What may be flashed: one byte changed anywhere, or another board's image, and it is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from kdp_edge.base.errors import USAGE, KdpError
from kdp_edge.exporters.build import BUILD_FILE, Image
from kdp_edge.hil.flash import image


def rewrite(folder: Path, **fields: object) -> None:
    """Change build.json, hashes of the files included, as a careful forger would."""
    path = folder / BUILD_FILE
    record = json.loads(path.read_text()) | fields
    for name in record.get("files") or {}:
        record["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(record))


def test_a_sound_image_is_taken(built: Image) -> None:
    loaded = image.load(built.folder, "stm32f405")
    assert loaded.address == 0x08000000
    assert loaded.data == built.bin.read_bytes()


@pytest.mark.parametrize("name", ["image.bin", "image.elf", "image.hex"])
def test_one_changed_byte_is_refused(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(KdpError, match=rf"{name}: SHA-256 is") as error:
        image.load(copy, "stm32f405")
    assert error.value.exit_code == USAGE


@pytest.mark.parametrize("at", [100, -1, -4, -8, -20, -60])
def test_a_changed_image_with_a_matching_record_is_refused_by_its_own_crc(copy: Path, at: int) -> None:
    data = bytearray((copy / "image.bin").read_bytes())
    data[at] ^= 1
    (copy / "image.bin").write_bytes(data)
    rewrite(copy)
    with pytest.raises(KdpError, match=r"image\.bin"):
        image.load(copy, "stm32f405")


def test_a_model_other_than_the_recorded_one_is_refused(copy: Path) -> None:
    rewrite(copy, model_sha256="0" * 64)
    with pytest.raises(KdpError, match=r"its trailer says model_sha256 [0-9a-f]{64}, build.json says 0000"):
        image.load(copy, "stm32f405")


def test_another_boards_image_is_refused(copy: Path) -> None:
    rewrite(copy, board="mps3-an547")
    with pytest.raises(KdpError, match="image is for board mps3-an547, expected stm32f405"):
        image.load(copy, "stm32f405")


def test_a_record_without_files_is_refused(copy: Path) -> None:
    rewrite(copy, files={})
    with pytest.raises(KdpError, match="incomplete record"):
        image.load(copy, "stm32f405")


def test_unknown_boards_and_empty_folders_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KdpError, match="kdp-edge build --board stm32f405"):
        image.load(tmp_path, "stm32f405")
    with pytest.raises(KdpError, match="unknown board 'stm32f406': did you mean stm32f405"):
        image.load(tmp_path, "stm32f406")
    with pytest.raises(KdpError, match="nothing to flash"):
        image.load(tmp_path, "native")
