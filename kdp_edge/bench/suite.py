# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The benchmark suite: what is measured, and where (task x seed x planner x plant) results lie as files.

<workspace>/bench/<name>/suite.json                          what is measured
<workspace>/bench/<name>/<task>/s<seed>/run/                 the trained run, with its baselines
<workspace>/bench/<name>/<task>/s<seed>/<planner>.json       scores of the episodes, a record (records.py)
<workspace>/bench/<name>/<task>/s<seed>/<planner>@<plant>.json   the same on a perturbed plant
<workspace>/bench/<name>/<task>/latency.json                 planning times, all planners in one process
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, write_json
from kdp_edge.base.lookup import unknown
from kdp_edge.base.workspace import workspace
from kdp_edge.learn.machine import pick_precision
from kdp_edge.learn.recipes import recipe_for
from kdp_edge.learn.traits import Traits, traits_named
from kdp_edge.run import Run, RunConfig
from kdp_edge.tasks import TASKS, get_task

PLANNERS = (
    "kdp", "kdp-plan", "kdp-ranked", "int8", "behaviour", "diffusion-20", "diffusion-5", "diffusion-1",
    "clone",
)  # fmt: skip
NOMINAL = "nominal"
TWINS = tuple(name for name, task in TASKS.items() if task.recipe and task.in_suite)
PUBLISHED_PREFIX = "d4rl-"  # of imported sets that stand for a task's published data
FRESH_SEED = 200  # plus the training seed: of data that nothing was chosen on
DEPLOYMENT = ("k", "margin")  # settings that no training reads: a run is played with today's
MACHINE = ("device", "precision")  # where a run was trained, not how


@dataclass(frozen=True)
class Suite:
    """What is measured.

    Every task is trained on the data set of its name, on d4rl-<task>, or each seed on data of its own.
    """

    name: str
    tasks: tuple[str, ...] = TWINS
    seeds: tuple[int, ...] = (0, 1, 2)
    planners: tuple[str, ...] = PLANNERS
    episodes: int = 20  # a seed
    k: int | None = None  # None: as the recipe deploys each run
    latency_rounds: int = 1000  # 0: no times
    published: bool = False
    fresh: bool = False  # every seed on data of its own
    perturb: tuple[str, ...] = ()  # names of `PERTURBATIONS`
    device: str = "cpu"
    settings: tuple[tuple[str, float], ...] = ()  # RunConfig fields that differ from the recipe

    @property
    def folder(self) -> Path:
        return workspace() / "bench" / self.name

    def data_name(self, task: str, seed: int) -> str:
        if self.fresh:
            return f"{task}-fresh{seed}"
        return f"{PUBLISHED_PREFIX}{task}" if self.published else task

    def place(self, task: str, seed: int) -> Path:
        return self.folder / task / f"s{seed}"

    def config(self, task: str, seed: int, traits: Traits | None = None) -> RunConfig:
        """The run's configuration: what its data ask for, but for `settings` and `k`.

        Args:
            traits: of the data, where they are known.
        """
        found, name = get_task(task), self.data_name(task, seed)
        changes: dict[str, Any] = dict(self.settings) | ({} if self.k is None else {"k": self.k})
        precision = pick_precision("auto", self.device)
        traits = traits or traits_named(name)
        return recipe_for(found, name, traits, seed=seed, device=self.device, precision=precision, **changes)

    def trained(self, task: str, seed: int) -> bool:
        """Whether the run is in this workspace."""
        return (self.place(task, seed) / "run" / "run.json").is_file()

    def deployed(self, task: str, seed: int) -> Run:
        """The trained run, with the candidates and the margin that the recipe deploys it with today.

        Raises:
            KdpError: no complete run, or one that was trained with other settings than the recipe's.
        """
        run = Run.load(self.place(task, seed) / "run")
        today = self.config(task, seed, _known_traits(run))
        check_same(run.config, today, run.path / "config.json")
        return replace(run, config=replace(run.config, **{name: getattr(today, name) for name in DEPLOYMENT}))

    def measures(self) -> dict[str, Any]:
        """What all results of the suite have in common."""
        return {
            "episodes": self.episodes,
            "k": self.k,
            "published": self.published,
            "fresh": self.fresh,
            "settings": [list(setting) for setting in self.settings],
        }

    def open(self) -> None:
        """Write suite.json, or check that an earlier start measured the same.

        Tasks, seeds, planners and plants may be added.
        """
        file = self.folder / "suite.json"
        if file.is_file():
            check_measures(read_json(file), self, file)
        write_json(file, self.measures())


def check_measures(earlier: Any, suite: Suite, file: Path) -> None:
    """Raise `KdpError` unless `file` holds what this suite measures as well."""
    for key, value in suite.measures().items():
        if not isinstance(earlier, dict) or earlier.get(key) != value:
            found = earlier.get(key) if isinstance(earlier, dict) else earlier
            raise KdpError(
                f"{file}: this suite was started with {key} {found}, now {value}; choose another --name, "
                f"or remove {file.parent if file.name == 'suite.json' else file} to begin again"
            )


def check_same(run: RunConfig, today: RunConfig, file: Path) -> None:
    """Raise `KdpError` that names every setting of a run, but for its deployment, that is not today's."""
    kept = {*DEPLOYMENT, *MACHINE}
    names = [field.name for field in fields(RunConfig) if field.name not in kept]
    differ = [name for name in names if getattr(run, name) != getattr(today, name)]
    if differ:
        words = ", ".join(f"{name} {getattr(run, name)} instead of {getattr(today, name)}" for name in differ)
        raise KdpError(
            f"{file}: not what the recipe gives now: {words}; remove the run to train it again, or choose "
            "another --name"
        )


def _known_traits(run: Run) -> Traits | None:
    """The traits of a run's data as its training kept them; None where it kept others than today's."""
    known = run.metrics.get("recipe", {}).get("traits", {})
    names = [field.name for field in fields(Traits)]
    return Traits(**{name: known[name] for name in names}) if all(name in known for name in names) else None


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
