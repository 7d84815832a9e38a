# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge export` as a user types it, on runs made here without training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdp_edge.base.errors import USAGE
from kdp_edge.exporters.bundle import load_bundle
from kdp_edge.quantization.policy import INTEGER_FOLDER
from tests.export.runs import write_run


def kdp_edge(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from kdp_edge.cli import main; main()", *arguments]
    environment = os.environ | {"KDP_EDGE_HOME": str(home), "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs" / "hopper-test")


def test_the_newest_run_is_quantized_exported_and_named(tmp_path: Path, run: Path) -> None:
    result = kdp_edge(tmp_path, "export", "--target", "jetson")
    assert result.returncode == 0, result.stderr
    assert f"Newest run: {run}" in result.stderr
    assert "Not quantized yet" in result.stderr
    assert (run / INTEGER_FOLDER / "plan.json").is_file()
    bundle = load_bundle(run / "bundles" / "jetson")
    assert bundle.manifest["provenance"] == {"run": "hopper-test", "seed": 0, "data_sha256": "0" * 64}
    assert "Verified bundle" in result.stdout
    assert "generator.onnx" in result.stdout


def test_json_is_one_object_and_out_is_obeyed(tmp_path: Path, run: Path) -> None:
    out = tmp_path / "elsewhere"
    result = kdp_edge(tmp_path, "export", "--target", "tflm", "--run", str(run), "--out", str(out), "--json")
    value = json.loads(result.stdout)
    assert value["bundle"] == str(out)
    assert value["passed"] is True
    assert value["details"]["arena_bytes"]["generator"] > 0
    assert load_bundle(out).target == "tflm"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "jetsom"], "did you mean jetson"),
        (["--target", "tflm", "--run", "nowhere"], "nowhere"),
        (["--target", "tflm", "--out", "occupied"], "is not a bundle"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    tmp_path: Path, run: Path, arguments: list[str], message: str
) -> None:
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "file").write_text("x")
    arguments = [str(occupied) if a == "occupied" else a for a in arguments]
    result = kdp_edge(tmp_path, "export", *arguments)
    assert result.returncode == USAGE
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_damaged_weights_are_named(tmp_path: Path, run: Path) -> None:
    (run / "critic.safetensors").write_bytes(b"garbage")
    result = kdp_edge(tmp_path, "export", "--target", "sbc")
    assert result.returncode == USAGE
    assert "critic.safetensors" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (run / "bundles").exists()
