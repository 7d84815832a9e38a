# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The suite: every job once, resumable, the same records wherever it runs, a file that grows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import write_json
from kdp_edge.base.progress import silent_stages
from kdp_edge.bench.executors import processes, ray_cluster, run_here
from kdp_edge.bench.records import Results, read_results
from kdp_edge.bench.suite import NOMINAL, Suite, parse_settings
from kdp_edge.bench.suite_jobs import QUANTIZE, RIVALS, TRAIN, Job, scores, trainings
from kdp_edge.bench.suite_planners import candidates_of
from kdp_edge.bench.suite_run import Where, measure
from kdp_edge.bench.suite_score import score
from kdp_edge.cli import app
from kdp_edge.data import store
from kdp_edge.run import Run
from kdp_edge.tasks import TASKS
from tests.bench.suites import SETTINGS, SMALL, TASK, measured, played

STEPS = 3000  # of a data set here


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Results]]:
    """A workspace in which the small suite has run, and its results."""
    home = tmp_path_factory.mktemp("suite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDP_EDGE_HOME", str(home))
        patch.setitem(TASKS, TASK, replace(TASKS[TASK], default_steps=STEPS))
        yield home, measured(SMALL, home / "small.json")


@pytest.fixture
def results(done: tuple[Path, Results], home: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setenv("KDP_EDGE_HOME", str(done[0]))
    return done[1]


@pytest.fixture
def file(done: tuple[Path, Results]) -> Path:
    return done[0] / "small.json"


def test_every_seed_has_data_of_its_own(results: Results) -> None:
    recipes = [store.read_meta(f"{TASK}-fresh{seed}")["recipe"] for seed in SMALL.seeds]
    assert [(made["seed"], made["steps"]) for made in recipes] == [(203, STEPS), (204, STEPS)]
    runs = [Run.load(SMALL.place(TASK, seed) / "run") for seed in SMALL.seeds]
    assert [run.config.data for run in runs] == [f"{TASK}-fresh{seed}" for seed in SMALL.seeds]
    for run in runs:
        record = results.records[TASK, run.config.seed, "kdp", NOMINAL]
        assert record["data"]["sha256"] == store.load_data(run.config.data).sha256
    assert len({run.provenance["data"]["sha256"] for run in runs}) == 2


def test_a_record_is_a_planner_a_seed_and_a_plant(results: Results) -> None:
    plants = (NOMINAL, *SMALL.perturb)
    expected = {(seed, name, plant) for seed in SMALL.seeds for name in SMALL.planners for plant in plants}
    assert {key[1:] for key in results.records} == expected
    for record in results.records.values():
        assert len(record["scores"]) == 2 and record["trained"]["precision"] in ("float32", "bfloat16")
        assert len(record["data"]["sha256"]) == 64 and record["data"]["origin"] == "local twin"
        assert record["scored"]["packages"]["torch"] and record["trained"]["machine"]
    k = {planner: record["k"] for (_, _, planner, _), record in results.records.items()}
    assert k == {"kdp": 3, "kdp-plan": 1, "int8": 3, "behaviour": 1, "diffusion-5": 3, "clone": 1}
    kdp, plan = (results.records[TASK, 3, name, NOMINAL] for name in ("kdp", "kdp-plan"))
    assert kdp["margin"] == Run.load(SMALL.place(TASK, 3) / "run").config.margin and plan["margin"] == 0
    assert results.times[TASK]["k"] == 3
    assert results.times[TASK]["planners"]["kdp"]["latency_ms_p50"] > 0


def test_a_finished_suite_does_nothing_again(results: Results, file: Path) -> None:
    def stamps() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in SMALL.folder.rglob("s?/*.json")}

    before, text = stamps(), file.read_text()
    assert played(measured(SMALL, file)) == played(results)
    assert stamps() == before and file.read_text() == text


def test_a_lost_result_alone_is_measured_again_and_repeats(results: Results, file: Path) -> None:
    lost = SMALL.place(TASK, 4) / "int8@noise-5.json"
    content = json.loads(lost.read_text())
    lost.unlink()
    assert [job.label for job in scores(SMALL) if not job.finished()] == [f"{TASK} s4 int8 noise-5"]
    assert measured(SMALL, file).records[TASK, 4, "int8", "noise-5"]["scores"] == content["scores"]


