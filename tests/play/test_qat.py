# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Fine-tuned integers answer more like the trained net, repeat byte for byte, and are kept where better."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from kdp_edge.base.statistics import compare
from kdp_edge.cli import app
from kdp_edge.exporters.targets import export
from kdp_edge.play import best_integers, integer_check, qat
from kdp_edge.play.best_integers import best_integers as choose
from kdp_edge.play.qat import Tuned, fine_tuned
from kdp_edge.play.rounded_net import RoundedNet
from kdp_edge.quantization import reference
from kdp_edge.quantization.actor_net import quantize_actor_net
from kdp_edge.quantization.float_actor import Activation, ActorNet, Dense
from kdp_edge.quantization.float_net import Layer
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.losses import action_losses
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import load_planner, quantize_run
from kdp_edge.quantization.synthetic import random_net
from kdp_edge.run import Run
from tests.export.runs import write_run

STEPS = 200


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose first layer has one channel of a far wider range than the others."""
    path = write_run(tmp_path_factory.mktemp("qat") / "run")
    file = path / "generator.safetensors"
    arrays = load_file(file)
    arrays["first.weight"][3] *= 10
    for name in ("blocks.0.0.weight", "last.weight"):
        arrays[name][:, 3] /= 10
    save_file(arrays, file)
    return Run.load(path)


@pytest.fixture(scope="module")
def plain(run: Run) -> IntegerPlanner:
    return quantize_run(run)


@pytest.fixture(scope="module")
def tuned(run: Run, plain: IntegerPlanner) -> Tuned:
    return fine_tuned(run, plain, run.calibration(), STEPS)


def actor_net() -> IntegerNet:
    rng = np.random.default_rng(0)

    def dense(name: str, source: str, inputs: int, outputs: int) -> Dense:
        weight = rng.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
        return Dense(name, source, name, Layer(weight, np.zeros(outputs, np.float32)), False)

    steps = (
        dense("layer1", "input", 6, 16),
        Activation("tanh1", "layer1", "tanh1", "tanh"),
        dense("layer2", "tanh1", 16, 16),
        Activation("elu2", "layer2", "elu2", "elu"),
        dense("layer3", "elu2", 16, 2),
    )
    states = rng.uniform(-1, 1, (400, 6)).astype(np.float32)
    return quantize_actor_net(ActorNet(steps), states[:200], states[200:], np.ones(2, np.float32))


@pytest.mark.parametrize("net", [random_net("n", 12, 24, 2, 10), actor_net()], ids=["kdp", "actor"])
def test_the_net_that_learns_computes_what_the_reference_computes(net: IntegerNet) -> None:
    inputs = np.random.default_rng(1).integers(-128, 128, (300, net.input_size)).astype(np.int8)
    wanted = reference.run(net, inputs)
    found = RoundedNet(net)(torch.from_numpy(inputs).float()).detach().numpy()
    assert (found == wanted).mean() > 0.9, "but for ties, which double rounding takes apart"
    assert np.abs(found - wanted).mean() < 0.1
    untouched = reference.run(RoundedNet(net).integers(), inputs)
    assert (untouched == wanted).mean() > 0.999


def test_tuning_lowers_the_error_of_actions_where_a_channel_takes_the_levels_of_all(
    run: Run, plain: IntegerPlanner, tuned: Tuned
) -> None:
    assert tuned.tuned_error < 0.9 * tuned.plain_error
    before, after = (action_losses(run, planner)["together"] for planner in (plain, tuned.planner))
    assert after < 0.95 * before
    assert (tuned.planner.critic, tuned.planner.spec) == (plain.critic, plain.spec)


def test_the_same_run_gives_the_same_bytes(run: Run, plain: IntegerPlanner, tuned: Tuned) -> None:
    assert tuned.planner.model_sha256() != plain.model_sha256()
    again = fine_tuned(run, plain, run.calibration(), STEPS)
    assert again.planner.model_sha256() == tuned.planner.model_sha256()


def test_integers_that_answer_worse_on_held_out_states_are_not_kept(
    run: Run, plain: IntegerPlanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qat, "RATE", 1e3)
    found = fine_tuned(run, plain, run.calibration(), 2)
    assert found.tuned_error >= found.plain_error
    assert found.planner is plain


def test_the_command_tunes_when_it_is_asked_and_only_then(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fine_tuned, "__defaults__", (STEPS, *(fine_tuned.__defaults__ or ())[1:]))
    command = ["quantize", "--run", str(run.path), "--check-episodes", "0", "--json"]

    def made(*options: str) -> dict[str, object]:
        result = CliRunner().invoke(app, [*command, *options])
        assert result.exit_code == 0, result.output
        found: dict[str, object] = json.loads(result.stdout)
        assert load_planner(run.path).model_sha256() == found["model_sha256"]
        return found

    tuned, without = made("--qat"), quantize_run(run).model_sha256()
    assert made()["model_sha256"] == made("--no-qat")["model_sha256"] == without
    assert tuned["model_sha256"] != without
    assert made("--qat")["model_sha256"] == tuned["model_sha256"]
    assert run.evaluation()["qat"]["kept"]
    text = (export(run, "firmware", tmp_path / "bundle").path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "fine-tuned to the trained net's answers on" in text


def test_the_closed_loop_decides_which_integers_are_kept(
    run: Run, plain: IntegerPlanner, tuned: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two planners that play differently, either of which may be offered as the tuned one."""
    monkeypatch.setattr(best_integers, "own_states", Run.calibration)
    kept = []
    for first, second in ((plain, tuned.planner), (tuned.planner, plain)):
        monkeypatch.setattr(
            best_integers, "fine_tuned", lambda *_, offered=second, **__: Tuned(offered, 2.0, 1.0, 512)
        )
        quantize_run(run)
        best = choose(run, first, 2, tune=True)
        assert best.tuning is not None and best.verdict is not None
        assert best.tuning["kept"] == (best.tuning["tuned_return"] >= best.tuning["plain_return"])
        assert run.evaluation()["integer"]["model_sha256"] == best.planner.model_sha256()
        kept.append(best.planner.model_sha256())
    assert kept[0] == kept[1], "the better one, whichever came first"


def test_integers_lose_where_a_point_is_missing_that_chance_does_not_explain() -> None:
    rng = np.random.default_rng(0)
    float_returns = rng.normal(100, 1, 20)
    for lost, noise, loses in ((3, 0.1, True), (0.5, 0.1, False), (3, 20, False), (-3, 0.1, False)):
        integers = float_returns - lost + rng.normal(0, noise, 20)
        found = compare(list(integers), list(float_returns), point=1.0)
        assert integer_check.loses(found, 1.0, integers - float_returns) == loses


def test_an_episode_that_tips_over_does_not_hide_what_all_others_lose() -> None:
    for lost, loses in ((3.0, True), (0.5, False)):
        paired = np.full(10, -lost)
        paired[4] = -90
        found = compare(list(100 + paired), [100.0] * 10, point=1.0)
        assert found.interval is not None and found.interval[1] > 0, "the mean alone says chance"
        assert integer_check.loses(found, 1.0, paired) == loses
    assert integer_check.sign_chance(9, 10) == pytest.approx(11 / 1024)
    assert integer_check.sign_chance(0, 4) == 1
