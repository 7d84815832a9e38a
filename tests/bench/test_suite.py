# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The suite: every job once, resumable, the same rows wherever it runs, a table that keeps data apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import silent_stages
from kdp_edge.bench.executors import processes, ray_cluster, run_here
from kdp_edge.bench.suite import Suite, parse_settings
from kdp_edge.bench.suite_jobs import Job, jobs
from kdp_edge.bench.suite_rows import collect
from kdp_edge.bench.suite_run import measure
from kdp_edge.bench.suite_table import write_docs
from kdp_edge.cli import app
from kdp_edge.data.making.make import make
from kdp_edge.tasks import get_task

TASK = "maze2d-umaze"
SETTINGS = parse_settings(
    [
        "value_steps=20", "value_warmup=5", "value_width=8", "value_batch=16", "steps=30", "batch=8",
        "anchor_batch=16", "distill_steps=20", "distill_batch=16", "width=16", "critic_width=8",
    ]
)  # fmt: skip
SMALL = Suite(
    "small", (TASK,), (0, 1), ("kdp", "kdp-plan", "diffusion-5", "clone"), episodes=2, k=3,
    latency_rounds=10, settings=SETTINGS,
)  # fmt: skip


PROMISED = {
    "task", "planner", "seeds", "episodes", "score_mean", "score_ci95", "behaviour_score", "spread_ratio",
    "latency_ms_p50", "latency_ms_p99", "k", "data_sha256", "git", "wall_s",
}  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[dict]]]:
    """A workspace in which the small suite has run, and its rows."""
    home = tmp_path_factory.mktemp("suite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDP_EDGE_HOME", str(home))
        make(get_task(TASK), 3000, seed=0, workers=1)
        rows, failures = measure(SMALL, 1, None, silent_stages)
    assert failures == []
    yield home, rows


