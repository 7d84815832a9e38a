# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""torchrun: the same command in several processes that agree on every weight and write one run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from kdp_edge.base.files import write_text
from kdp_edge.data.making.make import make
from kdp_edge.learn.checkpoint import load_checkpoint
from kdp_edge.learn.train import new_run_folder
from kdp_edge.run import Run, RunConfig
from kdp_edge.tasks import get_task

TASK = get_task("maze2d-umaze")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

# One run without a stop, where each process keeps the nets it holds, and one that is stopped twice.
PROGRAM = """
import sys
from pathlib import Path
from kdp_edge.learn import distributed
from kdp_edge.learn.checkpoint import save_weights
from kdp_edge.base.errors import KdpError
from kdp_edge.run import RunConfig
from kdp_edge.tasks import get_task
from kdp_edge.learn import train as training
from kdp_edge.learn.train import new_run_folder, train_nets, train_run

def keeping(config, prepared, matches, runner):
    nets = train_nets(config, prepared, matches, runner)
    if runner.folder == whole:
        for name, net in (("generator", nets.generator), ("critic", nets.critic)):
            save_weights(whole / "kept" / f"{name}-{distributed.rank()}.safetensors", net.state_dict())
    return nets

training.train_nets = keeping

def silent(stage, done, total):
    pass

task = get_task("maze2d-umaze")
config = RunConfig(
    task.name, task.name, task.obs_dim, task.act_dim, value_steps=20, value_warmup=5, value_width=8,
    value_batch=16, mean_steps=20, actor_steps=20, actor_width=8, actor_ensemble=2, steps=40, batch=8,
    anchor_batch=16, distill_steps=20, distill_batch=16, width=16, critic_width=8, precision="bfloat16",
    brace=0.1, plant_steps=20, plant_batch=16,
)
with distributed.group():
    task = get_task(config.task)
    whole, pieces = distributed.from_first(lambda: [new_run_folder(config, task) for _ in range(2)])
    (whole / "kept").mkdir(exist_ok=True)
    train_run(whole, silent)
    for steps in (17, 30, 40):
        try:
            train_run(pieces, silent, stop_after=steps)
        except (KdpError, SystemExit):
            distributed.wait()
    train_run(pieces, silent)
"""


@pytest.fixture
def data(home: Path) -> None:
    make(TASK, 3000, seed=0, workers=1)


def test_processes_hold_the_same_nets_write_one_run_and_resume_exactly(data: None, home: Path) -> None:
    write_text(home / "program.py", PROGRAM)
    command = [*TORCHRUN, str(home / "program.py")]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    whole, pieces = sorted((home / "runs").iterdir())
    assert Run.load(whole).metrics["world_size"] == 2
    for name in ("generator", "critic"):
        kept = [(whole / "kept" / f"{name}-{rank}.safetensors").read_bytes() for rank in (0, 1)]
        written = [(path / f"{name}.safetensors").read_bytes() for path in (whole, pieces)]
        assert kept[0] == kept[1] == written[0] == written[1]
    for state in load_checkpoint(whole / "checkpoint.pt", "cpu")["stages"].values():
        first, second = (feed["before"] for feed in state["feed"])
        assert not torch.equal(first, second), "each process draws batches of its own"


def test_an_interrupt_saves_once_and_only_as_many_processes_go_on(data: None, home: Path) -> None:
    config = RunConfig(
        TASK.name, TASK.name, TASK.obs_dim, TASK.act_dim,
        value_steps=20, value_warmup=5, value_width=8, width=16, steps=1_000_000,
    )  # fmt: skip
    path = new_run_folder(config, get_task(config.task))
    command = [*TORCHRUN, "-m", "kdp_edge", "train", "--resume", str(path)]
    process = subprocess.Popen(
        command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (path / "checkpoint.pt").is_file():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, error = process.communicate(timeout=180)  # two processes end slowly where others work too
    assert output.splitlines() == [f"run {path}"]
    assert error.count("kdp-edge: interrupted in stage") == 1, error
    assert load_checkpoint(path / "checkpoint.pt", "cpu")["processes"] == 2
    alone = subprocess.run(
        [sys.executable, "-m", "kdp_edge", "train", "--resume", str(path)],
        env=os.environ, capture_output=True, text=True,
    )  # fmt: skip
    assert alone.returncode == 2
    assert len(alone.stderr.splitlines()) == 1 and "saved by 2 processes, found 1" in alone.stderr
