# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge build` as a user types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import app
from kdp_edge.exporters.boards import Limits, load_board
from kdp_edge.exporters.build import compile_bundle


def _build(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from kdp_edge.cli import main; main()", "build", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_paths_may_be_relative_and_the_table_names_the_limits(small_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(small_bundle, tmp_path / "policy")
    done = _build("--bundle", "policy", "--board", "stm32f405", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for word in ("flash", "RAM", "stack", "524,288", "65,536"):
        assert word in done.stdout
    assert (tmp_path / "policy-builds" / "stm32f405" / "image.hex").is_file()


def test_json_says_what_was_built_and_how(small_bundle: Path, tmp_path: Path) -> None:
    done = _build(
        "--bundle",
        str(small_bundle),
        "--board",
        "stm32f405",
        "--out",
        "image",
        "--uart",
        "2",
        "--json",
        cwd=tmp_path,
    )
    record = json.loads(done.stdout)
    assert record["within_limits"] and record["board"] == "stm32f405"
    assert record["options"]["uart"] == 2
    assert "-DKDP_UART=2" in record["flags"]
    assert set(record["files"]) == {"image.elf", "image.bin", "image.hex"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--board", "stm32f4"), "did you mean stm32f405?"),
        (("--board", "stm32f405", "--bundle", "nowhere"), "nowhere"),
        (("--board", "stm32f405", "--kernel", "fast"), "kernel 'fast' is unknown"),
        (("--board", "stm32f405", "--out", "."), "is no image folder"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], message: str, small_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "precious.txt").write_text("keep")
    if "--bundle" not in arguments:
        arguments = ("--bundle", str(small_bundle), *arguments)
    done = _build(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert (tmp_path / "precious.txt").read_text() == "keep"


def test_an_image_beyond_the_promise_fails_the_gate(
    small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(load_board("stm32f405"), limits=Limits(flash_bytes=1000, ram_bytes=65536))
    monkeypatch.setattr("kdp_edge.exporters.build.load_board", lambda name: small)
    arguments = [
        "build",
        "--bundle",
        str(small_bundle),
        "--board",
        "stm32f405",
        "--out",
        str(tmp_path / "image"),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "1,000" in done.stdout
    assert (tmp_path / "image" / "image.elf").is_file()


def test_an_image_larger_than_the_flash_is_one_line_and_leaves_nothing(
    small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = replace(load_board("stm32f405"), flash_bytes=4096)
    monkeypatch.setattr("kdp_edge.exporters.build.load_board", lambda name: tiny)
    with pytest.raises(KdpError, match=r"^[^\n]*region `FLASH' overflowed by [^\n]*$"):
        compile_bundle(small_bundle, "stm32f405", tmp_path / "out")
    assert not (tmp_path / "out").exists()
