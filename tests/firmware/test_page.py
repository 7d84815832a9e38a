# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""docs/firmware.md: its program compiles as it stands, with its command, and plans as the twin does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.twin import Reply, Twin

PAGE = Path(__file__).parents[2] / "docs" / "firmware.md"


def test_the_program_in_the_page_plans_as_the_twin_does(
    bundle: Path, planner: IntegerPlanner, tmp_path: Path
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (program,) = re.findall(r"```c\n(.*?)```", page, re.DOTALL)
    (command,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    (tmp_path / "main.c").write_text(program)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"BUNDLE": str(bundle), "PATH": path}
    subprocess.run(["sh", "-e"], input=command, text=True, cwd=tmp_path, env=environment, check=True)
    printed = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    found = [float.fromhex(line) for line in printed.split()]
    twin = Twin(planner)
    twin.reset(0)
    replies = [twin.step(step, np.zeros(planner.spec.obs_dim, np.float32)) for step in range(10)]
    assert found == [float(reply.action[0]) for reply in replies if isinstance(reply, Reply)]
