"""Training, top to bottom: data -> windows -> values -> matches -> generator -> critic -> run.

Each stage steps, logs and can be saved after any step. Resuming from a checkpoint continues
bit-identically on the same machine: every random number comes from a stage's own generator, whose
state is part of the checkpoint. Under torchrun several processes train together (see distributed.py).
"""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from kdp_edge import __version__
from kdp_edge.base.files import read_json, sha256_file, write_json
from kdp_edge.base.provenance import git_commit, versions
from kdp_edge.base.workspace import runs_folder
from kdp_edge.data import store
from kdp_edge.data.store import DataSet
from kdp_edge.learn import distributed
from kdp_edge.learn.actor import ActorStage
from kdp_edge.learn.checkpoint import load_checkpoint, save_arrays, save_checkpoint, save_weights, sole_owner
from kdp_edge.learn.clone import MeanStage
from kdp_edge.learn.critic import DistillStage
from kdp_edge.learn.generator import GeneratorStage
from kdp_edge.learn.matches import Matches, make_matches, spread_ratio
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.prepare import Prepared, first_actions, prepare
from kdp_edge.learn.values import Transitions, ValueStage
from kdp_edge.run import CALIBRATION_STATES, Run, RunConfig

LOG_EVERY = 250
AGREE_EVERY = 16  # steps after which several processes agree on whether to save or to stop
CHECKPOINT_SECONDS = 60.0
PACKAGES = ("torch", "numpy", "faiss-cpu", "safetensors")

Show = Callable[[str, int, int], None]  # stage name, steps done, steps in all


class Stage(Protocol):
    """One part of training; `state()` after any step holds all that is needed to go on."""

    name: str
    total: int
    done: int
    loss: Tensor

    def step(self) -> None: ...
    def metrics(self) -> dict[str, float]: ...
    def state(self) -> dict[str, Any]: ...
    def load(self, state: dict[str, Any]) -> None: ...


