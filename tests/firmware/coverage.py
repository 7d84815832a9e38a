# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Every branch of the fail-safe and of the request handler is taken both ways by the tests that compare them.

Branches are those of single conditions: gcc compiles `a && b` to two.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.firmware.instrumented import MEASURED

ROOT = Path(__file__).parents[2]
TESTS = ("test_failsafe.py", "test_ahead.py", "test_server.py", "test_server_start.py", "test_frame.py")

Branch = tuple[str, int, int]  # file, line, index in the line


def run_tests(folder: Path) -> None:
    """Run the tests with counters; those end up in `folder`."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += [
        "-k",
        "not any_sequence",
        "-p",
        "tests.firmware.instrumented",
        *(f"tests/firmware/{name}" for name in TESTS),
    ]
    environment = {**os.environ, "KDP_INSTRUMENTED": str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def count_branches(folder: Path) -> dict[Branch, int]:
    """How often each branch was taken, over all libraries in `folder`."""
    taken: dict[Branch, int] = defaultdict(int)
    for counters in sorted(folder.glob("*/*.gcda")):
        command = ["gcov", "--branch-probabilities", "--json-format", "--stdout", counters.name]
        output = subprocess.run(
            command, cwd=counters.parent, check=True, capture_output=True, text=True
        ).stdout
        for file in json.loads(output)["files"]:
            name = Path(file["file"]).name
            for line in file["lines"]:
                for index, branch in enumerate(line["branches"]):
                    taken[name, line["line_number"], index] += branch["count"]
    return {key: count for key, count in taken.items() if key[0] in MEASURED}


def test_every_branch_of_failsafe_and_server_is_taken(tmp_path: Path) -> None:
    run_tests(tmp_path)
    taken = count_branches(tmp_path)
    for name in MEASURED:
        assert sum(key[0] == name for key in taken) > 20, f"{name}: no branches counted"
    sources = {name: (ROOT / "firmware" / "core" / name).read_text().splitlines() for name in MEASURED}
    never = sorted(key for key, count in taken.items() if count == 0)
    said = [f"{name}:{line} branch {index}: {sources[name][line - 1].strip()}" for name, line, index in never]
    assert not never, f"{len(never)} of {len(taken)} branches never taken:\n" + "\n".join(said)
