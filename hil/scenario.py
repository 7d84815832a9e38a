# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a closed-loop run plays, and what it leaves behind: plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from kdp_edge.hil.devices.device import DeviceClock
from kdp_edge.hil.faults import Fault
from kdp_edge.hil.link import LinkCounters
from kdp_edge.hil.pace.host import HostTime
from kdp_edge.hil.pace.pacing import Plant
from kdp_edge.hil.pace.timing import USUAL, Timing
from kdp_edge.hil.replay import Recorded, Replay
from kdp_edge.hil.trace.tap import Note
from kdp_edge.tasks import Task, get_task
from kdp_edge.tasks.simulation import Simulation
from kdp_edge.tasks.success import succeeded
from kdp_edge.wire.protocol import Hello, Telemetry

WARM_UP = 10  # steps of a run whose times are reported apart


@dataclass(frozen=True)
class Scenario:
    """A task, one seed per episode, and the longest an episode may take, and how time passes."""

    task: str
    seeds: tuple[int, ...]
    max_steps: int
    faults: tuple[Fault, ...] = ()
    own: Task | None = None  # what a run or a bundle carries; without it the task of that name
    recorded: Recorded | None = None  # observations that are streamed in place of the task's plant
    timing: Timing = USUAL

    @property
    def plant(self) -> Task:
        """Where it is played."""
        return self.own or get_task(self.task)

    def open_plant(self) -> Plant:
        """What answers actions with observations."""
        return Replay(self.recorded) if self.recorded is not None else Simulation(self.plant)

    def succeeded(self, info: dict[str, Any], before: bool | None) -> bool | None:
        """See `tasks.success.succeeded`; recorded observations do not say it."""
        return None if self.recorded is not None else succeeded(self.plant, info, before)

    def faults_of(self, place: str) -> list[Fault]:
        """The faults of one place: link, sensor, device, actuator or host."""
        return [fault for fault in self.faults if fault.place == place]


@dataclass
class Step:
    """One control step of one episode; the player fills it in as the step goes on."""

    seed: int
    step: int
    reward: float
    action: tuple[float, ...]  # as decided (the actuators may be faulty); where nobody was asked, what acts
    float_action: tuple[float, ...] = ()  # of the float policy for the same observation and latents
    state: int | None = None
    flags: int = 0
    candidate: int | None = None
    age: int | None = None
    digest: int | None = None
    ticks: int = 0
    rtt: float | None = None  # seconds
    latency: float | None = None  # seconds that the plant paid until the action acted; None: not asked
    matched: bool = True
    twin_gap: float | None = None  # largest difference of the action to the predicted one
    fault: str = ""  # faults of sensor or device that were at work
    action_gap: float | None = None  # to the float policy's choice
    recorded_gap: float | None = None  # to the recorded action, where recorded observations are streamed
    same_candidate_gap: float | None = None  # to the float policy's action of the candidate that was played
    observation: tuple[float, ...] = ()  # as it was sent, or given to the float policy; empty where none came
    twin_action: tuple[float, ...] = ()  # the predicted one
    pose: tuple[float, ...] = ()  # of the plant before this step: what it can be drawn from
    sent: float | None = None  # time.perf_counter() at the request


@dataclass(frozen=True)
class Mismatch:
    """A reply that is not the predicted one."""

    episode: int
    step: int
    differences: dict[str, dict[str, Any]]  # field -> {"expected": …, "got": …}
    observation: list[Any] | None  # None: the request was a TICK; NaN as text
    plan_index: int
    plan_bytes: list[dict[str, Any]] = field(default_factory=list)  # {"candidate", "byte", "what", …}
    note: str = ""


@dataclass(frozen=True)
class PlayedEpisode:
    """One played episode."""

    seed: int
    episode_return: float
    steps: int
    finished: bool  # False: the link was lost in it
    success: bool | None = None  # as its plant says; None: it does not
    ended: bool = False  # by the plant before its time: a fall, where a robot can fall


@dataclass
class Recording:
    """Everything that one device did in a scenario."""

    device: str  # as the report calls it
    steps: list[Step] = field(default_factory=list)
    episodes: list[PlayedEpisode] = field(default_factory=list)
    replies: int = 0
    mismatched: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)  # the first few
    wall_seconds: float = 0.0
    check_seconds: float = 0.0  # of the processor: to predict and compare
    injected: Counter[str] = field(default_factory=Counter)  # faults, by name
    notes: list[Note] = field(default_factory=list)  # all bytes that went and came, below the link's faults
    marks: list[tuple[str, int]] = field(default_factory=list)  # faults of the link: name, index of the step
    lost: str | None = None  # why the run ended early
    interrupted: bool = False  # by the user
    restarted: bool = False  # by a fault or the watchdog
    hello: Hello | None = None
    clock: DeviceClock | None = None
    echo_rtt: list[float] = field(default_factory=list)  # seconds, round trips of the link alone
    telemetry: Telemetry | None = None
    counters: LinkCounters = field(default_factory=LinkCounters)
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    toolchain: str | None = None
    exact: bool = True
    address: str = ""  # as `--device` takes it, where that is not how the report calls it
    timeless: bool = False  # see `Device.timeless`
    own_steps: int = 0  # that the device played by its own clock, at pace `real`
    host: HostTime | None = None  # at pace `real`
