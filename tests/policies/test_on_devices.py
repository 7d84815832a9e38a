# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An imported policy goes the way of every run: integers, bundles, C, a device with predicted replies."""

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
from kdp_edge.data import store
from kdp_edge.exporters.targets import export
from kdp_edge.hil.closed_loop import closed_loop
from kdp_edge.play.evaluate import evaluate
from kdp_edge.play.integer_check import check_integers
from kdp_edge.quantization import float_actor
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.limits import Wishes
from kdp_edge.quantization.policy import load_planner, quantize
from kdp_edge.run import ACTOR_FILE, Run, RunConfig
from tests.policies.files import mlp, sac_tensors, sb3_zip

ACTIONS = 127  # int8 steps of half an action's range


@pytest.fixture(scope="module")
def run(home: Path) -> Run:
    """A SAC of Stable-Baselines3 as the command imports it, quantized."""
    body = mlp(2, 33, 18, 1, between=torch.nn.ReLU)[:-1]
    sb3_zip(home / "sac.zip", sac_tensors(body, torch.nn.Linear(18, 2)))
    command = ["policy", "import", "sac.zip", "--robot", "lift.toml", "--calibration", "lift", "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert (said["kind"], said["shape"], said["task"]) == ("SAC or TQC", "2-33-18-2, relu, tanh", "lift")
    made = Run.load(Path(said["run"]))
    quantize(made)
    return made


def test_integers_answer_as_the_policy(run: Run) -> None:
    planner, actor = load_planner(run.path), float_actor.load(run.path / ACTOR_FILE)
    observations = store.load_data("lift").observations[:300]
    spec, half = planner.spec, run.task().robot.high - run.task().robot.low
    assert (spec.k, spec.horizon, spec.latent_dim, spec.critic_steps, planner.critic) == (1, 1, 0, 0, None)
    found = np.stack([planner.plan(one, 0, 0).actions[0] for one in observations])
    gap = np.abs(found - actor(observations)) / (half / 2)
    assert np.sqrt(np.mean(gap**2)) < 3 / ACTIONS
    floating = FloatPlanner.from_run(run, spec), FloatPlanner.from_integer(planner)
    trained, rounded = (np.stack([one.plan(o, 0, 0).actions[0, 0] for o in observations]) for one in floating)
    np.testing.assert_allclose(trained, actor(observations), atol=1e-6)
    assert np.sqrt(np.mean(((rounded - trained) / (half / 2)) ** 2)) < 3 / ACTIONS


@pytest.mark.parametrize("target", ["sbc", "jetson", "tflm", "firmware"])
def test_every_bundle_is_verified_and_has_no_critic(run: Run, target: str, tmp_path: Path) -> None:
    bundle = export(run, target, tmp_path / target)
    assert list(bundle.manifest["nets"]) == ["generator"]
    assert all(check["passed"] for check in bundle.manifest["verification"])
    texts = [(bundle.path / name).read_text() for name in ("README.md", "MODEL_CARD.md")]
    assert not [text for text in texts if "critic" in text or "andidate" in text]
    assert bundle.planner().model_sha256() == load_planner(run.path).model_sha256()


def test_every_reply_of_a_device_is_predicted(run: Run) -> None:
    report = closed_loop(run, ["reference", "native"], episodes=2, judge_return=False, faults=["off@5:9"])
    assert report.passed
    assert [report.devices[name].mismatched_replies for name in ("reference", "native")] == [0, 0]


def test_float_and_integers_play_alike(run: Run) -> None:
    with pytest.raises(KdpError, match="it has one answer"):
        evaluate(run, episodes=1, k=4)
    assert check_integers(run, load_planner(run.path), 2)["passed"]


def test_what_an_actor_cannot_be_is_refused(run: Run) -> None:
    with pytest.raises(KdpError, match="setting k is 8, expected 1: an imported actor has one answer"):
        quantize(run, wishes=Wishes(k=8))
    with pytest.raises(KdpError, match="latent_dim is 0, expected 1 or more"):
        RunConfig("t", "d", 2, 2, latent_dim=0, k=1, horizon=1).check_deployable()
    from kdp_edge.exporters.model_blob import model_blob

    with pytest.raises(KdpError, match="an imported actor cannot be pushed"):
        model_blob(load_planner(run.path), "portable")


def test_two_imports_give_the_same_integers(run: Run, home: Path) -> None:
    again = import_actor(home / "sac.zip", "lift", None, Told())
    assert quantize(again).model_sha256() == load_planner(run.path).model_sha256()


def test_two_policies_stand_in_one_report_on_one_device(run: Run, home: Path) -> None:
    torch.save({f"actor.{k}": v for k, v in mlp(2, 12, 2).state_dict().items()}, home / "other.pt")
    other = import_actor(home / "other.pt", "lift", None, Told(activation="tanh"))
    report = closed_loop(run, ["native"], episodes=1, max_steps=20, judge_return=False, rival=other)
    assert report.passed and list(report.devices) == ["float", "native", "other on native"]
    own, beside = (report.devices[name] for name in ("native", "other on native"))
    assert (own.replies, own.mismatched_replies) == (beside.replies, beside.mismatched_replies) == (20, 0)
    assert own.returns != beside.returns
    assert load_planner(other.path).model_sha256() in report.provenance.rival
    with pytest.raises(KdpError, match=r"--rival .* serial:/dev/null runs one policy"):
        closed_loop(run, ["serial:/dev/null"], rival=other)


def test_eval_plays_an_imported_policy(run: Run) -> None:
    done = CliRunner().invoke(app, ["eval", "--run", str(run.path), "--episodes", "1"])
    assert done.exit_code == 0, done.output
    assert "score" in done.output and "behaviour" not in done.output


def test_an_action_that_is_always_clipped_is_carried(home: Path) -> None:
    net = mlp(2, 9, 2)
    net[-1].bias.data -= torch.tensor([50.0, 0.0])  # below its range of 0 to 3 in every state
    torch.save({f"actor.{k}": v for k, v in net.state_dict().items()}, home / "low.pt")
    planner = quantize(import_actor(home / "low.pt", "lift", None, Told(activation="tanh")))
    plans = [planner.plan(one, 0, 0).actions[0, 0] for one in store.load_data("lift").observations[:50]]
    assert max(plans) <= 3 * 0.01
