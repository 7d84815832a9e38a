# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""cppcheck and clang-tidy (bugprone, cert, analyzer) have nothing to say about the firmware."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kdp_edge.exporters.architecture import RISCV32, architecture_of
from kdp_edge.exporters.boards import FIRMWARE, board_names, load_board
from kdp_edge.exporters.toolchain import find_program

HOST = ("core", "nn", "invoke", "boards/native", "test", "fuzz")
COMMON = [
    "-DKDP_KERNEL=KDP_KERNEL_PORTABLE",
    *(f"-I{FIRMWARE / name}" for name in ("core", "nn", "invoke", "fuzz")),
]
CPPCHECK = [
    "--std=c99",
    "-D__GNUC__=12",
    "--enable=warning,style,performance,portability",
    "--quiet",
    "--error-exitcode=1",
]
CROSS = [name for name in board_names() if name != "native"]


def _board_sources(name: str) -> tuple[list[Path], list[str]]:
    """C sources of a board's port, and the include flags that they need."""
    board = load_board(name)
    shared = board.shared()
    start = architecture_of(board.core).start
    sources = [
        *board.folder.glob("*.c"),
        *(path for folder in start for path in folder.glob("*.c")),
        *(s for s in shared if s.suffix == ".c"),
    ]
    folders = {board.folder, *start, *(path.parent for path in shared)}
    return sorted(sources), [f"-I{folder}" for folder in sorted(folders)]


def _check(command: list[str]) -> None:
    done = subprocess.run(command, cwd=FIRMWARE, capture_output=True, text=True)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "warnings generated" not in line]
    assert done.returncode == 0, "\n".join(said)


def _cppcheck(sources: list[str], flags: list[str]) -> None:
    program = find_program("cppcheck", "apt-get install cppcheck")
    suppressions = f"--suppressions-list={FIRMWARE / 'cppcheck.suppress'}"
    _check([program, *CPPCHECK, suppressions, "-DFLT_EVAL_METHOD=0", *COMMON, *flags, *sources])


def _clang_tidy(sources: list[str], flags: list[str]) -> None:
    program = find_program("clang-tidy", "apt-get install clang-tidy")
    _check([program, "--quiet", *sources, "--", "-std=c99", *COMMON, *flags])


@pytest.mark.parametrize("room", HOST)
def test_cppcheck_is_silent(room: str, small_bundle: Path) -> None:
    _cppcheck([room], ["--platform=unix64", f"-I{small_bundle / 'src'}"])


@pytest.mark.parametrize("room", HOST)
def test_clang_tidy_is_silent(room: str, small_bundle: Path) -> None:
    sources = [str(path) for path in sorted((FIRMWARE / room).glob("*.c"))]
    _clang_tidy(sources, [f"-I{small_bundle / 'src'}"])


@pytest.mark.parametrize("board", CROSS)
def test_both_are_silent_about_a_boards_port(board: str) -> None:
    sources, includes = _board_sources(board)
    _cppcheck([str(path) for path in sources], ["--platform=unix32", *includes])
    if architecture_of(load_board(board).core) is RISCV32:
        target = ["--target=riscv32-none-elf", "-march=rv32imc", "-ffreestanding"]
    else:
        target = ["--target=arm-none-eabi", "-mcpu=cortex-m4", "-mthumb"]
        target += ["-isystem", "/usr/lib/picolibc/arm-none-eabi/include"]
    _clang_tidy([str(path) for path in sources], [*target, *includes])
