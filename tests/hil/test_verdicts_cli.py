# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a user sees: a policy that falls does not pass, an interrupt keeps what was played."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdp_edge.base.files import write_json
from kdp_edge.run import newest_run
from tests.hil.test_cli import kdp, native_child, written


@pytest.fixture
def home(run_folder: Path, tmp_path: Path) -> Path:
    """A workspace with a run whose data are said to score 60: its random plan falls at once."""
    run = tmp_path / "home" / "runs" / "falls"
    shutil.copytree(run_folder, run)
    write_json(run / "metrics.json", {"behaviour_score": 60.0})
    return tmp_path / "home"


def test_a_policy_that_falls_fails_although_every_byte_is_right(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    done = kdp("hil", "--device", "native", "--episodes", "2", "--out", out, home=home)
    assert done.returncode == 1
    assert "Device = prediction: PASSED" in done.stdout and "Behaviour: FAILED" in done.stdout
    assert "FAILED return_mean native" in done.stdout
    report = json.loads((out / "report.json").read_text())
    assert report["passed"] is False
    assert {v["name"]: v["outcome"] for v in report["verdicts"]} == {
        "device": "passed",
        "behaviour": "failed",
    }


def test_a_bundle_knows_what_its_data_score(home: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    assert kdp("export", "--target", "sbc", "--out", bundle, home=home).returncode == 0
    done = kdp("hil", "--bundle", bundle, "--episodes", "2", "--out", tmp_path / "r", home=home)
    assert done.returncode == 1 and "Behaviour: FAILED" in done.stdout


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--no-gate-return"], "left out on request"),
        (["--max-steps", "5"], "cut at 5 of 1000 steps"),
        (["--fault", "flip=0.02"], "faults were played"),
    ],
)
def test_what_is_not_judged_says_why_and_is_not_green(
    home: Path, tmp_path: Path, options: list[str], why: str
) -> None:
    done = kdp("hil", "--episodes", "2", *options, "--out", tmp_path / "r", home=home)
    assert done.returncode == 0 and "Behaviour: NOT JUDGED" in done.stdout and why in done.stdout
    page = (tmp_path / "r" / "report.html").read_text()
    assert 'class="verdict not-judged"' in page


def test_a_return_that_is_asked_for_is_judged(home: Path, tmp_path: Path) -> None:
    done = kdp("hil", "--episodes", "2", "--gate-return", "-1e6", "--out", tmp_path / "r", home=home)
    assert done.returncode == 0 and "Behaviour: PASSED" in done.stdout
    both = kdp("hil", "--gate-return", "1", "--no-gate-return", "--out", tmp_path / "s", home=home)
    assert both.returncode == 2 and "give one of them" in both.stderr


def test_an_interrupt_keeps_what_was_played(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    child = subprocess.Popen(
        [sys.executable, "-m", "kdp_edge", "hil", "--device", "native", "--episodes", "5000",
         "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "KDP_EDGE_HOME": str(home), "COLUMNS": "100"},
    )  # fmt: skip
    end = time.monotonic() + 90
    while not (device := native_child(child.pid)) or written(device) < 50_000:  # bytes: amid the replies
        assert time.monotonic() < end and child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in errors, errors
    assert f"interrupted; what was played by then is in {out}" in errors
    report = json.loads((out / "report.json").read_text())
    assert report["interrupted"] is True and report["devices"]["native"]["replies"] > 0


def test_a_users_folder_survives_and_two_runs_in_a_second_are_two(home: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    for folder in (mine, home / "runs" / "falls"):
        before = sorted(folder.rglob("*"))
        done = kdp("hil", "--max-steps", "3", "--out", folder, home=home)
        assert done.returncode == 2 and "give another --out" in done.stderr
        assert sorted(folder.rglob("*")) == before
    arguments = [sys.executable, "-m", "kdp_edge", "hil", "--max-steps", "3", "--no-float"]
    env = {**os.environ, "KDP_EDGE_HOME": str(home)}
    both = [subprocess.Popen(arguments, env=env, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [child.wait(120) for child in both] == [0, 0]
    assert len(list((home / "reports").glob("*/report.json"))) == 2


def test_the_newest_run_is_the_one_that_finished_last(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDP_EDGE_HOME", str(home))
    for name, finished in (("old", "2026-01-01T00:00:00+00:00"), ("new", "2026-02-01T00:00:00+00:00")):
        shutil.copytree(home / "runs" / "falls", home / "runs" / name)
        write_json(home / "runs" / name / "run.json", {"finished_utc": finished})
    os.utime(home / "runs" / "old" / "run.json")  # copied last
    assert newest_run().path.name == "new"


def test_info_says_who_a_device_is(home: Path) -> None:
    done = kdp("info", "--device", "native", "--json", home=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["state"] == "idle" and found["hello"]["board"] == "native"
    assert found["selftest"]["passed"] == 1 and "plans" in found["telemetry"]
    shown = kdp("info", "--device", "reference", home=home)
    assert shown.returncode == 0 and "hello model_sha256" in shown.stdout


def test_runs_are_listed_with_their_state(home: Path) -> None:
    (home / "runs" / "half").mkdir()
    (home / "runs" / "half" / "checkpoint.pt").write_bytes(b"x")
    rows = {row["name"]: row for row in json.loads(kdp("runs", "--json", home=home).stdout)["runs"]}
    assert rows["falls"]["quantized"] is True and rows["half"]["state"] == "unfinished"
    assert "falls" in kdp("runs", home=home).stdout
