# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""MuJoCo's version travels with data, run, bundle and report, and a difference is said."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdp_edge.base.provenance import other_simulator
from kdp_edge.cli import app
from kdp_edge.exporters.bundle import load_bundle
from kdp_edge.exporters.targets import export
from kdp_edge.hil.closed_loop import closed_loop
from kdp_edge.run import Run

HERE, OLDER = version("mujoco"), "2.3.7"
NOTE = f"learned with MuJoCo {OLDER}, played with {HERE}: its physics may differ, and returns with them"


def learned_with(folder: Path, run_folder: Path, data: str | None, beside: str | None) -> Run:
    """A copy of a run whose data were rolled with one MuJoCo and which was trained beside another."""
    path = Path(shutil.copytree(run_folder, folder / "run"))
    provenance = json.loads((path / "run.json").read_text())
    provenance["data"]["packages"] = {} if data is None else {"mujoco": data}
    provenance["packages"] = {} if beside is None else {"mujoco": beside}
    (path / "run.json").write_text(json.dumps(provenance))
    return Run.load(path)


@pytest.mark.parametrize(
    ("data", "beside", "expected"),
    [(OLDER, HERE, [NOTE]), (HERE, OLDER, []), (None, OLDER, [NOTE]), (HERE, HERE, []), (None, None, [])],
)
def test_what_rolled_the_data_counts_first(
    tmp_path: Path, run_folder: Path, data: str | None, beside: str | None, expected: list[str]
) -> None:
    run = learned_with(tmp_path, run_folder, data, beside)
    assert other_simulator(run.simulator) == expected


def test_report_bundle_and_eval_say_the_difference(tmp_path: Path, run_folder: Path) -> None:
    run = learned_with(tmp_path, run_folder, OLDER, HERE)
    short = {"episodes": 1, "max_steps": 3, "judge_return": False}
    assert closed_loop(run, ["reference"], **short).notes == [NOTE]
    bundle = export(run, "firmware", tmp_path / "bundle")
    assert bundle.manifest["provenance"]["mujoco"] == OLDER
    report = closed_loop(load_bundle(bundle.path), ["reference"], **short)
    assert report.notes == [NOTE]
    said = CliRunner().invoke(app, ["eval", "--run", str(run.path), "--episodes", "1"])
    assert said.exit_code == 0 and f"note: {NOTE}" in said.output, said.output
