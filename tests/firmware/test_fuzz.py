# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Fuzzing under sanitizers: no crash, no broken invariant. 15 s a target in CI, 12 s elsewhere.

By hand for long: KDP_FUZZ_SECONDS=3600.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.toolchain import find_program

SECONDS = int(os.environ.get("KDP_FUZZ_SECONDS") or ("15" if os.environ.get("CI") else "12"))
TARGETS = sorted((FIRMWARE / "fuzz").glob("fuzz_*.c"))
FLAGS = ["-g", "-O1", "-ffp-contract=off", "-DKDP_KERNEL=KDP_KERNEL_PORTABLE", "-DKDP_UNSIGNED=1"]
SANITIZERS = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]


def _compile(target: Path, bundle: Path, out: Path) -> None:
    clang = find_program("clang", "apt-get install clang")
    folders = [FIRMWARE / "fuzz", bundle / "src", bundle / "link"]
    sources = [path for folder in folders[1:] for path in sorted(folder.glob("*.c"))]
    sources = [path for path in sources if path.name != "kdp_main.c"]
    sources += [target, FIRMWARE / "test" / "kdp_library.c"]
    command = [clang, *FLAGS, *SANITIZERS, *(f"-I{folder}" for folder in folders), *map(str, sources)]
    subprocess.run([*command, "-o", str(out)], check=True)


@pytest.mark.parametrize("target", TARGETS, ids=[path.stem for path in TARGETS])
def test_no_input_crashes_or_breaks_an_invariant(target: Path, small_bundle: Path, tmp_path: Path) -> None:
    program, corpus = tmp_path / target.stem, tmp_path / "corpus"
    _compile(target, small_bundle, program)
    corpus.mkdir()
    options = [
        f"-max_total_time={SECONDS}",
        "-max_len=2000",
        "-print_final_stats=1",
        f"-artifact_prefix={tmp_path}/",
    ]
    done = subprocess.run([program, *options, corpus], capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, f"input kept in {tmp_path}:\n{done.stderr[-3000:]}"
    runs = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    assert runs and int(runs[1]) > 1000
