# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge check-tensorrt` on files as users have them: verdicts, exit codes, one line an error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from typer.testing import CliRunner, Result

from kdp_edge.base.errors import USAGE, KdpError
from kdp_edge.cli import app
from kdp_edge.exporters.trt_rules import RULES
from tests.export.trt_model import base, insert, put, tensor


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["check-tensorrt", *map(str, arguments)])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.onnx"
    path.write_bytes(base().SerializeToString())
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    model = base()
    put(model, "xs", np.float32(-0.5))
    path = tmp_path / "bad.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_a_file_that_keeps_the_rules_passes(good: Path) -> None:
    result = run(good)
    assert (result.exit_code, result.output) == (0, f"{good}: passed, JetPack 6 (TensorRT 10.3)\n")


def test_a_file_that_breaks_one_fails_and_says_where(bad: Path) -> None:
    result = run(bad, "--profile", "tensorrt11")
    assert result.exit_code == 1
    assert f"{bad}: q0: scale is -0.5, expected above 0; calibrate" in result.output
    assert result.output.endswith("2 faults, TensorRT 11\n")


def test_json_is_one_object(bad: Path) -> None:
    result = run(bad, "--json")
    found = json.loads(result.output)
    assert result.exit_code == 1
    assert (found["model"], found["profile"], found["passed"]) == (str(bad), "jetpack6", False)
    assert {"rule", "cost", "where", "message", "advice"} == set(found["findings"][0])


def test_what_only_runs_in_float_is_told_and_fails_when_strict(tmp_path: Path) -> None:
    model = base()
    insert(model, "gemm", 0, "Tanh")
    path = tmp_path / "float.onnx"
    path.write_bytes(model.SerializeToString())
    result = run(path)
    assert result.exit_code == 0
    assert "[linear-quantized, float]" in result.output and "passed" in result.output
    assert run(path, "--strict").exit_code == 1


def test_the_rules_are_listed_without_a_file() -> None:
    lines = run("--rules").output.splitlines()
    assert [line.split()[0] for line in lines] == [rule.id for rule in RULES]
    assert [one["id"] for one in json.loads(run("--rules", "--json").output)["rules"]] == [
        r.id for r in RULES
    ]


def test_every_rule_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs/tensorrt.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{rule.id}` | {rule.cost} | {rule.meaning} |" for rule in RULES]


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x00" * 100, base().SerializeToString()[:-100]])
def test_what_is_no_onnx_file_is_one_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(data)
    assert_error(path, f"{path} is not an ONNX file")


def test_a_folder_is_one_error(tmp_path: Path) -> None:
    assert_error(tmp_path, "cannot be read: Is a directory; give the path of an .onnx file")


def test_a_missing_file_is_one_error(tmp_path: Path) -> None:
    assert_error(tmp_path / "nowhere.onnx", "No such file")


def test_a_file_larger_than_any_onnx_file_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # sparse: takes no space
    assert_error(path, "has 2,147,483,648 bytes")


def test_an_unknown_profile_and_no_file_are_one_error_each(good: Path) -> None:
    assert_error(good, "jetpack6, tensorrt11", "--profile", "jetpack5")
    assert "no MODEL.onnx" in str(run().exception)


def assert_error(path: Path, text: str, *options: str) -> None:
    error = run(path, *options).exception
    assert isinstance(error, KdpError) and error.exit_code == USAGE
    assert text in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("size", "location", "found"),
    [
        (20, "b.bin", None),
        (19, "b.bin", "takes 19 bytes at 0 of b.bin, expected 20"),
        (20, "../b.bin", "is not a file beside the model"),
        (20, "nowhere.bin", "is not a file beside the model"),
        (20, ".", "is not a file beside the model"),
        (20, "b\0.bin", "is not a file beside the model"),
    ],
)
def test_data_beside_the_model_are_looked_for(
    tmp_path: Path, size: int, location: str, found: str | None
) -> None:
    model = base()
    bias = tensor(model, "b")
    bias.ClearField("raw_data")
    bias.data_location = TensorProto.EXTERNAL
    bias.external_data.add(key="location", value=location)
    (tmp_path / "b.bin").write_bytes(bytes(size))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    result = run(path)
    assert result.exit_code == (0 if found is None else 1), result.output
    assert found is None or ("[tensor-readable, rejected]" in result.output)
    assert found is None or "\0" in location or found in result.output