def new_run_folder(config: RunConfig) -> Path:
    """Create runs/<task>-<utc>-s<seed>/ with its config.json."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = runs_folder() / f"{config.task}-{stamp}-s{config.seed}"
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{config.task}-{stamp}-s{config.seed}-{number}")
    path.mkdir(parents=True)
    write_json(path / "config.json", config.to_json())
    return path


def nothing_saved() -> dict[str, Any]:
    """A checkpoint before the first step."""
    return {"stages": {}, "wall_s": {}, "cpu_s": {}, "processes": distributed.size()}


class Trainer:
    """Runs the stages of one run folder, from its checkpoint if there is one."""

    def __init__(self, path: Path, show: Show, stop_after: int | None = None) -> None:
        """`stop_after`: act as if interrupted after that many further steps (to test resuming)."""
        self.path, self.show, self.stop_after = path, show, stop_after
        self.config = RunConfig.from_json(read_json(path / "config.json"), path / "config.json")
        self.checkpoint = path / "checkpoint.pt"
        self.saved = nothing_saved()
        if self.checkpoint.is_file():
            self.saved = load_checkpoint(self.checkpoint, self.config.device)
        self.interrupted = False
        self.steps_before = 0  # of earlier stages: the x axis of the logs
        self.losses: dict[str, float] = {}  # of finished stages

    def run(self) -> Run:
        """Train to the end and write the run's files; returns the complete run.

        Raises:
            KdpError: interrupted (exit code 130, all is saved), or what was saved cannot be gone on with,
                or another process trains this run.
        """
        with sole_owner(self.path):
            return self._run_logged()

    def _run_logged(self) -> Run:
        from torch.utils.tensorboard import SummaryWriter

        if (before := self.saved.get("processes", 1)) != distributed.size():
            distributed.fail(
                f"{self.checkpoint}: saved by {before} processes, found {distributed.size()}; "
                f"go on with as many: each draws batches of its own"
            )
        torch.set_num_threads(1)  # small kernels: more threads cost more than they give
        self.log = None if distributed.rank() else SummaryWriter(str(self.path / "tensorboard"))
        handlers = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            return self._run()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            if self.log is not None:
                self.log.close()

    def _on_signal(self, number: int, frame: object) -> None:
        self.interrupted = True  # acted upon between two steps, never inside one

    def _run(self) -> Run:
        prepared = self.prepare(self.config)
        matches = prepared.matches
        net, critic = self.train_nets(prepared, matches)
        untilted = make_matches(self.config, prepared.windows, prepared.distance2, prepared.pool)
        untilted = replace(untilted, flat=matches.flat, center=matches.center)
        metrics = {
            "spread_ratio": spread_ratio(net, matches, self.config, states=2048),
            "spread_ratio_untilted": spread_ratio(net, untilted, self.config, states=2048),
            "losses": self.losses,
        }
        return self._finish(prepared, net, critic, metrics)

    def prepare(self, config: RunConfig) -> Prepared:
        """Data, values and matches of `config`."""

        def learn(transitions: Transitions) -> ValueStage:
            values = ValueStage(*self._seeded(0, transitions))
            self._train(values)
            return values

        def center(matches: Matches) -> Tensor:
            mean = MeanStage(*self._seeded(5, matches))
            self._train(mean)
            return mean.center()

        def improve(transitions: Transitions) -> ActorStage:
            actor = ActorStage(*self._seeded(6, transitions))
            self._train(actor)
            return actor

        data = self._load_data(config)
        return prepare(config, data, learn, center, improve)

    def _load_data(self, config: RunConfig) -> DataSet:
        return store.load(config.data)

    def train_nets(self, prepared: Prepared, matches: Matches) -> tuple[ResidualMLP, ResidualMLP]:
        """Generator and critic on `matches`, as they are deployed."""
        generator = GeneratorStage(*self._seeded(1, matches), prepared.verdict)
        self._train(generator)
        net = generator.deployed()
        config, _, rng = self._seeded(2, None)
        actions = first_actions(prepared.windows, self.config)
        critic = DistillStage(config, matches, actions, net, prepared.verdict, rng)
        self._train(critic)
        return net, critic.net  # not rounded: it is learned in float32

    def _seeded(self, number: int, data: Any) -> tuple[RunConfig, Any, torch.Generator]:
        """Seed the stage's initial weights, and this process's own stream of random numbers."""
        seed = self.config.seed * 1000 + number
        torch.manual_seed(seed)
        own = seed + 1_000_000_007 * distributed.rank()
        rng = torch.Generator(self.config.device).manual_seed(own)
        return distributed.share_of(self.config), data, rng

    def _train(self, stage: Stage) -> None:
        if stage.name in self.saved["stages"]:
            self._load(stage)
        started = saved_at = time.monotonic()
        cpu_started = time.process_time()
        wall_before, cpu_before = (self.saved[key].get(stage.name, 0.0) for key in ("wall_s", "cpu_s"))

        def save() -> None:
            self.saved["wall_s"][stage.name] = wall_before + time.monotonic() - started
            self.saved["cpu_s"][stage.name] = cpu_before + time.process_time() - cpu_started
            self._save(stage)

        while stage.done < stage.total:
            stage.step()
            if stage.done % LOG_EVERY == 0 or stage.done == stage.total:
                self._log(stage, time.monotonic() - started)
            stop, due = self._agree(stage, time.monotonic() - saved_at > CHECKPOINT_SECONDS)
            if stop or due:
                save()
                saved_at = time.monotonic()
            if stop:
                distributed.fail(
                    f"interrupted in stage {stage.name} after step {stage.done} of {stage.total}; "
                    f"saved; go on with: kdp-edge train --resume {self.path}",
                    130,
                )
        save()
        self.losses[stage.name] = stage.loss.item()
        self.steps_before += stage.total

    def _agree(self, stage: Stage, due: bool) -> tuple[bool, bool]:
        """Whether to stop, and whether a checkpoint is due, in all processes alike."""
        stop = self._should_stop()
        if distributed.size() == 1:
            return stop, due
        if stage.done % AGREE_EVERY:
            return False, False
        wishes = distributed.gather((stop, due))
        return any(stop for stop, _ in wishes), wishes[0][1]

    def _should_stop(self) -> bool:
        if self.stop_after is not None:
            self.stop_after -= 1
            self.interrupted |= self.stop_after <= 0
        return self.interrupted

    def _save(self, stage: Stage) -> None:
        state = stage.state()
        self.saved["stages"][stage.name] = {**state, "feed": distributed.gather(state["feed"])}
        if distributed.rank() == 0:
            save_checkpoint(self.checkpoint, self.saved)
        distributed.wait()

    def _load(self, stage: Stage) -> None:
        state = self.saved["stages"].pop(stage.name)  # the optimizer takes these tensors over
        feeds = state.get("feed", [None])
        own = feeds[distributed.rank() % len(feeds)]  # of a finished stage, any other's will do
        stage.load({**state, "feed": own} if own is not None else state)

    def _log(self, stage: Stage, seconds: float) -> None:
        self.show(stage.name, stage.done, stage.total)
        if self.log is None:
            return
        at = self.steps_before + stage.done
        for name, value in stage.metrics().items():
            self.log.add_scalar(f"{stage.name}/{name}", value, at)
        self.log.add_scalar(f"{stage.name}/seconds_per_step", seconds / stage.done, at)

    def _throughput(self) -> float:
        c = self.config
        return round(c.steps * c.batch * c.samples / self.saved["wall_s"]["generator"], 1)

    def _finish(
        self, prepared: Prepared, generator: ResidualMLP, critic: ResidualMLP, metrics: dict[str, Any]
    ) -> Run:
        if distributed.rank() == 0:
            self._write(prepared, generator, critic, metrics)
        distributed.wait()
        return Run.load(self.path)

    def _write(
        self, prepared: Prepared, generator: ResidualMLP, critic: ResidualMLP, metrics: dict[str, Any]
    ) -> None:
        data, normalizer = prepared.data, prepared.normalizer
        save_weights(self.path / "generator.safetensors", generator.state_dict())
        save_weights(self.path / "critic.safetensors", critic.state_dict())
        save_arrays(
            self.path / "normalizer.safetensors", {"obs_mean": normalizer.mean, "obs_std": normalizer.std}
        )
        states = calibration_states(data, self.config.seed, CALIBRATION_STATES)
        save_arrays(self.path / "calibration.safetensors", {"observations": states})
        metrics |= {
            "behaviour_score": data.meta["behaviour"]["score_mean"],
            **{name: self._seconds(name) for name in ("wall_s", "cpu_s")},
            "windows_per_s": self._throughput(),
            "world_size": distributed.size(),
        }
        write_json(self.path / "metrics.json", metrics)
        hashes = {file.name: sha256_file(file) for file in sorted(self.path.glob("*.safetensors"))}
        write_json(self.path / "run.json", {**provenance(data, metrics), "files": hashes})

    def _seconds(self, clock: str) -> dict[str, float]:
        return {name: round(seconds, 1) for name, seconds in self.saved[clock].items()}


def calibration_states(data: DataSet, seed: int, count: int) -> np.ndarray:
    """Raw observations float32 [count, obs] sampled from the data set, for quantization."""
    rows = np.random.default_rng(seed).choice(len(data), min(count, len(data)), replace=False)
    return np.ascontiguousarray(data.observations[rows], np.float32)


def provenance(data: DataSet, metrics: dict[str, Any]) -> dict[str, Any]:
    """What made this run: code, packages, data, machine, time."""
    return {
        "finished_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "kdp_edge": __version__,
        "git": git_commit(),
        "data": {"name": data.name, "sha256": data.sha256, "recipe": data.meta["recipe"]},
        "packages": versions(PACKAGES),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "wall_s": round(sum(metrics["wall_s"].values()), 1),
        "cpu_s": round(sum(metrics["cpu_s"].values()), 1),  # what the machine's other load cannot stretch
    }
