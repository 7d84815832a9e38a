# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Wrong input through the real command line: one clear line, a non-zero code, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kdp_edge.base.files import sha256_file
from kdp_edge.cli import main
from kdp_edge.run import RunConfig, mlp_shapes
from kdp_edge.tasks import get_task

MAIN = [sys.executable, "-c", "from kdp_edge.cli import main; main()"]


def refused(*arguments: str) -> str:
    """The single line on stderr of a command that must fail with code 2."""
    done = subprocess.run([*MAIN, *arguments], env=os.environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def run_path(home: Path) -> Path:
    """A complete run with random weights."""
    task = get_task("hopper-medium-expert")
    config = RunConfig(task.name, task.name, task.obs_dim, task.act_dim, width=8, critic_width=4)
    path = home / "runs" / "made"
    path.mkdir(parents=True)
    rng = np.random.default_rng(0)
    nets = {
        "generator": mlp_shapes(11 + 8, 8, 2, 56),
        "critic": mlp_shapes(11 + 3, 4, config.critic_blocks, 1),
        "normalizer": {"obs_mean": (11,), "obs_std": (11,)},
        "calibration": {"observations": (20, 11)},
    }
    for name, shapes in nets.items():
        arrays = {tensor: rng.uniform(0.1, 0.2, shape).astype(np.float32) for tensor, shape in shapes.items()}
        save_file(arrays, path / f"{name}.safetensors")
    (path / "config.json").write_text(json.dumps(config.to_json()))
    (path / "metrics.json").write_text('{"behaviour_score": 60.0}')
    (path / "run.json").write_text("{}")
    return path


def test_the_made_run_is_accepted(run_path: Path) -> None:
    done = subprocess.run(
        [*MAIN, "eval", "--episodes", "2", "--json"], env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["episodes"] == 2


def test_unknown_task_lists_close_matches_and_all_names() -> None:
    for command in (["train"], ["data", "make"]):
        line = refused(*command, "hoper-medium-expert")
        assert "did you mean hopper-medium-expert" in line and "walker2d-medium-replay" in line


@pytest.mark.parametrize("name", ["generator", "critic", "normalizer"])
@pytest.mark.parametrize("damage", ["half", "noise", "nothing"])
def test_corrupted_weights_name_the_file(
    run_path: Path,
    name: str,
    damage: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = run_path / f"{name}.safetensors"
    whole = file.read_bytes()
    file.write_bytes({"half": whole[: len(whole) // 2], "noise": b"\xff" * 64, "nothing": b""}[damage])
    monkeypatch.setattr(sys, "argv", ["kdp-edge", "eval", "--run", str(run_path)])
    with pytest.raises(SystemExit) as stopped:
        main()  # in this process: starting nine of them takes a minute
    assert stopped.value.code == 2
    assert str(file) in capsys.readouterr().err


def test_one_changed_weight_is_told_from_the_recorded_hash(run_path: Path) -> None:
    file = run_path / "generator.safetensors"
    (run_path / "run.json").write_text(json.dumps({"files": {file.name: sha256_file(file)}}))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert f"{file}: sha256 is" in refused("eval")


def test_weights_of_another_shape_name_tensor_found_and_expected(run_path: Path) -> None:
    file = run_path / "generator.safetensors"
    save_file({"first.weight": np.zeros((8, 5), np.float32)}, file)
    assert "first.weight has shape (8, 5), expected (8, 19)" in refused("eval")


def test_weights_of_a_deeper_net_are_refused(run_path: Path) -> None:
    config = json.loads((run_path / "config.json").read_text())
    (run_path / "config.json").write_text(json.dumps({**config, "blocks": 1}))
    assert "generator.safetensors: tensor blocks.1.0.bias is not in the net" in refused("eval")


def test_weights_that_are_not_finite_are_refused(run_path: Path) -> None:
    file = run_path / "normalizer.safetensors"
    save_file({"obs_mean": np.full(11, np.nan, np.float32), "obs_std": np.ones(11, np.float32)}, file)
    assert "not finite" in refused("eval")


def test_a_run_trained_for_another_task_is_refused(run_path: Path) -> None:
    config = json.loads((run_path / "config.json").read_text())
    (run_path / "config.json").write_text(json.dumps({**config, "task": "walker2d-medium"}))
    assert "obs_dim is 11, task walker2d-medium has 17" in refused("eval")


def test_an_unfinished_run_says_how_to_finish(run_path: Path) -> None:
    (run_path / "run.json").unlink()
    (run_path / "checkpoint.pt").touch()
    assert f"--resume {run_path}" in refused("eval", "--run", str(run_path))


def test_without_any_run_the_next_step_is_named(home: Path) -> None:
    assert "kdp-edge train hopper-medium-expert" in refused("eval")
    assert "kdp-edge data make walker2d-medium" in refused("data", "show", "walker2d-medium")


def test_resume_takes_no_other_option(run_path: Path) -> None:
    assert "give no task or option" in refused("train", "hopper-medium", "--resume", str(run_path))
    assert "complete" in refused("train", "--resume", str(run_path))
