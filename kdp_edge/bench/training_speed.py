"""Training throughput: every stage of today's training and of the first version's, taking turns.

Turns of a few steps in one process: whatever else the machine does meets all versions alike.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Protocol

import torch
from torch import Tensor

from kdp_edge import first_version as first
from kdp_edge.base.provenance import git_commit
from kdp_edge.bench.diffusion import DiffusionStage
from kdp_edge.data import store
from kdp_edge.learn.actor import ActorStage
from kdp_edge.learn.clone import CloneStage, MeanStage
from kdp_edge.learn.critic import DistillStage
from kdp_edge.learn.generator import GeneratorStage
from kdp_edge.learn.matches import Matches
from kdp_edge.learn.prepare import first_actions, prepare
from kdp_edge.learn.values import Transitions, ValueStage
from kdp_edge.run import RunConfig

FIRST = "first version"
# "improved generator" also follows the values' gradient; the first version had neither it, mean nor actor
STAGES = ("values", "mean", "actor", "generator", "improved generator", "critic", "diffusion", "clone")
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
TURN = 16  # steps: a multiple of those that one draw of batches is for
PROFILED = 3  # turns


class Steps(Protocol):
    """Something that trains."""

    def step(self) -> None: ...


@dataclass(frozen=True)
class Row:
    """One stage of one version: medians over all turns but the first.

    windows_per_s: generated, denoised or regressed windows; transitions of values and actor; candidates
    of the critic. times_first: the first version's wall-clock time / this one's, if it had the stage.
    """

    stage: str
    version: str
    ms_per_step: float
    cpu_ms_per_step: float
    windows_per_s: float
    times_first: float | None


def _flat(matches: Matches) -> Tensor:
    """Mean windows that nobody trained: as good as any for timing."""
    return torch.zeros_like(matches.flat)


class Bench:
    """Stages of several versions on one data set, with values that are not trained: as fast as if."""

    def __init__(self, config: RunConfig, precisions: Sequence[str]) -> None:
        torch.set_num_threads(1)
        self.config = config
        self.prepared = prepare(config, store.load(config.data), self._untrained, _flat, self._idle)
        made = {precision: self._today(replace(config, precision=precision)) for precision in precisions}
        self.versions: dict[str, dict[str, Steps]] = {FIRST: self._first(), **made}

    def _untrained(self, transitions: Transitions) -> ValueStage:
        self.transitions = transitions
        return ValueStage(self.config, transitions, self._rng())

    def _idle(self, transitions: Transitions) -> ActorStage:
        self.single = transitions
        return ActorStage(self.config, transitions, self._rng())

    def _rng(self) -> torch.Generator:
        torch.manual_seed(0)
        return torch.Generator(self.config.device).manual_seed(0)

    def _today(self, c: RunConfig) -> dict[str, Steps]:
        p = self.prepared
        values = ValueStage(c, self.transitions, self._rng())
        values.done = c.value_warmup  # most steps come after it
        generator = GeneratorStage(replace(c, improve=0.0), p.matches, self._rng())
        actions, net = first_actions(p.windows, c), generator.deployed()
        stages: dict[str, Steps] = {
            "values": values,
            "mean": MeanStage(c, p.matches, self._rng()),
            "generator": generator,
            "critic": DistillStage(c, p.matches, actions, net, p.verdict, self._rng()),
            "diffusion": DiffusionStage(c, p.matches, self._rng()),
            "clone": CloneStage(c, p.matches.keys, p.matches.flat, self._rng()),
        }
        if c.actor_steps:
            stages["actor"] = ActorStage(c, self.single, self._rng())
        if c.improve:
            stages["improved generator"] = GeneratorStage(c, p.matches, self._rng(), p.verdict)
        return stages

    def _first(self) -> dict[str, Steps]:
        c, p = self.config, self.prepared
        values = first.FirstValues(c, self.transitions, self._rng())
        generator = first.FirstGenerator(c, p.matches, self._rng())
        actions, net = first_actions(p.windows, c), generator.average
        critic = first.FirstCritic(c, p.matches, actions, net, p.verdict, self._rng())
        diffusion = first.FirstDiffusion(c, p.matches, self._rng())
        clone = first.FirstClone(c, p.matches, self._rng())
        return dict(values=values, generator=generator, critic=critic, diffusion=diffusion, clone=clone)

    def measure(self, turns: int, show: Callable[[int], None]) -> list[Row]:
        """Time `turns` turns of every stage of every version; `show(done)` of STAGES * turns."""
        rows = []
        for number, stage in enumerate(STAGES):  # those of this recipe
            having = {version: stages[stage] for version, stages in self.versions.items() if stage in stages}
            timed: dict[str, list[tuple[float, float]]] = {version: [] for version in having}
            for turn in range(turns + 1):
                for version, steps in having.items():
                    timed[version].append(self._time(steps))
                show(number * turns + turn)
            rows += self._rows(stage, {version: found[1:] for version, found in timed.items()})
        return rows

    def _time(self, stage: Steps) -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(TURN):
            stage.step()
        if self.config.device == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - wall) / TURN, (time.process_time() - cpu) / TURN

    def _rows(self, stage: str, timed: dict[str, list[tuple[float, float]]]) -> list[Row]:
        medians = {v: [median(column) for column in zip(*found, strict=True)] for v, found in timed.items()}
        base = medians[FIRST][0] if FIRST in medians else None
        return [
            Row(
                stage, version, round(wall * 1e3, 3), round(cpu * 1e3, 3),
                round(self.windows_per_step(stage) / wall, 1), base and round(base / wall, 2),
            )
            for version, (wall, cpu) in medians.items()
        ]  # fmt: skip

    def windows_per_step(self, stage: str) -> int:
        c = self.config
        transitions, generated = c.value_batch, c.batch * c.samples
        known = {"values": transitions, "actor": transitions, "critic": c.distill_batch}
        known |= {"generator": generated, "improved generator": generated}
        return known.get(stage, generated + c.anchor_batch)

    def whole_run(self, rows: Sequence[Row]) -> dict[str, dict[str, float]]:
        """Seconds that all steps of `kdp-edge train` take, and generated windows in each of them.

        times_first_shared: of the work alone that the first version did, too.
        """
        c = self.config
        shared = {"values": c.value_warmup + c.value_steps, "generator": c.steps, "critic": c.distill_steps}
        today = shared | {"mean": c.mean_steps, "actor": c.actor_steps}
        if c.improve:
            today["improved generator"] = today.pop("generator")
        windows = c.steps * c.batch * c.samples
        first = _seconds(rows, FIRST, shared)
        found = {}
        for version in self.versions:
            seconds = _seconds(rows, version, shared if version == FIRST else today)
            found[version] = {
                "seconds": round(seconds, 1),
                "windows_per_s": round(windows / seconds, 1),
                "times_first": round(first / seconds, 2),
                "times_first_shared": round(first / _seconds(rows, version, shared), 2),
            }
        return found

    def profile(self, version: str, count: int) -> dict[str, dict[str, Any]]:
        """Where each stage's time goes, in microseconds a step.

        Returns:
            by stage: `products` and `rest`, the times in matrix products and in all else, and
            `operations`, the `count` that take the most time themselves.
        """
        from torch.profiler import ProfilerActivity, profile

        cuda = self.config.device == "cuda"
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
        found = {}
        for name, stage in self.versions[version].items():
            for turns in (1, PROFILED):  # the profiler's own start falls into the first
                with profile(activities=activities) as measured:
                    for _ in range(turns):
                        self._time(stage)
            steps = PROFILED * TURN
            spent = {
                event.key: (
                    (event.self_device_time_total if cuda else event.self_cpu_time_total) / steps,
                    event.count / steps,
                )
                for event in measured.key_averages()
            }
            products = sum(spent[key][0] for key in PRODUCTS if key in spent)
            first = sorted(spent, key=lambda key: spent[key][0], reverse=True)[:count]
            found[name] = {
                "products": round(products, 1),
                "rest": round(sum(us for us, _ in spent.values()) - products, 1),
                "operations": [
                    {"name": key, "us": round(spent[key][0], 1), "calls": round(spent[key][1], 1)}
                    for key in first
                ],
            }
        return found


def _seconds(rows: Sequence[Row], version: str, steps: dict[str, int]) -> float:
    """What `steps` of each stage take."""
    return sum(steps.get(row.stage, 0) * row.ms_per_step / 1e3 for row in rows if row.version == version)


def machine(device: str) -> str:
    """What the times hold for."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    matrix = "AMX" if torch.cpu.get_capabilities().get("amx_bf16") else "no AMX"
    return f"{platform.machine()}, one core, {matrix}"


def result(bench: Bench, rows: Sequence[Row], turns: int) -> dict[str, Any]:
    """What the result file holds."""
    return {
        "task": bench.config.task,
        "data": {"name": bench.prepared.data.name, "sha256": bench.prepared.data.sha256},
        "device": bench.config.device,
        "machine": machine(bench.config.device),
        "torch": torch.__version__,
        "git": git_commit(),
        "steps_timed": turns * TURN,
        "rows": [vars(row) for row in rows],
        "whole_run": bench.whole_run(rows),
    }
