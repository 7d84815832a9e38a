# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A run that was interrupted and resumed equals the run that was not, bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kdp_edge.base.errors import KdpError
from kdp_edge.data.making.make import make
from kdp_edge.learn.checkpoint import save_checkpoint
from kdp_edge.learn.train import new_run_folder, train_run
from kdp_edge.run import Run, RunConfig
from kdp_edge.tasks import get_task

TASK = get_task("hopper-medium-expert")
MAIN = [sys.executable, "-c", "from kdp_edge.cli import main; main()"]


def silent(stage: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def config(home: Path) -> RunConfig:
    make(TASK, 3000, seed=0, workers=1)
    return RunConfig(
        TASK.name, TASK.name, TASK.obs_dim, TASK.act_dim,
        value_steps=30, value_warmup=10, value_width=16, value_batch=32, mean_steps=20,
        actor_steps=20, actor_width=16, actor_ensemble=2, steps=40, batch=8, anchor_batch=16,
        distill_steps=20, distill_batch=32, width=16, critic_width=8,
        brace=0.1, plant_steps=20, plant_batch=16,
    )  # fmt: skip


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_interrupted_and_resumed_equals_uninterrupted(config: RunConfig, precision: str) -> None:
    config = replace(config, precision=precision)
    whole = train_run(new_run_folder(config, get_task(config.task)), silent)
    path = new_run_folder(config, get_task(config.task))
    for steps in (5, 17, 19, 1, 20, 7, 13, 20, 11, 20, 17):  # 150 of 160, within and across stages
        with pytest.raises(KdpError, match="go on with: kdp-edge train --resume") as stopped:
            train_run(path, silent, stop_after=steps)
        assert stopped.value.exit_code == 130
        assert not (path / "run.json").exists()
    pieces = train_run(path, silent)
    for name in ("generator", "critic", "normalizer", "calibration"):
        file = f"{name}.safetensors"
        assert (whole.path / file).read_bytes() == (pieces.path / file).read_bytes(), file
    same = ("spread_ratio", "spread_ratio_untilted", "losses", "brace")
    assert [whole.metrics[key] for key in same] == [pieces.metrics[key] for key in same]


def test_near_an_edge_a_run_is_deployed_as_one_that_was_never_read_ahead(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdp_edge.learn.plant.EDGE", -1.0)  # any plan is near one
    led = replace(config, lead=0.4, led_at_edge=0)
    whole = [replace(led, lead=0.0), led, replace(led, led_at_edge=1)]
    runs = [train_run(new_run_folder(one, get_task(one.task)), silent) for one in whole]
    assert [run.metrics["brace"]["lead"] for run in runs] == [run.played.lead for run in runs] == [0, 0, 0.4]
    plain, found, kept = (run.tensors("generator")["last.weight"] for run in runs)
    np.testing.assert_array_equal(found, plain)
    assert not np.array_equal(kept, plain)


def test_a_run_folder_holds_the_contract(config: RunConfig) -> None:
    run = Run.load(train_run(new_run_folder(config, get_task(config.task)), silent).path)
    assert run.config == config
    assert run.tensors("generator")["last.weight"].shape == (4 * (11 + 3), 16)
    assert run.tensors("critic")["first.weight"].shape == (8, 11 + 3)
    assert run.calibration().shape == (3000, 11)
    assert list((run.path / "tensorboard").iterdir())


def test_ctrl_c_saves_and_resume_finishes(config: RunConfig, home: Path) -> None:
    path = new_run_folder(replace(config, steps=100_000), get_task(config.task))
    command = [*MAIN, "train", "--resume", str(path)]
    process = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (path / "checkpoint.pt").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=30)[1]
    assert process.returncode == 130, error
    assert f"kdp-edge train --resume {path}" in error and "Traceback" not in error


def test_a_second_process_is_kept_out_of_a_run_folder(config: RunConfig) -> None:
    path = new_run_folder(replace(config, steps=100_000), get_task(config.task))
    command = [*MAIN, "train", "--resume", str(path)]
    first = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not (path / "checkpoint.pt").exists():
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        second = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=60)
        assert second.returncode == 2
        line = f"{path}: another process is training here; wait until it ends, or stop it"
        assert line in " ".join(second.stderr.split()) and "Traceback" not in second.stderr
    finally:
        first.kill()
        first.communicate()
    with pytest.raises(KdpError, match="interrupted"):  # a killed process keeps no lock
        train_run(path, silent, stop_after=3)


def test_a_checkpoint_of_another_version_is_one_clear_line(config: RunConfig) -> None:
    path = new_run_folder(config, get_task(config.task))
    saved = {"stages": {"values": {"done": 3, "loss": torch.zeros(())}}, "wall_s": {}, "cpu_s": {}}
    save_checkpoint(path / "checkpoint.pt", saved)
    with pytest.raises(KdpError, match="lacks feed, learner, slow: another version"):
        train_run(path, silent)


def test_a_damaged_checkpoint_is_one_clear_line(config: RunConfig) -> None:
    path = new_run_folder(config, get_task(config.task))
    (path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(KdpError, match="not a readable checkpoint"):
        train_run(path, silent)


@pytest.mark.parametrize("saved", [True, False])
def test_a_training_from_a_gpu_is_kept_where_there_is_none(
    config: RunConfig, saved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    path = new_run_folder(replace(config, device="cuda"), get_task(config.task))
    if saved:
        save_checkpoint(path / "checkpoint.pt", {"stages": {}})
    before = sorted(path.iterdir())
    with pytest.raises(KdpError, match=r"trained on a GPU .* go on where there is one") as refused:
        train_run(path, silent)
    assert refused.value.exit_code == 2 and sorted(path.iterdir()) == before