@pytest.mark.parametrize("kind", ["processes", "ray"])
def test_other_executors_get_the_same_scores(results: Results, kind: str) -> None:
    left = [job for job in scores(SMALL) if job.work == "kdp-plan"]
    expected = [json.loads(job.file.read_text())["scores"] for job in left]
    for job in left:
        job.file.unlink()
    execute = processes(2) if kind == "processes" else ray_cluster(None)
    seen: list[Job] = []
    try:
        assert execute(left, seen.append) == []
    finally:
        if kind == "ray":
            ray.shutdown()
    assert sorted(job.label for job in seen) == sorted(job.label for job in left)
    assert [json.loads(job.file.read_text())["scores"] for job in left] == expected


def test_a_later_start_without_the_runs_adds_its_seeds_and_keeps_the_others(
    results: Results, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = file.read_text()
    monkeypatch.setenv("KDP_EDGE_HOME", str(tmp_path / "elsewhere"))
    more = replace(SMALL, seeds=(4, 6), planners=("kdp",), perturb=(), latency_rounds=0)
    try:
        found = measured(more, file)
        assert not more.trained(TASK, 4), "what the file holds is not measured again"
        assert more.trained(TASK, 6) and len(found.records) == len(results.records) + 1
        assert played(results).items() <= played(found).items()
        assert found.times == results.times
        assert read_results(file, more).records == found.records
    finally:
        file.write_text(text)


def test_a_run_of_other_settings_is_one_line_that_names_them(results: Results, file: Path) -> None:
    config = SMALL.place(TASK, 3) / "run" / "config.json"
    text = config.read_text()
    try:
        config.write_text(json.dumps(json.loads(text) | {"steps": 31, "key_tau": 0.9}))
        found, failures = measure(SMALL, file, Where(), silent_stages)
    finally:
        config.write_text(text)
    assert len(failures) == 1 and "\n" not in failures[0]
    assert failures[0].startswith(f"{TASK} s3 train: {config}: ")
    assert "steps 31 instead of 30" in failures[0] and "key_tau 0.9 instead of" in failures[0]
    assert played(found) == played(results), "what was measured before stays"


def test_a_run_is_played_with_the_candidates_and_the_margin_of_today(results: Results) -> None:
    config = SMALL.place(TASK, 3) / "run" / "config.json"
    text = config.read_text()
    try:
        config.write_text(json.dumps(json.loads(text) | {"k": 5, "margin": 2.0, "precision": "bfloat16"}))
        run = SMALL.deployed(TASK, 3)
        assert (run.config.k, run.config.margin) == (3, json.loads(text)["margin"])
        assert all(job.finished() for job in scores(SMALL) if job.seed == 3), "scored so already"
        played = next(job for job in scores(SMALL) if job.work == "kdp").file
        record = played.read_text()
        played.write_text(json.dumps(json.loads(record) | {"k": 5}))
        left = [job.label for job in scores(SMALL) if not job.finished()]
        played.write_text(record)
        assert left == [f"{TASK} s3 kdp"], "scores of other candidates are not today's"
    finally:
        config.write_text(text)


def test_one_candidate_is_not_judged_and_is_the_plan_of_latent_0(results: Results) -> None:
    run = SMALL.deployed(TASK, 3)
    alone = replace(run, config=replace(run.config, k=1))
    assert candidates_of(alone, "kdp") == candidates_of(alone, "kdp-plan") == (1, 0.0)
    k, margin = candidates_of(alone, "kdp-ranked")
    assert k > 1 and margin == run.config.margin, "what is given back is measured with what a board ranks"
    twin = SMALL.folder / "kdp of one.json"
    write_json(twin, score(alone, "kdp", NOMINAL, 2) | {"switched": 0.5})
    taken, played_again = (score(alone, "kdp-plan", NOMINAL, 2, known) for known in (twin, None))
    assert taken["scores"] == played_again["scores"]
    assert (taken["switched"], played_again["switched"]) == (0.5, 0.0)
    assert score(run, "kdp-plan", NOMINAL, 2, twin)["switched"] == 0, "KDP ranks 3: this is not its record"


def test_what_is_not_trained_is_left_out_when_asked_for(results: Results, file: Path) -> None:
    text = file.read_text()
    more = replace(SMALL, seeds=(4, 9))
    lost = SMALL.place(TASK, 4) / "kdp.json"
    lost.unlink()
    try:
        assert played(measured(more, file, Where(train=False))) == played(results)
    finally:
        file.write_text(text)
    assert lost.is_file() and not more.place(TASK, 9).exists()
    assert not store.exists(f"{TASK}-fresh9")


def test_a_failing_job_is_reported_and_the_others_go_on(results: Results) -> None:
    broken = replace(SMALL, name="broken", seeds=(3,), perturb=())
    place = broken.place(TASK, 3)
    place.mkdir(parents=True)
    before = [job for work in (TRAIN, QUANTIZE, RIVALS) for job in trainings(broken, work, [(TASK, 3)])]
    batch = [*before, *scores(broken)]
    shutil.copytree(SMALL.place(TASK, 3) / "run", place / "run")
    damaged = place / "run" / "baselines" / "clone.safetensors"
    damaged.write_bytes(b"nonsense")
    failures = run_here(batch, lambda job: None)
    assert len(failures) == 1 and failures[0].startswith(f"{TASK} s3 clone: ") and str(damaged) in failures[0]
    assert (place / "kdp.json").is_file() and not (place / "clone.json").exists()


def test_another_definition_under_the_same_name_is_refused(results: Results, file: Path) -> None:
    for changed in (replace(SMALL, k=4), replace(SMALL, fresh=False), replace(SMALL, episodes=3)):
        with pytest.raises(KdpError, match=r"was started with (k 3|fresh True|episodes 2), now"):
            changed.open()
        with pytest.raises(KdpError, match=r"small\.json: this suite was started with"):
            read_results(file, changed)
    replace(SMALL, seeds=(0, 1, 2), perturb=()).open()  # seeds, planners and plants may be added


def test_fresh_data_of_another_seed_are_refused(results: Results, tmp_path: Path) -> None:
    other = replace(SMALL, name="other", seeds=(203,))
    folder = store.dataset_path(f"{TASK}-fresh203")
    shutil.copytree(store.dataset_path(f"{TASK}-fresh3"), folder)
    try:
        with pytest.raises(KdpError, match=rf"data set '{TASK}-fresh203' exists with another recipe"):
            measure(other, tmp_path / "other.json", Where(), silent_stages)
    finally:
        shutil.rmtree(folder)


def test_a_plant_that_cannot_be_had_is_said_and_not_tried_again(results: Results, tmp_path: Path) -> None:
    one = replace(SMALL, seeds=(3,), planners=("kdp",), perturb=("late-half",), latency_rounds=0)
    record = measured(one, tmp_path / "small.json").records[TASK, 3, "kdp", "late-half"]
    if record["scores"]:
        pytest.skip("this plant has sub-steps")
    assert "late" in record["impossible"]
    assert all(job.finished() for job in scores(one))


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
        measure(
            Suite("p", ("hopper-medium",), published=True, planners=("kdp",)),
            home / "p.json",
            Where(),
            silent_stages,
        )


def test_the_commands_write_records_and_tables(results: Results, tmp_path: Path) -> None:
    options = ["--planners", "kdp,clone", "--episodes", "1", "--k", "3"]
    for setting in (f"{name}={value:g}" for name, value in SETTINGS):
        options += ["--set", setting]
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- suite cli -->\n<!-- end of suite cli -->\nafter\n")
    places = ["--out", str(tmp_path), "--docs", str(tmp_path / "benchmarks.md"), "--readme", str(readme)]
    suite = CliRunner().invoke(
        app,
        [
            "bench", "suite", "--name", "cli", "--tasks", TASK, "--fresh", "--seeds", "3-3", "--rounds", "10",
            *options, *places,
        ],
        catch_exceptions=False,
    )  # fmt: skip
    assert suite.exit_code == 0, suite.output
    written = json.loads((tmp_path / "cli.json").read_text())
    assert [record["planner"] for record in written["records"]] == ["clone", "kdp"]
    assert f"| {TASK} |" in (tmp_path / "benchmarks.md").read_text()
    assert f"| {TASK} | 1 |" in readme.read_text() and readme.read_text().endswith("after\n")
    task = CliRunner().invoke(
        app,
        ["bench", "task", TASK, "--seeds", "1", *options, "--results", str(tmp_path)],
        catch_exceptions=False,
    )
    assert task.exit_code == 0, task.output
    assert f"recorded in {tmp_path / 'cli.json'}: clone" in task.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "10-3"], "--seeds 10-3: expected"),
        (["--fresh", "--published"], "--fresh and --published"),
        (["--planners", "kdp,kpd"], "unknown planner 'kpd'"),
        (["--perturb", "noise-50"], "unknown perturbation"),
    ],
)
def test_a_slip_on_the_command_line_is_one_line(home: Path, options: list[str], message: str) -> None:
    found = CliRunner().invoke(app, ["bench", "suite", *options, "--out", str(home)])
    assert isinstance(found.exception, KdpError) and message in str(found.exception)
    assert "\n" not in str(found.exception) and list(home.iterdir()) == []
