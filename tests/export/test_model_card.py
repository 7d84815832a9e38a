# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The model card says how well the model plans, or that nobody has looked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.targets import export
from kdp_edge.play.evaluate import evaluate
from kdp_edge.play.integer_check import check_integers
from kdp_edge.quantization.policy import quantize_run
from kdp_edge.run import EVALUATION, Run
from tests.export.runs import write_run


def card(run: Run, out: Path) -> str:
    return (export(run, "firmware", out).path / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.load(write_run(tmp_path / "run"))


def test_a_model_nobody_evaluated_says_so(run: Run, tmp_path: Path) -> None:
    text = card(run, tmp_path / "bundle")
    assert "not evaluated; run `kdp-edge eval`" in text
    assert "not checked in the closed loop; run `kdp-edge quantize --check-episodes 10`" in text


def test_what_was_measured_stands_on_the_card(run: Run, tmp_path: Path) -> None:
    result = evaluate(run, episodes=3)
    check = check_integers(run, quantize_run(run), 2)
    text = card(run, tmp_path / "bundle")
    low, high = result.score_interval
    assert (
        f"score {result.score_mean:.1f},\n95 % interval of the mean {low:.1f} to {high:.1f},\n3 episodes"
        in text
    )
    assert f"score {check['integer_score']:.1f} where float scores {check['float_score']:.1f}" in text
    assert "not evaluated" not in text and "not checked" not in text
    assert "evaluation" not in text, "the record itself is no row of the table"


def test_only_the_planner_that_is_deployed_is_recorded(run: Run) -> None:
    for other in ({"k": 1}, {"margin": 99.0}, {"sample_all": True}):
        evaluate(run, episodes=1, **other)
    assert not (run.path / EVALUATION).exists() and run.evaluation() == {}
    evaluate(run, episodes=1, k=run.config.k)
    assert run.evaluation()["float"]["episodes"] == 1


def test_a_measurement_is_of_its_own_weights_and_integers_only(run: Run, tmp_path: Path) -> None:
    run.record("float", evaluate(run, episodes=1).summary())
    check_integers(run, quantize_run(run), 1)
    quantize_run(run, per_channel=False)
    text = card(run, tmp_path / "other-integers")
    assert "not checked" in text and "not evaluated" not in text
    file = run.path / "critic.safetensors"
    save_file({name: np.negative(array) for name, array in load_file(file).items()}, file)
    assert run.evaluation() == {}


def test_a_broken_record_is_named(run: Run) -> None:
    (run.path / EVALUATION).write_text(json.dumps([1]))
    with pytest.raises(KdpError, match=r"evaluation\.json: expected an object, found list"):
        run.evaluation()


def test_a_run_that_cannot_be_written_to_keeps_its_result(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("read-only file system")

    monkeypatch.setattr("kdp_edge.run.write_json", refuse)
    with pytest.warns(UserWarning, match="was not written: read-only file system"):
        result = evaluate(run, episodes=1)
    assert len(result.returns) == 1
