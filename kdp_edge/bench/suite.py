# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The benchmark suite: what is measured, and where (task x seed x planner) results lie as files.

<workspace>/bench/<name>/suite.json                      what is measured
<workspace>/bench/<name>/<task>/s<seed>/run/             the trained run, with its baselines
<workspace>/bench/<name>/<task>/s<seed>/<planner>.json   scores of the episodes
<workspace>/bench/<name>/<task>/latency.json             planning times, all planners in one process
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, write_json
from kdp_edge.base.lookup import unknown
from kdp_edge.base.workspace import workspace
from kdp_edge.data.store import load_data
from kdp_edge.learn.machine import pick_precision
from kdp_edge.learn.recipes import recipe_for
from kdp_edge.learn.traits import traits_of
from kdp_edge.run import RunConfig
from kdp_edge.tasks import TASKS, get_task

PLANNERS = ("kdp", "kdp-plan", "kdp-sample", "diffusion-20", "diffusion-5", "diffusion-1", "clone")
TWINS = tuple(name for name, task in TASKS.items() if task.recipe)
PUBLISHED_PREFIX = "d4rl-"  # of imported sets that stand for a task's published data


@dataclass(frozen=True)
class Suite:
    """What is measured. Every task is trained on the data set of its name, or on d4rl-<task>."""

    name: str
    tasks: tuple[str, ...] = TWINS
    seeds: tuple[int, ...] = (0, 1, 2)
    planners: tuple[str, ...] = PLANNERS
    episodes: int = 20  # a seed
    k: int = 16
    latency_rounds: int = 1000
    published: bool = False
    device: str = "cpu"
    settings: tuple[tuple[str, float], ...] = ()  # RunConfig fields that differ from the recipe

    @property
    def folder(self) -> Path:
        return workspace() / "bench" / self.name

    def data_name(self, task: str) -> str:
        return f"{PUBLISHED_PREFIX}{task}" if self.published else task

    def place(self, task: str, seed: int) -> Path:
        return self.folder / task / f"s{seed}"

    def config(self, task: str, seed: int) -> RunConfig:
        """The run's configuration: what its data ask for, but for `settings`."""
        found, name = get_task(task), self.data_name(task)
        changes: dict[str, Any] = dict(self.settings)
        precision = pick_precision("auto", self.device)
        traits = traits_of(load_data(name))
        return recipe_for(found, name, traits, seed=seed, device=self.device, precision=precision, **changes)

    def open(self) -> None:
        """Write suite.json, or check that an earlier start measured the same.

        Only tasks, seeds and planners may be added.
        """
        file = self.folder / "suite.json"
        mine = {key: value for key, value in _plain(asdict(self)).items() if key not in _GROWING}
        if file.is_file():
            earlier = read_json(file)
            for key, value in mine.items():
                if earlier.get(key) != value:
                    raise KdpError(
                        f"{file}: this suite was started with {key} {earlier.get(key)}, now {value}; choose "
                        "another --name, or delete the folder to begin again"
                    )
        write_json(file, mine)


_GROWING = ("tasks", "seeds", "planners")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def parse_settings(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """`steps=2000` -> (("steps", 2000),); raises `KdpError` for anything but numbers of RunConfig."""
    numeric = {f.name: f.type for f in fields(RunConfig) if f.type in ("int", "float")}
    found = []
    for text in texts:
        name, _, value = text.partition("=")
        if name not in numeric:
            raise unknown("field", name, numeric)
        try:
            found.append((name, int(value) if numeric[name] == "int" else float(value)))
        except ValueError:
            raise KdpError(f"--set {text}: expected {numeric[name]}, found '{value}'") from None
        if not isfinite(found[-1][1]):
            raise KdpError(f"--set {text}: expected a finite number, found '{value}'")
    return tuple(sorted(found))