@pytest.fixture
def rows(measured: tuple[Path, list[dict]], home: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    monkeypatch.setenv("KDP_EDGE_HOME", str(measured[0]))
    return measured[1]


def test_rows_have_the_promised_fields_over_all_seeds_and_episodes(rows: list[dict]) -> None:
    assert [row["planner"] for row in rows] == list(SMALL.planners)
    for row in rows:
        assert set(row) >= PROMISED
        assert row["seeds"] == [0, 1] and row["episodes"] == 4
        low, high = row["score_ci95"]
        assert low <= row["score_mean"] <= high
        assert row["latency_ms_p50"] > 0 and row["wall_s"] >= 0  # tiny runs round to 0.0 s
        assert row["data"] == "local twin" and len(row["data_sha256"]) == 64
    assert rows[0]["k"] == 3 and rows[1]["k"] == 1
    assert rows[0]["spread_ratio"] > 0 and rows[2]["spread_ratio"] > 0 and rows[3]["spread_ratio"] is None


def test_kdp_is_compared_episode_by_episode(rows: list[dict]) -> None:
    def scores(name: str) -> list[float]:
        files = (SMALL.place(TASK, seed) / f"{name}.json" for seed in SMALL.seeds)
        return [score for file in files for score in json.loads(file.read_text())["scores"]]

    by_name = {row["planner"]: row for row in rows}
    assert by_name["kdp"]["kdp_ahead"] is None
    pairs = zip(scores("kdp"), scores("clone"), strict=True)
    differences = [own - other for own, other in pairs]
    assert by_name["clone"]["kdp_ahead"] == pytest.approx(sum(differences) / 4, abs=0.006)
    low, high = by_name["clone"]["kdp_ahead_ci95"]
    assert low <= by_name["clone"]["kdp_ahead"] <= high


def test_a_finished_suite_does_nothing_again(rows: list[dict]) -> None:
    before = {file: file.stat().st_mtime_ns for file in SMALL.folder.rglob("s?/*.json")}
    again, _ = measure(SMALL, 1, None, silent_stages)
    assert again == rows
    assert before == {file: file.stat().st_mtime_ns for file in SMALL.folder.rglob("s?/*.json")}


def test_a_lost_result_alone_is_measured_again_and_repeats(rows: list[dict]) -> None:
    lost = SMALL.place(TASK, 1) / "kdp.json"
    content = json.loads(lost.read_text())
    lost.unlink()
    assert [job.label for batch in jobs(SMALL) for job in batch if not job.finished()] == [f"{TASK} s1 kdp"]
    measure(SMALL, 1, None, silent_stages)
    assert json.loads(lost.read_text())["scores"] == content["scores"]


@pytest.mark.parametrize("kind", ["processes", "ray"])
def test_other_executors_get_the_same_scores(rows: list[dict], kind: str) -> None:
    files = [SMALL.place(TASK, seed) / "kdp-plan.json" for seed in SMALL.seeds]
    expected = [json.loads(file.read_text())["scores"] for file in files]
    left = [job for batch in jobs(SMALL) for job in batch if job.file in files]
    for file in files:
        file.unlink()
    execute = processes(2) if kind == "processes" else ray_cluster(None)
    done: list[Job] = []
    try:
        assert execute(left, done.append) == []
    finally:
        if kind == "ray":
            ray.shutdown()
    assert sorted(job.label for job in done) == sorted(job.label for job in left)
    assert [json.loads(file.read_text())["scores"] for file in files] == expected


def test_a_failing_job_is_reported_and_the_others_go_on(rows: list[dict]) -> None:
    broken = replace(SMALL, name="broken", seeds=(0,))
    place = broken.place(TASK, 0)
    place.mkdir(parents=True)
    train, score, _ = jobs(broken)
    (SMALL.place(TASK, 0) / "run").rename(place / "run")
    try:
        damaged = place / "run" / "baselines" / "clone.safetensors"
        whole = damaged.read_bytes()
        damaged.write_bytes(b"nonsense")
        failures = run_here([*train, *score], lambda job: None)
        damaged.write_bytes(whole)
    finally:
        (place / "run").rename(SMALL.place(TASK, 0) / "run")
    assert len(failures) == 1 and failures[0].startswith(f"{TASK} s0 clone: ") and str(damaged) in failures[0]
    assert (place / "kdp.json").is_file() and not (place / "clone.json").exists()


def test_another_definition_under_the_same_name_is_refused(rows: list[dict]) -> None:
    with pytest.raises(KdpError, match="was started with k 3, now 4"):
        replace(SMALL, k=4).open()
    replace(SMALL, seeds=(0, 1, 2)).open()  # more seeds may be added


def test_settings_are_checked() -> None:
    assert parse_settings(["tilt=0.25", "steps=9"]) == (("steps", 9), ("tilt", 0.25))
    for text, message in (
        ("stepz=1", "unknown field"),
        ("steps=many", "expected int"),
        ("task=1", "unknown"),
    ):
        with pytest.raises(KdpError, match=message):
            parse_settings([text])


def test_published_data_must_be_imported_first(home: Path) -> None:
    with pytest.raises(KdpError, match="data import FILE --task hopper-medium --name d4rl-hopper"):
        measure(Suite("p", ("hopper-medium",), published=True), 1, None, silent_stages)


def test_the_docs_table_names_the_data_and_keeps_the_papers_numbers_apart(
    rows: list[dict], tmp_path: Path
) -> None:
    page = tmp_path / "benchmarks.md"
    write_docs(page, "small", rows)
    write_docs(page, "other", [{**row, "data": "published"} for row in rows])
    first = page.read_text()
    write_docs(page, "small", rows)
    assert page.read_text() == first, "a suite's section is replaced, not repeated"
    assert "not** D4RL" in first and first.count("## small") == 1
    header = next(line for line in first.splitlines() if line.startswith("| task | data"))
    assert header.endswith("| paper, on D4RL |")
    cells = [line for line in first.splitlines() if line.startswith(f"| {TASK} | local twin")]
    assert len(cells) == 1 and cells[0].endswith("| 122.3 |")
    assert f"| {TASK} | published" in first


def test_the_docs_table_compares_with_20_steps(rows: list[dict], tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    renamed = [{**row, "planner": row["planner"].replace("diffusion-5", "diffusion-20")} for row in rows]
    write_docs(page, "small", renamed)
    lines = [line.split(" | ") for line in page.read_text().splitlines()]
    header = next(line for line in lines if line[0] == "| task")
    cells = next(line for line in lines if line[0] == f"| {TASK}")
    rival = rows[2]
    low, high = rival["kdp_ahead_ci95"]
    assert (
        cells[header.index("KDP less 20 steps")] == f"{rival['kdp_ahead']:+.1f} ({low:+.1f} to {high:+.1f})"
    )


def test_the_commands_write_rows_and_tables(rows: list[dict], tmp_path: Path) -> None:
    options = ["--planners", "kdp,clone", "--episodes", "1", "--seeds", "1"]
    for setting in (f"{name}={value:g}" for name, value in SETTINGS):
        options += ["--set", setting]
    places = ["--out", str(tmp_path), "--docs", str(tmp_path / "benchmarks.md")]
    suite = CliRunner().invoke(
        app, ["bench", "suite", "--name", "cli", "--tasks", TASK, *options, *places], catch_exceptions=False
    )
    assert suite.exit_code == 0, suite.output
    written = json.loads((tmp_path / "cli.json").read_text())
    assert [row["planner"] for row in written] == ["kdp", "clone"]
    assert collect(replace(SMALL, name="cli", planners=("kdp",), seeds=(0,)))[0]["episodes"] == 1
    task = CliRunner().invoke(
        app, ["bench", "task", TASK, *options, "--results", str(tmp_path)], catch_exceptions=False
    )
    assert task.exit_code == 0, task.output
    assert "recorded in" in task.output and "clone" in task.output
