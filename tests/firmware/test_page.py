# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""docs/firmware.md: its program compiles as it stands, as C and as C++, and plans as the twin does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.twin import Reply, Twin
from tests.firmware.test_compilers import WARNINGS

PAGE = (Path(__file__).parents[2] / "docs" / "firmware.md").read_text(encoding="utf-8")
PROGRAM = re.findall(r"```c\n(.*?)```", PAGE, re.DOTALL)[0]
COMMAND = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)[0]


def _shell(command: str, folder: Path, bundle: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"BUNDLE": str(bundle), "PATH": path}
    subprocess.run(["sh", "-e"], input=command, text=True, cwd=folder, env=environment, check=True)


@pytest.fixture(scope="module")
def expected(planner: IntegerPlanner) -> list[float]:
    """What ten steps of an observation of zeros play on the first actuator."""
    twin = Twin(planner)
    twin.reset(0)
    replies = [twin.step(step, np.zeros(planner.spec.obs_dim, np.float32)) for step in range(10)]
    return [float(reply.action[0]) for reply in replies if isinstance(reply, Reply)]


def _printed(program: Path) -> list[float]:
    done = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60)
    return [float.fromhex(line) for line in done.stdout.split()]


def test_the_program_in_the_page_plans_as_the_twin_does(
    bundle: Path, expected: list[float], tmp_path: Path
) -> None:
    (tmp_path / "main.c").write_text(PROGRAM)
    _shell(COMMAND, tmp_path, bundle)
    assert _printed(tmp_path / "main") == expected


def test_it_does_so_as_cpp_without_a_warning(bundle: Path, expected: list[float], tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_text(PROGRAM)
    compile_c = (
        COMMAND.replace("main.c ", "").replace("cc -std=c99", "cc -c -std=c99").replace(" -o main", "")
    )
    compile_cpp = f"g++ -std=c++17 {' '.join(WARNINGS)} -I$BUNDLE/src main.cpp *.o -o main"
    _shell(f"{compile_c}\n{compile_cpp}", tmp_path, bundle)
    assert _printed(tmp_path / "main") == expected
