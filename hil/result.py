# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a closed-loop run found, as typed data: the content of report.json (docs/closed-loop.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from kdp_edge.hil.curves.tolerance import Tolerance
from kdp_edge.hil.link import LinkCounters
from kdp_edge.hil.reaction_check import Reacted
from kdp_edge.hil.scenario import Mismatch
from kdp_edge.wire.protocol import Hello, Telemetry

SCHEMA = 1
T = TypeVar("T")


PASSED, FAILED, NOT_JUDGED = "passed", "failed", "not judged"
MISSING = "missing"  # of a board that never answered


@dataclass(frozen=True)
class Gate:
    """One condition; `limit` is a text such as "== 0" or ">= 1000"."""

    name: str
    limit: str
    value: Any  # a number, a text, or what JSON can hold of both
    passed: bool | None  # None: not judged, and `limit` says why

    @property
    def outcome(self) -> str:
        """passed, failed or not judged."""
        return NOT_JUDGED if self.passed is None else PASSED if self.passed else FAILED


DEVICE, BEHAVIOUR = "device", "behaviour"


@dataclass(frozen=True)
class Verdict:
    """What the gates of one question say.

    "device": does every device do what was predicted, in time? "behaviour": does what it plays there
    reach what the data's own behaviour and the float policy reach?
    """

    name: str  # device or behaviour
    outcome: str  # passed, failed or not judged
    says: str  # in one sentence
    gates: list[str]  # their names


@dataclass(frozen=True)
class Percentiles:
    """Measured values at these ranks; None where nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class DeviceTime(Percentiles):
    """Times of plans by the device's own clock, in `unit`, of which `hz` are a second."""

    unit: str = ""
    source: str = ""
    hz: float = 0.0


@dataclass(frozen=True)
class HostFitness:
    """How well the host kept its own time at pace `real`."""

    permitted: dict[str, str]  # SCHED_FIFO, mlockall, CPU pinning: used, or why not
    before_ms: Percentiles  # lateness of cycles in the look before the run
    lateness_ms: Percentiles  # of cycles in the run
    period_ms: Percentiles  # from one cycle's begin to the next
    missed: int  # cycles that were skipped
    late_answers: int  # that came after their own cycle
    unfit: str | None  # why it cannot judge a device

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> HostFitness:
        """What `asdict` wrote."""
        names = ("before_ms", "lateness_ms", "period_ms")
        return cls(**(value | {name: Percentiles(**value[name]) for name in names}))


@dataclass(frozen=True)
class WarmUp:
    """First steps of a run, whose round trips are reported apart."""

    steps: int
    rtt_ms_max: float | None


@dataclass(frozen=True, kw_only=True)
class Played:
    """Episodes that were played to their end; returns in the task's unit, scores D4RL-normalised."""

    episodes: int
    returns: list[float]
    lengths: list[int]
    return_mean: float | None
    return_ci95: list[float] | None  # low, high: Student's t over episodes
    score_mean: float | None
    wall_seconds: float
    steps: int
    successes: list[bool] = field(default_factory=list)  # of each episode, where the plant says it
    success_rate: float | None = None  # 0 to 1
    success_ci95: list[float] | None = None  # low, high: Wilson's over episodes
    recorded_gap_p50: float | None = None  # to the recorded actions, where recorded observations are streamed
    recorded_gap_p95: float | None = None


@dataclass(frozen=True, kw_only=True)
class DeviceResult(Played):
    """What a device behind a link did. Gaps are in the task's action units, sizes in bytes."""

    action_gap_max: float | None  # to the float policy's choice
    action_gap_p50: float | None
    action_gap_same_candidate_max: float | None  # what int8 arithmetic alone does
    action_gap_same_candidate_p50: float | None
    replies: int
    mismatched_replies: int
    exact: bool  # whether every byte of a reply is predicted
    twin_gap_max: float | None
    far_share: float | None  # of the actions, see `summary.FAR`
    mismatches: list[Mismatch]  # the first few
    deadline_misses: int
    fallback_steps: int
    states: dict[str, int]
    faults_injected: dict[str, int]
    limited_steps: int
    flash_bytes: int | None
    ram_bytes: int | None
    stack_bytes: int | None
    stack_high_water_bytes: int | None
    link: LinkCounters
    lost: str | None  # why the run ended early
    hello: Hello
    telemetry: Telemetry | None
    rtt_ms: Percentiles
    warm_up: WarmUp
    echo_ms: Percentiles  # round trips of the link alone
    device_time: DeviceTime | None
    device_ms: Percentiles | None  # of the same plans as `device_time`
    deadline_share: float | None = None  # of the deadline, by the slowest of these plans
    late_round_trips: int = 0  # control steps whose round trip took longer than a period
    latency_ms: Percentiles | None = None  # that the plant paid until actions acted; None at pace lockstep
    skipped_steps: int = 0  # for which nobody was asked: device or host were late
    own_steps: int = 0  # that the device played by its own clock, at pace `real`
    host: HostFitness | None = None  # at pace `real`
    restarted: bool = False  # by a fault or the watchdog, as HELLO said before, after or in the middle
    float_difference: float | None = None  # of the mean return, to the float policy's on the same seeds
    float_difference_ci95: list[float] | None = None  # paired; None for a single episode
    address: str = ""  # as `--device` takes it, where the report calls it by a name of a boards file

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> DeviceResult:
        """What `asdict` wrote."""
        nested = {
            "mismatches": [Mismatch(**one) for one in value["mismatches"]],
            "link": LinkCounters(**value["link"]),
            "hello": Hello(**value["hello"]),
            "telemetry": _optional(Telemetry, value["telemetry"]),
            "rtt_ms": Percentiles(**value["rtt_ms"]),
            "warm_up": WarmUp(**value["warm_up"]),
            "echo_ms": Percentiles(**value["echo_ms"]),
            "device_time": _optional(DeviceTime, value["device_time"]),
            "device_ms": _optional(Percentiles, value["device_ms"]),
            "latency_ms": _optional(Percentiles, value.get("latency_ms")),
            "host": HostFitness.from_json(value["host"]) if value.get("host") else None,
        }
        return cls(**(value | nested))


