# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A big-endian core plans as the twin does: a bundle's example for PowerPC, under qemu-user.

What lays words out for little-endian cores refuses to compile there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.toolchain import find_program
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.twin import Reply, Twin

INSTALL = "apt-get install --no-install-recommends gcc-powerpc-linux-gnu libc6-dev-powerpc-cross qemu-user"


@pytest.fixture(scope="module")
def compiler() -> str:
    return find_program("powerpc-linux-gnu-gcc", INSTALL)


@pytest.mark.parametrize("options", [[], ["-DKDP_SOFT_FLOAT=1"]], ids=["its float32", "the core's own"])
def test_the_example_of_a_bundle_plans_as_the_twin_does(
    compiler: str, options: list[str], small_bundle: Path, small_planner: IntegerPlanner, tmp_path: Path
) -> None:
    sources = [small_bundle / "examples" / "main.c", *sorted((small_bundle / "src").glob("*.c"))]
    program = tmp_path / "main"
    command = [compiler, "-static", "-std=gnu11", "-O1", *options, f"-I{small_bundle / 'src'}", *sources]
    subprocess.run([*command, "-o", program], check=True, timeout=120)
    done = subprocess.run(
        [find_program("qemu-ppc", INSTALL), program], capture_output=True, text=True, check=True, timeout=60
    )
    twin = Twin(small_planner)
    twin.reset(0)
    replies = [twin.step(step, np.zeros(small_planner.spec.obs_dim, np.float32)) for step in range(10)]
    expected = np.array([reply.action for reply in replies if isinstance(reply, Reply)])
    found = np.array([line.split() for line in done.stdout.splitlines()]).astype(np.float32)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        ("nn/kdp_nn.c", ["-DKDP_KERNEL=KDP_KERNEL_M4"], "weights for this kernel are little-endian words"),
        ("nn/kdp_nn.c", ["-DKDP_KERNEL=KDP_KERNEL_DUAL"], "weights for this kernel are little-endian words"),
        ("core/kdp_blob.c", [], "little-endian"),
    ],
)
def test_what_does_not_work_there_does_not_compile(
    compiler: str, source: str, options: list[str], says: str
) -> None:
    includes = [f"-I{FIRMWARE / room}" for room in ("core", "nn")]
    command = [compiler, "-fsyntax-only", *options, *includes, FIRMWARE / source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "#error" in done.stderr and says in done.stderr
