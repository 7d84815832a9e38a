"""Training, top to bottom: data -> windows -> values -> tilted matches -> generator -> critic -> run.

Each stage steps, logs and can be saved after any step. Resuming from a checkpoint continues
bit-identically on the same machine: every random number comes from a stage's own generator, whose
state is part of the checkpoint.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from kdp_edge import __version__
from kdp_edge.critic import DistillStage
from kdp_edge.data import store
from kdp_edge.data.store import DataSet
from kdp_edge.data.trajectory import trajectory_merit
from kdp_edge.data.windows import Normalizer, Windows, cached_nearest, make_windows
from kdp_edge.errors import KdpError
from kdp_edge.files import atomic_path, read_json, sha256_file, write_json
from kdp_edge.generator import (
    GeneratorStage,
    Matches,
    ResidualMLP,
    condition_chances,
    match_weights,
    spread_ratio,
)
from kdp_edge.run import CALIBRATION_STATES, Run, RunConfig
from kdp_edge.values import Judge, ValueStage, judge, make_transitions
from kdp_edge.workspace import runs_folder

LOG_EVERY = 250
CHECKPOINT_SECONDS = 60.0
PACKAGES = ("torch", "numpy", "faiss-cpu", "safetensors")

Show = Callable[[str, int, int], None]  # stage name, steps done, steps in all


class Stage(Protocol):
    """One part of training; `state()` after any step holds all that is needed to go on."""

    name: str
    total: int
    done: int

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


def pick_device(device: str) -> str:
    """`auto` becomes cuda where there is one; raises `KdpError` if cuda is asked for in vain."""
    if device not in ("auto", "cpu", "cuda"):
        raise KdpError(f"--device {device}: expected auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise KdpError("--device cuda: this machine's torch sees no CUDA device; use --device cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


class Trainer:
    """Runs the stages of one run folder, from its checkpoint if there is one."""

    def __init__(self, path: Path, show: Show, stop_after: int | None = None) -> None:
        """`stop_after`: act as if interrupted after that many further steps (to test resuming)."""
        self.path, self.show, self.stop_after = path, show, stop_after
        self.config = RunConfig.from_json(read_json(path / "config.json"), path / "config.json")
        self.checkpoint = path / "checkpoint.pt"
        self.saved: dict[str, Any] = {"stages": {}, "wall_s": {}, "cpu_s": {}}
        if self.checkpoint.is_file():
            self.saved = _load_checkpoint(self.checkpoint, self.config.device)
        self.interrupted = False
        self.steps_before = 0  # of earlier stages: the x axis of the logs

    def run(self) -> Run:
        """Train to the end and write the run's files; returns the complete run."""
        from torch.utils.tensorboard import SummaryWriter

        torch.set_num_threads(1)  # small kernels: more threads cost more than they give
        self.log = SummaryWriter(str(self.path / "tensorboard"))
        handlers = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            return self._run()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self.log.close()

    def _on_signal(self, number: int, frame: object) -> None:
        self.interrupted = True  # acted upon between two steps, never inside one

    def _run(self) -> Run:
        config = self.config
        data = store.load(config.data)
        normalizer = Normalizer.fit(data.observations)
        state = normalizer(data.observations)
        windows = make_windows(data, normalizer, config.horizon)
        distance2, pool = cached_nearest(data, windows, config.horizon, config.pool)

        transitions = make_transitions(data, state, normalizer(data.next_observations), config)
        values = ValueStage(*self._seeded(0, transitions))
        self._train(values)
        verdict = judge(values)

        worth = trajectory_merit(data, config.trajectory_tilt, config.trajectory_share)
        matches = _matches(config, windows, distance2, pool, verdict, worth)
        generator = GeneratorStage(*self._seeded(1, matches))
        self._train(generator)
        net = generator.deployed()

        _, _, rng = self._seeded(2, None)
        actions = _first_actions(windows, config).to(config.device)
        critic = DistillStage(config, matches, actions, net, verdict, rng)
        self._train(critic)
        untilted = _matches(config, windows, distance2, pool, None, None)
        metrics = {
            "spread_ratio": spread_ratio(net, matches, config, states=2048),
            "spread_ratio_untilted": spread_ratio(net, untilted, config, states=2048),
            "losses": {stage.name: stage.loss.item() for stage in (values, generator, critic)},
            "behaviour_score": data.meta["behaviour"]["score_mean"],
            "wall_s": {name: round(seconds, 1) for name, seconds in self.saved["wall_s"].items()},
            "cpu_s": {name: round(seconds, 1) for name, seconds in self.saved["cpu_s"].items()},
            "windows_per_s": self._throughput(),
        }
        return self._finish(data, normalizer, net, critic.net, metrics)

    def _seeded(self, number: int, data: Any) -> tuple[RunConfig, Any, torch.Generator]:
        """Seed the stage's initial weights and its own stream of random numbers."""
        seed = self.config.seed * 1000 + number
        torch.manual_seed(seed)
        return self.config, data, torch.Generator(self.config.device).manual_seed(seed)

    def _train(self, stage: Stage) -> None:
        if stage.name in self.saved["stages"]:
            stage.load(self.saved["stages"].pop(stage.name))  # the optimizer takes these tensors over
        started = saved_at = time.monotonic()
        cpu_started = time.process_time()
        wall_before, cpu_before = (self.saved[key].get(stage.name, 0.0) for key in ("wall_s", "cpu_s"))

        def save() -> None:
            self.saved["wall_s"][stage.name] = wall_before + time.monotonic() - started
            self.saved["cpu_s"][stage.name] = cpu_before + time.process_time() - cpu_started
            self.saved["stages"][stage.name] = stage.state()
            _save_checkpoint(self.checkpoint, self.saved)

        while stage.done < stage.total:
            stage.step()
            if stage.done % LOG_EVERY == 0 or stage.done == stage.total:
                self._log(stage, time.monotonic() - started)
            if self._should_stop():
                save()
                raise KdpError(
                    f"interrupted in stage {stage.name} after step {stage.done} of {stage.total}; "
                    f"saved; go on with: kdp-edge train --resume {self.path}",
                    130,
                )
            if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                save()
                saved_at = time.monotonic()
        save()
        self.steps_before += stage.total

    def _should_stop(self) -> bool:
        if self.stop_after is not None:
            self.stop_after -= 1
            return self.stop_after <= 0
        return self.interrupted

    def _log(self, stage: Stage, seconds: float) -> None:
        self.show(stage.name, stage.done, stage.total)
        for name, value in stage.metrics().items():
            self.log.add_scalar(f"{stage.name}/{name}", value, self.steps_before + stage.done)
        self.log.add_scalar(
            f"{stage.name}/seconds_per_step", seconds / stage.done, self.steps_before + stage.done
        )

    def _throughput(self) -> float:
        c = self.config
        return round(c.steps * c.batch * c.samples / self.saved["wall_s"]["generator"], 1)

    def _finish(
        self,
        data: DataSet,
        normalizer: Normalizer,
        generator: ResidualMLP,
        critic: ResidualMLP,
        metrics: dict[str, Any],
    ) -> Run:
        _save_weights(self.path / "generator.safetensors", generator.state_dict())
        _save_weights(self.path / "critic.safetensors", critic.state_dict())
        _save_arrays(
            self.path / "normalizer.safetensors", {"obs_mean": normalizer.mean, "obs_std": normalizer.std}
        )
        states = calibration_states(data, self.config.seed, CALIBRATION_STATES)
        _save_arrays(self.path / "calibration.safetensors", {"observations": states})
        write_json(self.path / "metrics.json", metrics)
        hashes = {file.name: sha256_file(file) for file in sorted(self.path.glob("*.safetensors"))}
        write_json(self.path / "run.json", {**provenance(data, metrics), "files": hashes})
        return Run.load(self.path)


