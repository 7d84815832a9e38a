# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An imported policy plays first: what it meets itself gives its integers their ranges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from kdp_edge.actors.importing import Told, import_actor
from kdp_edge.base.errors import KdpError
from kdp_edge.cli import app
from kdp_edge.quantization.actor_policy import BESIDE, signal_ranges
from kdp_edge.quantization.policy import quantize
from kdp_edge.run import Run
from tests.policies.files import mlp


def episode(*columns: np.ndarray | float) -> np.ndarray:
    """float32 [100, signals]."""
    return np.stack([np.broadcast_to(column, 100) for column in columns], 1).astype(np.float32)


def without_plant(robot: str) -> str:
    """A robot file's text that names no environment."""
    return "".join(line for line in robot.splitlines(True) if not line.startswith("gymnasium"))


def test_levels_go_where_the_policy_goes_and_to_all_goals() -> None:
    moving = np.linspace(-1, 1, 100)
    data = episode(8 * moving, 2 * moving, 5 * moving, 3.0)
    met = [episode(moving, 1.5 * moving, 0.5, 3.0), episode(moving, 2.5 * moving, -0.5, 3.0)]
    low, high = signal_ranges(data, met)
    narrowed, wider, goal = 1 + 2 * BESIDE, 2.5, 5.0
    np.testing.assert_allclose(high, [narrowed, wider, goal, 3], rtol=1e-6)
    np.testing.assert_allclose(low, [-narrowed, -wider, -goal, 3], rtol=1e-6)
    np.testing.assert_array_equal(signal_ranges(data, []), [data.min(0), data.max(0)])
    apart = signal_ranges(data, [*met, episode(1e9 * moving, 1e9 * moving, 1e9 * moving, 3.0)])
    np.testing.assert_array_equal(apart, [2 * data.min(0) - [0, 0, 0, 3], 2 * data.max(0) - [0, 0, 0, 3]])


def test_an_imported_policy_remembers_the_episodes_it_played(home: Path) -> None:
    torch.save({f"actor.{k}": v for k, v in mlp(2, 9, 2).state_dict().items()}, home / "met.pt")
    command = ["policy", "import", "met.pt", "--activation", "tanh", "--calibration", "lift", "--json"]
    runs = []
    for episodes in ("0", "3", "3"):
        done = CliRunner().invoke(app, [*command, "--episodes", episodes])
        assert done.exit_code == 0, done.output
        runs.append(Run.load(Path(json.loads(done.output)["run"])))
    without, played, again = runs
    assert without.met() == [] and len(played.met()) == 3
    assert [one.shape[1] for one in played.met()] == [2, 2, 2]
    for one, other in zip(played.met(), again.met(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert quantize(played).model_sha256() == quantize(again).model_sha256()
    assert quantize(played).model_sha256() != quantize(without).model_sha256()


def test_a_robot_without_a_plant_is_calibrated_by_its_data(home: Path) -> None:
    (home / "bare.toml").write_text(without_plant((home / "lift.toml").read_text()))
    torch.save({f"actor.{k}": v for k, v in mlp(2, 9, 2).state_dict().items()}, home / "bare.pt")
    run = import_actor(home / "bare.pt", "lift", home / "bare.toml", Told(activation="tanh"))
    assert run.met() == []
    quantize(run)


def test_quantize_checks_in_the_closed_loop_where_there_is_a_plant(home: Path) -> None:
    net = {f"actor.{k}": v for k, v in mlp(2, 9, 2).state_dict().items()}
    torch.save(net, home / "checked.pt")
    (home / "none.toml").write_text(without_plant((home / "lift.toml").read_text()))
    with_plant, bare = (
        import_actor(home / "checked.pt", "lift", robot, Told(activation="tanh"), 1)
        for robot in (home / "lift.toml", home / "none.toml")
    )

    def said(run: Run, *more: str) -> tuple[int, str]:
        command = ["quantize", "--run", str(run.path), *more]
        done = CliRunner().invoke(app, command, catch_exceptions=False)
        return done.exit_code, done.output

    code, output = said(with_plant)
    assert code == 0 and "score float" in output, output
    assert with_plant.evaluation()["integer"]["episodes"] == 10
    code, output = said(bare, "--explain")
    assert code == 0 and "note: not checked in the closed loop: task 'lift' has no environment" in output
    assert "rounding input: " in output and "rounding together: " in output
    with pytest.raises(KdpError, match="has no environment"):
        said(bare, "--check-episodes", "1")
