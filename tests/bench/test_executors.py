# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Stopping a suite stops its workers, however it is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = '''
import os, sys, time
from pathlib import Path
from kdp_edge.bench.executors import processes

class Long:
    """A job that a test can see begin."""
    def __init__(self, number):
        self.label = f"job {number}"
        self.file = Path(sys.argv[1]) / f"begun-{number}"

    def run(self):
        self.file.write_text(str(os.getpid()))
        time.sleep(120)

if __name__ == "__main__":
    processes(1)([Long(number) for number in range(4)], lambda job: None)
'''


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.05)
    return what()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_suite_and_begin_nothing_more(tmp_path: Path, number: int) -> None:
    script = tmp_path / "suite.py"
    script.write_text(SCRIPT, encoding="utf-8")
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        first = tmp_path / "begun-0"
        assert wait_for(lambda: first.is_file() and first.read_text() != ""), "the first job never began"
        os.kill(parent.pid, number)  # not its workers
        parent.communicate(timeout=60)
        assert wait_for(lambda: gone(int(first.read_text()))), "a worker outlives its suite"
        assert sorted(path.name for path in tmp_path.glob("begun-*")) == ["begun-0"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
