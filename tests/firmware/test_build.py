# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`build`: repeatable, bounded, and clear about what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import image_trailer
from kdp_edge.exporters.boards import BuildOptions, board_names, load_board
from kdp_edge.exporters.build import Image, compile_bundle, load_image, toolchain_for
from kdp_edge.quantization.plan import IntegerPlanner
from tests.firmware.record_budgets import BUDGETS

CROSS = [name for name in board_names() if name != "native"]


@pytest.mark.parametrize("board", board_names())
def test_two_builds_from_two_places_are_the_same_bytes(
    board: str, bundle: Path, image_of: Callable[[str], Image], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "another" / "place"
    shutil.copytree(bundle, elsewhere)
    first = image_of(board)
    second = compile_bundle(elsewhere, board, tmp_path / "deeper" / "second")
    names = sorted(path.name for path in first.folder.iterdir())
    assert names == sorted(path.name for path in second.folder.iterdir())
    for name in names:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes(), name
    for place in (tmp_path, bundle, first.folder):
        assert str(place).encode() not in first.elf.read_bytes()


@pytest.mark.parametrize("board", CROSS)
def test_an_image_fits_its_board_and_the_promise(
    board: str, planner: IntegerPlanner, image_of: Callable[[str], Image]
) -> None:
    image = image_of(board)
    described = load_board(board)
    assert 0 < image.stack_bound_bytes < image.stack_bytes < image.ram_bytes
    assert image.flash_bytes <= min(512 * 1024, described.flash_bytes)
    assert image.ram_bytes <= min(64 * 1024, described.ram_bytes)
    assert image.within_limits
    trailer = image_trailer.read(image.bin.read_bytes(), "image")
    assert (trailer.board, trailer.model_sha256) == (board, planner.model_sha256())
    record = json.loads((image.folder / "build.json").read_text())
    assert record["toolchain"] == toolchain_for(described).version()
    assert record["flash_bytes"] == image.bin.stat().st_size


@pytest.mark.parametrize("board", CROSS)
def test_flash_ram_and_stack_stay_within_the_recorded_budget(
    board: str, image_of: Callable[[str], Image]
) -> None:
    budget = json.loads(BUDGETS.read_text()).get(board, {})
    image = image_of(board)
    for name in ("flash_bytes", "ram_bytes", "stack_bound_bytes"):
        found, limit = getattr(image, name), budget.get(name, 0)
        assert found <= limit, f"{board}: {name} is {found}, budgets.json allows {limit}"
        # a budget that is far too large would hide the next growth
        assert limit <= 1.15 * found, f"{board}: {name} is {found}; lower its budget of {limit}"


def test_any_changed_byte_of_an_image_is_noticed(bundle: Path, tmp_path: Path) -> None:
    image = compile_bundle(bundle, CROSS[0], tmp_path / "image")
    data = image.bin.read_bytes()
    for at in (0, 1000, len(data) // 2, len(data) - 73, len(data) - 60, len(data) - 5, len(data) - 1):
        damaged = bytearray(data)
        damaged[at] ^= 1
        with pytest.raises(KdpError, match=r"damaged\.bin: .*(CRC-32|expected|says)"):
            image_trailer.read(bytes(damaged), "damaged.bin")
    with pytest.raises(KdpError):
        image_trailer.read(data[:-1], "cut.bin")
    image.bin.write_bytes(data[:-1] + b"?")
    with pytest.raises(KdpError, match=r"image\.bin: SHA-256 is .* build again"):
        load_image(image.folder)


def test_an_unknown_board_is_answered_with_all_names(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(KdpError, match=r"unknown board 'stm32f4': did you mean stm32f405\?.*native"):
        compile_bundle(bundle, "stm32f4", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("board", "options", "message"),
    [
        ("stm32f405", BuildOptions(uart=3), "uart is 3, expected 1..2"),
        ("stm32f405", BuildOptions(hse_mhz=40), "hse_mhz is 40, expected 4..26"),
        ("stm32f405", BuildOptions(sanitize=True), "use --board native"),
        ("native", BuildOptions(uart=1), "board native has no build option uart"),
    ],
)
def test_options_a_board_lacks_are_refused(
    board: str, options: BuildOptions, message: str, bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(KdpError, match=message):
        compile_bundle(bundle, board, tmp_path / "out", options)


def test_a_missing_toolchain_names_the_packages(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KdpError, match="gcc-arm-none-eabi picolibc-arm-none-eabi"):
        compile_bundle(bundle, "stm32f405", tmp_path / "out")
    with pytest.raises(KdpError, match="gcc not found; install it: apt-get install gcc"):
        compile_bundle(bundle, "native", tmp_path / "out")


def test_a_bundle_with_one_byte_changed_is_refused(bundle: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "bundle"
    shutil.copytree(bundle, damaged)
    source = damaged / "src" / "kdp_generator_m4.c"
    source.write_text(source.read_text().replace("1", "2", 1))
    with pytest.raises(KdpError, match=r"kdp_generator_m4\.c"):
        compile_bundle(damaged, "stm32f405", tmp_path / "out")


def test_what_the_compiler_says_is_one_line(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdp_edge.exporters.build.FLAGS", ["-std=c99", "-Werror", "-DKDP_FRAME_CRC=four"])
    with pytest.raises(KdpError, match=r"^[^\n]*gcc failed: [^\n]*error[^\n]*$"):
        compile_bundle(bundle, "stm32f405", tmp_path / "out")
    assert not (tmp_path / "out").exists()
