# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""All of a training that is not learning: checkpoints, signals, logs, and processes that agree.

A stage steps, logs and can be saved after any step. Resuming from a checkpoint continues bit-identically
on the same machine: every random number comes from a stage's own generator, whose state is part of the
checkpoint. Under torchrun several processes train together (see distributed.py).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from kdp_edge.base.progress import StageProgress
from kdp_edge.learn import distributed
from kdp_edge.learn.checkpoint import load_checkpoint, save_checkpoint, sole_owner
from kdp_edge.learn.machine import check_device
from kdp_edge.run import RunConfig

LOG_EVERY = 250
AGREE_EVERY = 16  # steps after which several processes agree on whether to save or to stop
CHECKPOINT_SECONDS = 60.0
INTERRUPTED = 130  # exit code: stopped by a signal, all is saved


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


S = TypeVar("S", bound=Stage)


class StageRunner:
    """Runs stages one after the other in `folder`, from its checkpoint if there is one.

    `losses`: of finished stages, by name.
    """

    def __init__(
        self,
        folder: Path,
        device: str,
        show: StageProgress,
        resume: str,
        stop_after: int | None = None,
        finished: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            resume: what a user does to go on after an interrupt, for the message.
            stop_after: act as if interrupted after that many further steps (to test resuming).
            finished: states of stages that another training finished, by name.

        Raises:
            KdpError: a training on a GPU where there is none, or a damaged checkpoint.
        """
        check_device(device, folder)
        self.folder, self.device, self.show = folder, device, show
        self.resume, self.stop_after = resume, stop_after
        self.checkpoint = folder / "checkpoint.pt"
        self.saved = _nothing_saved()
        if self.checkpoint.is_file():
            self.saved = load_checkpoint(self.checkpoint, device)
        self.saved["stages"] = (finished or {}) | self.saved["stages"]
        self.interrupted = False
        self.steps_before = 0  # of earlier stages: the x axis of the logs
        self.losses: dict[str, float] = {}

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep other trainings out of the folder, listen to signals and write logs while stages run.

        Raises:
            KdpError: interrupted (exit code 130, all is saved), or what was saved cannot be gone on with,
                or another process trains in this folder.
        """
        from torch.utils.tensorboard import SummaryWriter

        with sole_owner(self.folder):
            self._check_processes()
            torch.set_num_threads(1)  # small kernels: more threads cost more than they give
            self.log = None if distributed.rank() else SummaryWriter(str(self.folder / "tensorboard"))
            handlers = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in handlers.items():
                    signal.signal(number, handler)
                if self.log is not None:
                    self.log.close()

    def seeded(self, config: RunConfig, number: int) -> tuple[RunConfig, torch.Generator]:
        """Seed the initial weights of stage `number` of a run.

        Returns:
            the configuration with this process's share of every batch, and this process's own stream of
            random numbers.
        """
        seed = config.seed * 1000 + number
        torch.manual_seed(seed)
        own = seed + 1_000_000_007 * distributed.rank()
        return distributed.share_of(config), torch.Generator(config.device).manual_seed(own)

    def run(self, stage: S) -> S:
        """Train `stage` to its end, from where it was saved."""
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
                    f"saved; {self.resume}",
                    INTERRUPTED,
                )
        save()
        self.losses[stage.name] = stage.loss.item()
        self.steps_before += stage.total
        return stage

    def seconds(self, clock: str) -> dict[str, float]:
        """Time of each stage by `clock`: wall_s, or cpu_s, which the machine's other load cannot stretch."""
        return {name: round(seconds, 1) for name, seconds in self.saved[clock].items()}

    def _check_processes(self) -> None:
        if (before := self.saved.get("processes", 1)) != distributed.size():
            distributed.fail(
                f"{self.checkpoint}: saved by {before} processes, found {distributed.size()}; "
                f"go on with as many: each draws batches of its own"
            )

    def _on_signal(self, number: int, frame: object) -> None:
        self.interrupted = True  # acted upon between two steps, never inside one

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


def finished_stages(checkpoint: Path, device: str, names: tuple[str, ...]) -> dict[str, Any]:
    """States of the stages `names` that a finished training left in its checkpoint; none without one."""
    if not checkpoint.is_file():
        return {}
    stages = load_checkpoint(checkpoint, device)["stages"]
    return {name: stages[name] for name in names if name in stages}


def _nothing_saved() -> dict[str, Any]:
    """A checkpoint before the first step."""
    return {"stages": {}, "wall_s": {}, "cpu_s": {}, "processes": distributed.size()}
