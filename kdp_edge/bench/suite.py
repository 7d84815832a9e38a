"""The benchmark suite: (task x seed x planner) jobs whose results are files, so it can be interrupted.

<workspace>/bench/<name>/suite.json                      what is measured
<workspace>/bench/<name>/<task>/s<seed>/run/             the trained run, with its baselines
<workspace>/bench/<name>/<task>/s<seed>/<planner>.json   scores of the episodes
<workspace>/bench/<name>/<task>/latency.json             planning times, all planners in one process
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, write_json
from kdp_edge.base.lookup import unknown
from kdp_edge.base.progress import silent_stages
from kdp_edge.base.statistics import interval95
from kdp_edge.base.workspace import workspace
from kdp_edge.learn.machine import pick_precision
from kdp_edge.learn.recipes import recipe_for
from kdp_edge.run import Run, RunConfig
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
        """The run's configuration: the recorded recipe, but for `settings`."""
        found = get_task(task)
        changes: dict[str, Any] = dict(self.settings)
        precision = pick_precision("auto", self.device)
        return recipe_for(
            found, self.data_name(task), seed=seed, device=self.device, precision=precision, **changes
        )

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
    return tuple(sorted(found))


@dataclass(frozen=True)
class Job:
    """One piece of work whose result is `file`; `work` is "train", "latency" or a planner's name."""

    suite: Suite
    task: str
    seed: int
    work: str
    home: str  # the workspace, on whatever machine the job runs

    @property
    def label(self) -> str:
        return f"{self.task} s{self.seed} {self.work}"

    @property
    def file(self) -> Path:
        place = self.suite.place(self.task, self.seed)
        if self.work == "train":
            return place / "run" / "run.json"
        return (place.parent if self.work == "latency" else place) / f"{self.work}.json"

    def finished(self) -> bool:
        return self.file.is_file() and (self.work != "train" or _has_baselines(self))

    def run(self) -> str | None:
        """Do the work unless it is done; returns what went wrong, or None."""
        import torch

        os.environ["KDP_EDGE_HOME"] = self.home
        torch.set_num_threads(1)
        try:
            if not self.finished():
                {"train": _train, "latency": _latency}.get(self.work, _score)(self)
        except KdpError as error:
            if error.exit_code == 130:
                raise  # the user's interrupt, not this job's fault
            return f"{self.label}: {error}"
        return None


def jobs(suite: Suite) -> Iterator[list[Job]]:
    """Three rounds, each of independent jobs: training, scores, then planning times."""
    home = str(workspace())
    pairs = [(task, seed) for task in suite.tasks for seed in suite.seeds]
    yield [Job(suite, task, seed, "train", home) for task, seed in pairs]
    yield [Job(suite, task, seed, name, home) for task, seed in pairs for name in suite.planners]
    yield [Job(suite, task, suite.seeds[0], "latency", home) for task in suite.tasks]


def _needs_baselines(suite: Suite) -> bool:
    return any(name.startswith(("diffusion", "clone")) for name in suite.planners)


def _has_baselines(job: Job) -> bool:
    return not _needs_baselines(job.suite) or (job.file.parent / "baselines" / "metrics.json").is_file()


def _train(job: Job) -> None:
    from kdp_edge.bench.baselines import ensure_baselines
    from kdp_edge.learn.train import train_run

    path = job.file.parent
    config = job.suite.config(job.task, job.seed)
    if not (path / "config.json").is_file():
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / "config.json", config.to_json())
    if not job.file.is_file():  # jobs may run on other machines: only the suite itself shows progress
        train_run(path, silent_stages)
    if _needs_baselines(job.suite):
        ensure_baselines(Run.load(path), silent_stages)


def _score(job: Job) -> None:
    from kdp_edge.base.provenance import git_commit
    from kdp_edge.bench.compare import KINDS
    from kdp_edge.play.evaluate import FIRST_SEED, play_episodes

    started = time.monotonic()
    run = Run.load(job.suite.place(job.task, job.seed) / "run")
    first = FIRST_SEED + 1000 * job.seed  # every seed plays other episodes
    result = play_episodes(
        run,
        range(first, first + job.suite.episodes),
        KINDS[job.work].make(run, job.suite.k),
        latent_seed=job.seed,
    )
    write_json(
        job.file,
        {
            "scores": [round(result.task.score(float(value)), 3) for value in result.returns],
            "switched": round(result.switched, 4),
            "wall_s": round(time.monotonic() - started, 1),
            "git": git_commit(),
        },
    )


def _latency(job: Job) -> None:
    from kdp_edge.bench.compare import kinds_named, latencies

    run = Run.load(job.suite.place(job.task, job.seed) / "run")
    found = latencies(run, kinds_named(job.suite.planners), job.suite.k, job.suite.latency_rounds)
    write_json(job.file, found)


