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
from kdp_edge.actor import ActorStage
from kdp_edge.clone import CloneStage, MeanStage
from kdp_edge.critic import DistillStage
from kdp_edge.data import store
from kdp_edge.diffusion import DiffusionStage
from kdp_edge.generator import GeneratorStage, Matches
from kdp_edge.prepare import first_actions, prepare
from kdp_edge.run import RunConfig
from kdp_edge.train import git_commit
from kdp_edge.values import Transitions, ValueStage

FIRST = "first version"
STAGES = ("values", "mean", "generator", "critic", "diffusion", "clone")
RUN_STAGES = STAGES[:4]  # of `kdp-edge train`; the first version had no `mean`
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
TURN = 16  # steps: a multiple of those that one draw of batches is for
PROFILED = 6  # turns


class Steps(Protocol):
    """Something that trains."""

    def step(self) -> None: ...


@dataclass(frozen=True)
class Row:
    """One stage of one version: medians over all turns but the first.

    windows_per_s: generated, denoised or regressed windows; transitions of the values; candidates
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
        return ActorStage(self.config, transitions, self._rng())

    def _rng(self) -> torch.Generator:
        torch.manual_seed(0)
        return torch.Generator(self.config.device).manual_seed(0)

    def _today(self, c: RunConfig) -> dict[str, Steps]:
        p = self.prepared
        values = ValueStage(c, self.transitions, self._rng())
        values.done = c.value_warmup  # most steps come after it
        mean = MeanStage(c, p.matches, self._rng())
        generator = GeneratorStage(c, p.matches, self._rng(), p.verdict)
        actions, net = first_actions(p.windows, c), generator.deployed()
        critic = DistillStage(c, p.matches, actions, net, p.verdict, self._rng())
        diffusion = DiffusionStage(c, p.matches, self._rng())
        clone = CloneStage(c, p.matches.keys, p.matches.flat, self._rng())
        return dict(zip(STAGES, (values, mean, generator, critic, diffusion, clone), strict=True))

    def _first(self) -> dict[str, Steps]:
        c, p = self.config, self.prepared
        values = first.FirstValues(c, self.transitions, self._rng())
        generator = first.FirstGenerator(c, p.matches, self._rng())
        actions, net = first_actions(p.windows, c), generator.average
        critic = first.FirstCritic(c, p.matches, actions, net, p.verdict, self._rng())
        diffusion = first.FirstDiffusion(c, p.matches, self._rng())
        clone = first.FirstClone(c, p.matches, self._rng())
        stages = [stage for stage in STAGES if stage != "mean"]
        return dict(zip(stages, (values, generator, critic, diffusion, clone), strict=True))

    def measure(self, turns: int, show: Callable[[int], None]) -> list[Row]:
        """Time `turns` turns of every stage of every version; `show(done)` of STAGES * turns."""
        rows = []
        for number, stage in enumerate(STAGES):
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
        known = {"values": c.value_batch, "generator": c.batch * c.samples, "critic": c.distill_batch}
        return known.get(stage, c.batch * c.samples + c.anchor_batch)

    def whole_run(self, rows: Sequence[Row]) -> dict[str, dict[str, float]]:
        """Seconds that all steps of `kdp-edge train` take, and generated windows in each of them."""
        c = self.config
        counts = (c.value_warmup + c.value_steps, c.mean_steps, c.steps, c.distill_steps)
        steps = dict(zip(RUN_STAGES, counts, strict=True))
        seconds = {
            version: sum(
                steps[r.stage] * r.ms_per_step / 1e3
                for r in rows
                if r.version == version and r.stage in steps
            )
            for version in self.versions
        }
        windows = c.steps * c.batch * c.samples
        return {
            version: {
                "seconds": round(s, 1),
                "windows_per_s": round(windows / s, 1),
                "times_first": round(seconds[FIRST] / s, 2),
            }
            for version, s in seconds.items()
        }

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
