# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Training throughput: every stage of a run in each precision, taking turns.

Turns of a few steps in one process: whatever else the machine does meets all alike. How the stages compare
with the first version's is recorded in benchmarks/results/training.json, by the last commit that had both.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Protocol

import torch

from kdp_edge.base.progress import Progress
from kdp_edge.base.provenance import git_commit
from kdp_edge.bench.diffusion import DiffusionStage
from kdp_edge.data import store
from kdp_edge.learn.actor import TD3BCStage
from kdp_edge.learn.clone import CloneStage, MeanStage
from kdp_edge.learn.critic import DistillStage
from kdp_edge.learn.generator import GeneratorStage
from kdp_edge.learn.matches import Matches, first_actions
from kdp_edge.learn.plant import MEMBERS, PlantStage, PlantSteps
from kdp_edge.learn.prepare import Source
from kdp_edge.learn.values import IQLStage, Judge, Transitions, judge
from kdp_edge.run import RunConfig

STAGES = ("values", "mean", "actor", "generator", "plant", "critic", "diffusion", "clone")
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
TURN = 16  # steps: a multiple of those that one draw of batches is for
PROFILED = 3  # turns


class Steps(Protocol):
    """Something that trains."""

    def step(self) -> None: ...


@dataclass(frozen=True)
class StageTime:
    """One stage in one precision: medians over all turns but the first.

    windows_per_s: generated, denoised or regressed windows; transitions of values and actor; candidates
    of the critic.
    """

    stage: str
    precision: str
    ms_per_step: float
    cpu_ms_per_step: float
    windows_per_s: float


class Bench:
    """Stages in several precisions on one data set, with values that are not trained: as fast as if."""

    def __init__(self, config: RunConfig, precisions: Sequence[str]) -> None:
        torch.set_num_threads(1)
        self.config = config
        self.source = Source.of(config, store.load_data(config.data))
        transitions = self.source.transitions(config)
        verdict = judge(IQLStage(config, transitions, self._rng()))
        matches = self.source.matches(config, verdict)
        # mean windows that nobody trained are as good as any for timing
        matches = replace(matches, center=torch.zeros_like(matches.flat))
        self.stages = {
            precision: self._stages(replace(config, precision=precision), transitions, matches, verdict)
            for precision in precisions
        }

    def _rng(self) -> torch.Generator:
        torch.manual_seed(0)
        return torch.Generator(self.config.device).manual_seed(0)

    def _stages(
        self, c: RunConfig, transitions: Transitions, matches: Matches, verdict: Judge
    ) -> dict[str, Steps]:
        values = IQLStage(c, transitions, self._rng())
        values.done = c.value_warmup  # most steps come after it
        generator = GeneratorStage(c, matches, self._rng(), verdict)
        actions, net = first_actions(self.source.windows, c), generator.deployed()
        stages: dict[str, Steps] = {
            "values": values,
            "mean": MeanStage(c, matches, self._rng()),
            "generator": generator,
            "critic": DistillStage(c, matches, actions, net, verdict, self._rng()),
            "diffusion": DiffusionStage(c, matches, self._rng()),
            "clone": CloneStage(c, matches.keys, matches.flat, self._rng()),
        }
        if c.actor_steps:
            single = self.source.transitions(replace(c, n_step=1))
            stages["actor"] = TD3BCStage(c, single, self._rng())
        if c.brace:
            steps = PlantSteps.of(self.source.data, self.source.normalizer, c.device)
            stages["plant"] = PlantStage(c, steps, self._rng())
        return stages

    def measure(self, turns: int, show: Progress) -> list[StageTime]:
        """Time `turns` turns of every stage in every precision; `show(done)` of STAGES * turns."""
        rows = []
        for number, stage in enumerate(STAGES):  # those of this recipe
            having = {name: stages[stage] for name, stages in self.stages.items() if stage in stages}
            timed: dict[str, list[tuple[float, float]]] = {name: [] for name in having}
            for turn in range(turns + 1):
                for name, steps in having.items():
                    timed[name].append(self._time(steps))
                show(number * turns + turn)
            rows += [self._row(stage, name, found[1:]) for name, found in timed.items()]
        return rows

    def _time(self, stage: Steps) -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(TURN):
            stage.step()
        if self.config.device == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - wall) / TURN, (time.process_time() - cpu) / TURN

    def _row(self, stage: str, precision: str, timed: list[tuple[float, float]]) -> StageTime:
        wall, cpu = (median(column) for column in zip(*timed, strict=True))
        windows = round(self.windows_per_step(stage) / wall, 1)
        return StageTime(stage, precision, round(wall * 1e3, 3), round(cpu * 1e3, 3), windows)

    def windows_per_step(self, stage: str) -> int:
        c = self.config
        transitions, generated = c.value_batch, c.batch * c.samples
        known = {"values": transitions, "actor": transitions, "critic": c.distill_batch}
        known["plant"] = MEMBERS * c.plant_batch
        return (known | {"generator": generated}).get(stage, generated + c.anchor_batch)

    def whole_run(self, rows: Sequence[StageTime]) -> dict[str, dict[str, float]]:
        """Seconds that all steps of `kdp-edge train` take, and generated windows in each of them."""
        c = self.config
        steps = {
            "values": c.value_warmup + c.value_steps, "mean": c.mean_steps, "actor": c.actor_steps,
            "generator": c.steps, "plant": c.plant_steps, "critic": c.distill_steps,
        }  # fmt: skip
        found = {}
        for precision in self.stages:
            own = [row for row in rows if row.precision == precision]
            seconds = sum(steps.get(row.stage, 0) * row.ms_per_step / 1e3 for row in own)
            windows = round(c.steps * c.batch * c.samples / seconds, 1)
            found[precision] = {"seconds": round(seconds, 1), "windows_per_s": windows}
        return found

    def profile(self, precision: str, count: int) -> dict[str, dict[str, Any]]:
        """Where each stage's time goes, in microseconds per step.

        Returns:
            by stage: `products` and `rest`, the times in matrix products and in all else, and
            `operations`, the `count` that take the most time themselves.
        """
        from torch.profiler import ProfilerActivity, profile

        cuda = self.config.device == "cuda"
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
        found = {}
        for name, stage in self.stages[precision].items():
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


def result(bench: Bench, rows: Sequence[StageTime], turns: int) -> dict[str, Any]:
    """What the result file holds."""
    return {
        "task": bench.config.task,
        "data": {"name": bench.source.data.name, "sha256": bench.source.data.sha256},
        "device": bench.config.device,
        "machine": machine(bench.config.device),
        "torch": torch.__version__,
        "git": git_commit(),
        "steps_timed": turns * TURN,
        "rows": [vars(row) for row in rows],
        "whole_run": bench.whole_run(rows),
    }
