# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A long run over a bad link: every reply as predicted, and memory that does not grow."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from kdp_edge.base.progress import Progress, silent
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.faults import Fault
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.scenario import Scenario
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.tasks import Task

DAMAGE = ("drop", "flip", "insert", "truncate")
EPISODES = 5  # of a part, whose records are thrown away before the next
SETTLED = 0.25  # share of the run after which memory must be flat
MOST_GROWTH = 0.02  # of the memory, over the rest of the run


@dataclass
class Soak:
    """What a long run came to; memory in MiB, at the end of each part."""

    device: str
    share: float  # of the frames, damaged
    steps: int = 0
    episodes: int = 0
    mismatched: int = 0
    damaged: dict[str, int] = field(default_factory=dict)  # frames
    retries: int = 0
    lost: str | None = None
    seconds: float = 0.0
    at_steps: list[int] = field(default_factory=list)
    host_mib: list[float] = field(default_factory=list)
    device_mib: list[float] = field(default_factory=list)
    open_files: list[int] = field(default_factory=list)
    host_growth: float = 0.0  # MiB from `SETTLED` to the end, by a straight line
    device_growth: float = 0.0

    @property
    def passed(self) -> bool:
        """Every reply as predicted, no link lost, memory and open files flat."""
        flat = all(
            growth <= MOST_GROWTH * max(memory)
            for growth, memory in (
                (self.host_growth, self.host_mib),
                (self.device_growth, self.device_mib),
            )
        )
        settled = self.open_files[len(self.open_files) // 4 :]
        return not self.mismatched and self.lost is None and flat and len(set(settled)) == 1


def soak(
    planner: IntegerPlanner,
    floating: FloatPlanner,
    task: Task,
    device: str,
    steps: int,
    share: float,
    progress: Progress = silent,
) -> Soak:
    """Play at least `steps` control steps on one open device, `share` of the frames damaged both ways."""
    found = Soak(device, share)
    faults = tuple(Fault(name, share / len(DAMAGE)) for name in DAMAGE)
    scenario = Scenario(task.name, (0,), task.max_episode_steps, faults, own=task)
    damaged: Counter[str] = Counter()
    start = time.perf_counter()
    with open_device(device, planner) as opened:
        while found.steps < steps and found.lost is None:
            first = found.episodes
            part = replace(scenario, seeds=tuple(range(first, first + EPISODES)))
            recording = play_device(opened, part, planner, floating)
            found.steps += len(recording.steps)
            found.episodes += len(recording.episodes)
            found.mismatched += recording.mismatched
            found.retries += recording.counters.retries
            found.lost = recording.lost
            damaged.update(recording.injected)
            del recording
            _note_memory(found)
            progress(min(found.steps, steps))
    found.damaged = dict(sorted(damaged.items()))
    found.seconds = round(time.perf_counter() - start, 1)
    found.host_growth = _growth(found.at_steps, found.host_mib)
    found.device_growth = _growth(found.at_steps, found.device_mib)
    return found


def _note_memory(found: Soak) -> None:
    gc.collect()
    found.at_steps.append(found.steps)
    found.host_mib.append(_resident(os.getpid()))
    found.device_mib.append(round(sum(map(_resident, _children())), 2))
    found.open_files.append(len(os.listdir("/proc/self/fd")))


def _resident(process: int) -> float:
    """MiB of a process that are in memory."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 2)


def _children() -> list[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [int(number) for one in tasks for number in one.read_text().split()]


def _growth(steps: list[int], memory: list[float]) -> float:
    """MiB by which memory grew from `SETTLED` of the run to its end, by least squares."""
    first = int(SETTLED * len(steps))
    x, y = np.asarray(steps[first:], float), np.asarray(memory[first:])
    if len(x) < 3:
        return 0.0
    slope = float(np.polyfit(x, y, 1)[0])
    return round(slope * float(x[-1] - x[0]), 3)
