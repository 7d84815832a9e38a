# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""docs/your-robot.md: its commands run in their order, from a model to an emulated board; the run moves."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdp_edge import closed_loop
from kdp_edge.cli import app

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "your-robot.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    ((?:cd|python|kdp-edge) .*)$", PAGE, re.MULTILINE)
SMALL = (
    "steps=60 lead=0 value_steps=30 value_warmup=10 mean_steps=20 distill_steps=30 value_width=32 width=32 "
    "batch=16 samples=4"
)
# what the test adds, so that it takes seconds: a policy that is trained for so short a time proves nothing,
# and the later steps of its windows, which a lead reads, are noise
BRIEFLY = {
    "kdp-edge train": [word for setting in SMALL.split() for word in ("--set", setting)],
    "kdp-edge eval": ["--episodes", "2"],
    "kdp-edge quantize": ["--check-episodes", "1"],
    "kdp-edge hil": ["--episodes", "1", "--max-steps", "130", "--no-gate-return"],
}
NO_EMULATOR = shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None


def run(line: str) -> str:
    """What a command of the page prints; kdp-edge runs in this process, which has imported all of it."""
    words = shlex.split(line.partition(" #")[0])
    if words[0] == "python":
        command = [sys.executable, words[1], words[2], "6", *words[4:]]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        return ""
    more = BRIEFLY.get(" ".join(words[:2]), [])
    done = CliRunner().invoke(app, [*words[1:], *more], catch_exceptions=False)
    assert done.exit_code == 0, f"{line}\n{done.output}"
    return done.output


@contextmanager
def in_folder(folder: Path, workspace: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.setenv("KDP_EDGE_HOME", str(workspace))
        yield


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, str]]]:
    """The folder in which the page was run, and each command with what it printed."""
    if NO_EMULATOR:
        pytest.skip("needs qemu-system-arm and arm-none-eabi-gcc")
    folder = tmp_path_factory.mktemp("robot") / "quadrotor"
    assert COMMANDS[0] == "cd examples/quadrotor"
    shutil.copytree(ROOT / "examples" / "quadrotor", folder)
    with in_folder(folder, folder / "work"):
        return folder, [(line, run(line)) for line in COMMANDS[1:]]


def test_the_page_leads_to_a_passed_report_on_an_emulated_board(
    played: tuple[Path, list[tuple[str, str]]],
) -> None:
    folder, outputs = played
    said = dict(outputs)
    assert len(outputs) >= 10
    assert "success of its episodes" in said["kdp-edge data show quad"]
    assert "success" in said["kdp-edge eval --episodes 20"]
    reports = [json.loads(file.read_text()) for file in sorted(folder.glob("work/reports/*/report.json"))]
    board = reports[0]["devices"]["qemu:stm32f405"]
    assert reports[0]["passed"] and board["mismatched_replies"] == 0 and board["replies"] > 0
    assert board["successes"] == reports[0]["devices"]["reference"]["successes"]
    assert len(board["successes"]) == 1


def test_the_draft_of_the_page_is_the_filled_in_file_but_for_what_only_its_owner_knows(
    played: tuple[Path, list[tuple[str, str]]],
) -> None:
    draft, full = (tomllib.loads((played[0] / name).read_text()) for name in ("draft.toml", "quad.toml"))
    for name in ("sensors", "actuators", "mjcf"):
        assert draft["plant"][name] == full["plant"][name]
    for before, after in zip(draft["action"], full["action"], strict=True):
        assert before == {**{key: after[key] for key in before}, "unit": "1"}
    assert [one["unit"] for one in draft["observation"]] == [one["unit"] for one in full["observation"]]


def test_without_observations_the_motors_go_to_their_safe_value_and_it_comes_down(
    played: tuple[Path, list[tuple[str, str]]],
) -> None:
    newest = max((played[0] / "work" / "reports").glob("*/steps.csv"))
    rows = [row for row in csv.DictReader(newest.open()) if row["device"] == "native"]
    assert rows
    motors = [[float(row[f"action_{i}"]) for i in range(4)] for row in rows if int(row["step"]) >= 112]
    assert all(value == 0.0 for row in motors for value in row)


def test_a_run_plays_in_an_empty_workspace_without_the_files_that_it_came_from(
    played: tuple[Path, list[tuple[str, str]]], tmp_path: Path
) -> None:
    (moved,) = (played[0] / "work" / "runs").iterdir()
    shutil.copytree(moved, tmp_path / "elsewhere" / moved.name)
    with in_folder(tmp_path, tmp_path / "empty"):
        place = tmp_path / "elsewhere" / moved.name
        report = closed_loop(place, ["native"], episodes=1, max_steps=20, judge_return=False)
    assert report.passed and report.devices["native"].steps == 20
