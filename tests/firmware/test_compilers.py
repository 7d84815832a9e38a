# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The sources are C99, the headers C++17 as well, without a warning; no compiler fuses product and sum."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.toolchain import find_program

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
INCLUDES = [f"-I{FIRMWARE / name}" for name in ("core", "nn", "invoke")]
SOURCES = [path for name in ("core", "nn", "invoke") for path in sorted((FIRMWARE / name).glob("*.c"))]
HEADERS = sorted({*(FIRMWARE / "core").glob("*.h"), FIRMWARE / "nn" / "kdp_nn.h"})
ARM = ["--specs=picolibc.specs", "-mthumb"]
M4 = [*ARM, "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
M55 = [*ARM, "-mcpu=cortex-m55", "-mfloat-abi=hard"]
RV32 = ["-march=rv32imc", "-mabi=ilp32", "-ffreestanding", f"-I{FIRMWARE / 'boards' / 'riscv32'}"]
C = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "arm, Cortex-M0+": ["arm-none-eabi-gcc", *ARM, "-mcpu=cortex-m0plus"],
    "arm, Cortex-M4": ["arm-none-eabi-gcc", *M4],
    "arm, Cortex-M55": ["arm-none-eabi-gcc", *M55],
    "RISC-V, RV32IMC": ["riscv64-unknown-elf-gcc", *RV32],
}
CPP = {"g++": ["g++"], "clang++": ["clang++"], "arm": ["arm-none-eabi-g++", *M4]}


def _compile(command: list[str], *arguments: str) -> None:
    find_program(command[0], "make test-tools")
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler", C)
def test_the_sources_are_c99_without_a_warning(compiler: str) -> None:
    sources = [str(path) for path in SOURCES if path.name != "kdp_main.c"]  # which needs a model
    _compile(C[compiler], "-std=c99", *WARNINGS, *INCLUDES, "-fsyntax-only", *sources)


@pytest.mark.parametrize("compiler", CPP)
def test_the_headers_are_cpp17_without_a_warning_and_their_functions_c(compiler: str, tmp_path: Path) -> None:
    program = tmp_path / "all.cc"
    program.write_text("".join(f'#include "{path.name}"\n' for path in HEADERS) + "auto *p = &kdp_crc32;\n")
    _compile(CPP[compiler], "-std=c++17", *WARNINGS, *INCLUDES, "-c", str(program), "-o", str(tmp_path / "o"))
    assert b"kdp_crc32" in (tmp_path / "o").read_bytes()
    assert b"_Z9kdp_crc32" not in (tmp_path / "o").read_bytes()


FUSES = (
    "float fuses(float a, float b, float c);\nfloat fuses(float a, float b, float c) { return a * b + c; }\n"
)


@pytest.mark.parametrize("flag", ["-std=gnu11", "-ffp-contract=fast"])
def test_no_product_of_the_planner_is_fused_with_a_sum(flag: str, tmp_path: Path) -> None:
    def assembly(source: Path) -> str:
        target = tmp_path / "out.s"
        _compile(C["arm, Cortex-M4"], flag, "-O2", *INCLUDES, "-S", str(source), "-o", str(target))
        return target.read_text()

    (tmp_path / "fuses.c").write_text(FUSES)
    assert "vfma" in assembly(tmp_path / "fuses.c")
    assert "vfma" not in assembly(FIRMWARE / "core" / "kdp_planner.c")


def test_a_big_endian_core_takes_the_policy_and_is_refused_what_is_little_endian() -> None:
    big = [*C["arm, Cortex-M4"], "-mbig-endian", "-std=c99", *WARNINGS, *INCLUDES, "-fsyntax-only"]
    little = {"kdp_blob.c", "kdp_main.c"}
    _compile(big, *(str(path) for path in SOURCES if path.name not in little))
    for source, flag in (("core/kdp_blob.c", "-O0"), ("nn/kdp_nn.c", "-DKDP_KERNEL=KDP_KERNEL_M4")):
        done = subprocess.run(
            [*big, flag, str(FIRMWARE / source)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode != 0
        assert "little-endian" in done.stderr