def calibration_states(data: DataSet, seed: int, count: int) -> np.ndarray:
    """Raw observations float32 [count, obs] sampled from the data set, for quantization."""
    rows = np.random.default_rng(seed).choice(len(data), min(count, len(data)), replace=False)
    return np.ascontiguousarray(data.observations[rows], np.float32)


def _matches(
    config: RunConfig,
    windows: Windows,
    distance2: np.ndarray,
    pool: np.ndarray,
    verdict: Judge | None,
    trajectory: np.ndarray | None,
) -> Matches:
    """`verdict` and `trajectory` [N], of the data's transitions, tilt the draw; without them it is plain."""
    device = config.device
    rows = torch.as_tensor(pool.astype(np.int64), device=device)
    start = torch.as_tensor(windows.start, device=device)
    merit, chance = None, None
    if verdict is not None and trajectory is not None:
        worth = torch.as_tensor(trajectory, device=device)
        merit = verdict.of_data[start[rows]] / config.tilt + worth[start[rows]]
        chance = worth[start]
    cumulative = condition_chances(chance, len(start)).to(device)
    weight = match_weights(torch.as_tensor(distance2, device=device), merit, config.key_tau)
    keys, flat = (torch.as_tensor(array, device=device) for array in (windows.keys, windows.flat))
    return Matches(keys, flat, rows, weight, cumulative)


def _first_actions(windows: Windows, config: RunConfig) -> Tensor:
    steps = windows.flat.reshape(len(windows.flat), config.horizon, -1)
    return torch.as_tensor(steps[:, : config.critic_steps, config.obs_dim :].reshape(len(steps), -1).copy())


def provenance(data: DataSet, metrics: dict[str, Any]) -> dict[str, Any]:
    """What made this run: code, packages, data, machine, time."""
    return {
        "finished_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "kdp_edge": __version__,
        "git": git_commit(),
        "data": {"name": data.name, "sha256": data.sha256, "recipe": data.meta["recipe"]},
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "wall_s": round(sum(metrics["wall_s"].values()), 1),
        "cpu_s": round(sum(metrics["cpu_s"].values()), 1),  # what the machine's other load cannot stretch
    }


def git_commit() -> str | None:
    """The commit of the source tree, `-dirty` if it has changes, None outside a git checkout."""
    folder = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=folder, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.stdout.strip()


def _save_weights(path: Path, state: dict[str, Tensor]) -> None:
    _save_arrays(path, {name: tensor.cpu().numpy() for name, tensor in state.items()})


def _save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    from safetensors.numpy import save_file

    with atomic_path(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)


def _save_checkpoint(path: Path, saved: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        torch.save(saved, temporary)


def _load_checkpoint(path: Path, device: str) -> dict[str, Any]:
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        first = str(error).splitlines()[0]
        raise KdpError(f"{path}: not a readable checkpoint ({first}); delete it to start again") from None