@dataclass(frozen=True)
class BoardResult:
    """A board of a boards file, whether it answered or not."""

    name: str
    address: str  # as `--device` takes it; empty where no port has its serial number
    outcome: str  # passed, failed or missing
    seconds: float  # wall-clock of its part
    why: str  # the gates that failed, or why it is missing


@dataclass(frozen=True)
class PlayedFault:
    """A fault that was asked for, and how often each device met it."""

    name: str
    fault: str
    place: str
    meaning: str
    expected: str
    played: dict[str, int]
    reactions: dict[str, list[Reacted]] = field(default_factory=dict)  # what was seen of each, by device

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PlayedFault:
        """What `asdict` wrote."""
        found = value.get("reactions", {})
        made = {device: [Reacted(**one) for one in rows] for device, rows in found.items()}
        return cls(**(value | {"reactions": made}))


@dataclass(frozen=True)
class Provenance:
    """What made the report."""

    time: str
    git: str | None
    run: str | None
    model_sha256: str
    data_sha256: str | None
    packages: dict[str, str]
    toolchain: str | None
    host: str
    rival: str | None = None  # the other policy of the report, and its model


@dataclass(frozen=True)
class Report:
    """A closed-loop run over several devices; its names are a contract."""

    task: str
    seeds: list[int]
    max_steps: int
    k: int
    horizon: int
    chunk: int
    rate_hz: float
    deadline_ms: float
    passed: bool  # no gate failed, of either verdict; whether behaviour was judged, `verdicts` says
    gates: list[Gate]
    devices: dict[str, Played | DeviceResult]  # "float" is a `Played`
    faults: list[PlayedFault]
    provenance: Provenance
    mode: str = "lockstep"  # the simulation waits for the device
    schema: int = SCHEMA
    verdicts: list[Verdict] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)  # names with units
    interrupted: bool = False  # by the user: what was played by then
    boards: list[BoardResult] = field(default_factory=list)  # of a boards file
    video: str | None = None  # what it shows and how it was drawn, or why there is none; None: not asked for
    tolerances: list[Tolerance] = field(default_factory=list)  # how much slower a device may get
    notes: list[str] = field(default_factory=list)  # what a reader should know besides, a line each
    ahead: bool = False  # plans are made in a chunk's last step for the next one

    @property
    def failed(self) -> list[Gate]:
        """The gates that failed."""
        return [gate for gate in self.gates if gate.passed is False]

    @property
    def gates_by_outcome(self) -> list[Gate]:
        """The gates, those that failed first, then those that were not judged."""
        return sorted(self.gates, key=lambda gate: (FAILED, NOT_JUDGED, PASSED).index(gate.outcome))

    @property
    def answering(self) -> dict[str, DeviceResult]:
        """The devices behind a link, without the float policy."""
        return {name: one for name, one in self.devices.items() if isinstance(one, DeviceResult)}

    @property
    def missing(self) -> list[BoardResult]:
        """The boards that never answered."""
        return [one for one in self.boards if one.outcome == MISSING]

    def kind(self, name: str) -> str:
        """What kind of device is called `name`: reference, native, qemu, serial or agent."""
        one = self.answering.get(name)
        return ((one and one.address) or name).partition(":")[0]

    @property
    def lost(self) -> str | None:
        """Why a device was lost, if one was."""
        return next((one.lost for one in self.answering.values() if one.lost), None)

    def to_json(self) -> dict[str, Any]:
        """report.json as a value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Report:
        """What `to_json` made; raises KeyError or TypeError for anything else."""
        devices = {
            name: DeviceResult.from_json(one) if "replies" in one else Played(**one)
            for name, one in value["devices"].items()
        }
        nested = {
            "gates": [Gate(**gate) for gate in value["gates"]],
            "devices": devices,
            "faults": [PlayedFault.from_json(fault) for fault in value["faults"]],
            "provenance": Provenance(**value["provenance"]),
            "tolerances": [Tolerance(**one) for one in value.get("tolerances", [])],
            "verdicts": [Verdict(**verdict) for verdict in value.get("verdicts", [])],
            "boards": [BoardResult(**one) for one in value.get("boards", [])],
        }
        return cls(**(value | nested))


def _optional(kind: Callable[..., T], value: dict[str, Any] | None) -> T | None:
    return None if value is None else kind(**value)
