# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What is shown while a run goes on: read off the recording, on a terminal only; no run depends on it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from kdp_edge.cli.live import table
from kdp_edge.hil.scenario import PlayedEpisode, Recording, Step
from kdp_edge.hil.status import Status, Watched
from kdp_edge.wire.numbers import Flag

PROGRAM = """
import os, sys, time
from pathlib import Path
from kdp_edge.cli.live import view
from kdp_edge.hil.scenario import Recording, Step

def main():
    enough = Path(sys.argv[1])
    recording = Recording("a device")
    with view(2, 100) as watching:
        watching.observer(recording)
        number = 0
        while number < 60 or (sys.stderr.isatty() and not enough.exists() and number < 6000):
            recording.steps.append(Step(5, number, 1.5, (0.0,), state=1, rtt=0.002))
            number += 1
            time.sleep(0.005)
        if sys.argv[2] == "kill":
            children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
            for child in children:
                os.kill(int(child), 9)
            time.sleep(0.4)
    print("played")

if __name__ == "__main__":
    main()
"""


def step(number: int, seed: int = 5, **values: object) -> Step:
    return replace(Step(seed, number, 1.0, (0.0,), state=1, rtt=0.002), **values)  # type: ignore[arg-type]


def test_a_look_tells_steps_misses_latency_and_return_so_far() -> None:
    recording = Recording("d")
    watched = Watched(recording)
    assert replace(watched.status(), seconds=0.0) == Status("d", 0, 0.0)
    recording.steps += [step(i, rtt=0.001 * (i + 1), flags=Flag.MISSED if i == 3 else 0) for i in range(101)]
    first = watched.status()
    assert (first.steps, first.misses, first.return_now, first.episodes) == (100, 1, 100.0, 0)
    assert first.latency_ms_p50 == pytest.approx(51) and first.latency_ms_p99 == pytest.approx(100)
    recording.episodes.append(PlayedEpisode(5, 101.0, 101, True))
    recording.steps += [step(i, seed=6) for i in range(11)]
    second = watched.status()
    assert (second.steps, second.misses, second.return_mean, second.return_now) == (111, 1, 101.0, 10.0)
    assert second.rate is not None and second.rate > 0


def test_the_table_has_a_row_for_each_device() -> None:
    from rich.console import Console

    console = Console(width=110, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    one = Status("left [leg]", 1200, 9.6, 125.0, 3, 1.25, 2.5, 3400.0, 1, 17.0)
    console.print(table({"a": one, "b": Status("float", 5, 0.1, return_now=7.5)}, episodes=3))
    lines = console.export_text().splitlines()
    rows = [" ".join(line.split()) for line in lines]
    assert "left [leg] 2 of 3 1,200 125 3 1.25 ms 2.50 ms 3,400.0" in rows
    assert "float 1 of 3 5 - 0 - - 7.5" in rows


@pytest.mark.parametrize("what", ["draw", "kill"])
def test_a_terminal_shows_the_device_and_a_dead_picture_stops_nothing(what: str, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    seen = bytearray()

    def read() -> None:
        try:
            while data := os.read(master, 4096):
                seen.extend(data)
                if b"return so far" in seen:
                    (tmp_path / "enough").touch()
        except OSError:
            return  # the terminal is closed

    reader = threading.Thread(target=read)
    reader.start()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "enough"), what]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=slave, text=True, timeout=60)
    os.close(slave)
    reader.join(10)
    os.close(master)
    assert (done.returncode, done.stdout) == (0, "played\n"), seen.decode()
    assert b"a device" in seen and b"return so far" in seen


def test_where_no_terminal_is_nothing_is_drawn(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "enough"), "draw"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "played\n", "")