def ensure_data(suite: Suite, progress: Callable[[str, int, int], None]) -> None:
    """Make missing local twins; published sets must have been imported as d4rl-<task>."""
    from kdp_edge.data import store
    from kdp_edge.data.making.make import make

    for name in suite.tasks:
        task = get_task(name)
        if store.exists(suite.data_name(name)):
            continue
        if suite.published:
            raise KdpError(
                f"no data set '{suite.data_name(name)}': import the published file with "
                f"kdp-edge data import FILE --task {name} --name {suite.data_name(name)}"
            )

        def show(done: int, label: str = f"data {name}", total: int = task.default_steps) -> None:
            progress(label, done, total)

        make(task, task.default_steps, seed=0, workers=2, progress=show)


def collect(suite: Suite) -> list[dict[str, Any]]:
    """One row a task and planner, over all seeds that have been measured."""
    return [
        row for task in suite.tasks for name in suite.planners if (row := _row(suite, task, name)) is not None
    ]


def _played(suite: Suite, task: str, name: str) -> dict[int, dict[str, Any]]:
    """What the planner `name` scored, by seed."""
    files = {seed: suite.place(task, seed) / f"{name}.json" for seed in suite.seeds}
    return {seed: read_json(file) for seed, file in files.items() if file.is_file()}


def _row(suite: Suite, task: str, name: str) -> dict[str, Any] | None:
    from kdp_edge.data import store

    played = _played(suite, task, name)
    if not played:
        return None
    runs = {seed: Run.load(suite.place(task, seed) / "run") for seed in played}
    scores = np.concatenate([result["scores"] for result in played.values()])
    first = next(iter(runs.values()))
    latency_file = suite.folder / task / "latency.json"
    latency = read_json(latency_file).get(name, {}) if latency_file.is_file() else {}
    spreads = [value for run in runs.values() if (value := _spread(run, name)) is not None]
    return {
        "task": task,
        "data": store.read_meta(suite.data_name(task)).get("origin", "local twin"),
        "planner": name,
        "seeds": list(played),
        "episodes": len(scores),
        "score_mean": round(float(scores.mean()), 2),
        "score_ci95": [round(v, 2) for v in interval95(scores)],
        **_kdp_ahead(suite, task, name, played),
        "behaviour_score": first.metrics["behaviour_score"],
        "spread_ratio": round(float(np.mean(spreads)), 3) if spreads else None,
        "latency_ms_p50": latency.get("latency_ms_p50"),
        "latency_ms_p99": latency.get("latency_ms_p99"),
        "k": 1 if name in ("kdp-plan", "kdp-sample", "clone") else suite.k,
        "data_sha256": first.provenance["data"]["sha256"],
        "git": "+".join(_commits(runs.values(), played.values())),
        "wall_s": round(sum(r["wall_s"] + _training(runs[s], name) for s, r in played.items()), 1),
    }


def _kdp_ahead(suite: Suite, task: str, name: str, played: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """KDP's score less this planner's on the same episodes: where these start decides much of both."""
    own = {} if name == "kdp" else _played(suite, task, "kdp")
    both = [seed for seed in played if seed in own]
    if not both:
        return {"kdp_ahead": None, "kdp_ahead_ci95": None}
    ahead = np.concatenate([np.subtract(own[seed]["scores"], played[seed]["scores"]) for seed in both])
    return {
        "kdp_ahead": round(float(ahead.mean()), 2),
        "kdp_ahead_ci95": [round(v, 2) for v in interval95(ahead)],
    }


def _commits(runs: Iterable[Run], played: Iterable[dict[str, Any]]) -> dict[str, None]:
    """Commits that trained, then those that scored, each once."""
    both = [run.provenance["git"] for run in runs] + [result["git"] for result in played]
    return dict.fromkeys(commit or "unknown" for commit in both)


def _spread(run: Run, name: str) -> float | None:
    """Spread of the planner's candidates / spread of the matched data; None where nothing is drawn."""
    if name in ("kdp", "kdp-sample"):
        return run.metrics["spread_ratio"]
    if name.startswith("diffusion"):
        return read_json(run.path / "baselines" / "metrics.json")["spread_ratio"][name]
    return None


def _training(run: Run, name: str) -> float:
    """Seconds of training that the planner needed."""
    own = run.metrics["wall_s"]
    if name == "clone":
        return read_json(run.path / "baselines" / "metrics.json")["wall_s"]["clone"]
    if name.startswith("diffusion"):
        rival = read_json(run.path / "baselines" / "metrics.json")["wall_s"]["diffusion"]
        return rival + own["values"] + own["critic"]
    return sum(own.values())
