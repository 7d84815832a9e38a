# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`quantize`, `export`, `build` and `evaluate` as a program calls them: on a run or its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import agent_files
from kdp_edge.exporters.build import build, firmware_bundle
from kdp_edge.exporters.bundle import load_bundle
from kdp_edge.exporters.targets import export
from kdp_edge.play.evaluate import evaluate, play_episodes
from kdp_edge.quantization.policy import is_quantized, load_planner, quantize
from kdp_edge.run import Run
from tests.export.runs import write_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.load(write_run(tmp_path / "run"))


def test_a_run_and_its_folder_give_the_same_planner_and_it_is_stored(run: Run) -> None:
    assert not is_quantized(run)
    planner = quantize(run.path)
    assert is_quantized(run)
    assert quantize(run).model_sha256() == planner.model_sha256() == load_planner(run.path).model_sha256()
    assert quantize(run, per_channel=False).model_sha256() != planner.model_sha256()


def test_a_run_is_quantized_and_exported_where_the_command_puts_it(run: Run) -> None:
    bundle = export(run.path, "firmware")
    assert bundle.path == run.path / "bundles" / "firmware"
    assert bundle.manifest["model_sha256"] == load_planner(run.path).model_sha256()
    assert bundle.manifest["provenance"]["run"] == "run"


def test_a_run_is_built_from_its_bundle_and_a_stale_bundle_is_replaced(run: Run, tmp_path: Path) -> None:
    image = build(run, "native")
    assert image.folder == run.path / "builds" / "native"
    assert image.model_sha256 == load_planner(run.path).model_sha256()
    beside = build(load_bundle(firmware_bundle(run)), "native")
    assert beside.folder == run.path / "bundles" / "firmware-builds" / "native"
    assert beside.elf.read_bytes() == image.elf.read_bytes()
    other = quantize(run, per_channel=False)
    assert build(run.path, "native", tmp_path / "image").model_sha256 == other.model_sha256()


def test_a_run_is_scored_by_seed(run: Run) -> None:
    result = evaluate(run.path, episodes=3, seed=7)
    assert result.seeds == (7, 8, 9)
    assert np.array_equal(result.returns, play_episodes(run, (7, 8, 9)).returns)
    low, high = result.score_interval
    assert low < result.score_mean < high
    assert result.summary()["score_mean"] == round(result.score_mean, 2)
    with pytest.raises(KdpError, match="episodes is 0"):
        evaluate(run, episodes=0)


def test_the_agent_carries_the_wire_and_nothing_of_the_host_side() -> None:
    rooms = {name.split(".")[1] for name in agent_files.modules() if "." in name}
    assert rooms == {"base", "window", "quantization", "wire", "exporters"}
