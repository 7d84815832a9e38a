# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The rivals: a denoiser that learns known windows, exact resume, planners that fit `evaluate`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.bench import compare
from kdp_edge.bench.baseline_planners import DiffusionPlanner
from kdp_edge.bench.baselines import BASELINES, baseline_of, ensure_baselines, metrics, missing
from kdp_edge.bench.beside import FOLDER
from kdp_edge.bench.diffusion import Denoiser, DiffusionStage, signal
from kdp_edge.cli import app
from kdp_edge.data.making.make import make
from kdp_edge.learn.matches import Matches
from kdp_edge.learn.train import new_run_folder, train_run
from kdp_edge.play.evaluate import play_episodes
from kdp_edge.run import Run, RunConfig
from kdp_edge.tasks import get_task

TASK = get_task("hopper-medium-expert")
SMALL = RunConfig(
    TASK.name, TASK.name, TASK.obs_dim, TASK.act_dim,
    value_steps=30, value_warmup=10, value_width=16, value_batch=32, steps=40, batch=8, anchor_batch=16,
    distill_steps=20, distill_batch=32, width=16, critic_width=8,
)  # fmt: skip


def silent(stage: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A workspace and its run with baselines, trained once."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDP_EDGE_HOME", str(home))
        make(TASK, 3000, seed=0, workers=1)
        run = train_run(new_run_folder(SMALL, get_task(SMALL.task)), silent)
        ensure_baselines(run, compare.KINDS, silent)
    yield home, run.path


@pytest.fixture
def run(trained: tuple[Path, Path], home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("KDP_EDGE_HOME", str(trained[0]))
    return Run.load(trained[1])


def two_modes(count: int) -> Matches:
    """Windows whose single action is state + 0.5 or state - 0.5; the state itself is repeated."""
    rng = torch.Generator().manual_seed(0)
    state = torch.rand(count, 1, generator=rng) * 2 - 1
    action = state + 0.5 * torch.sign(torch.rand(count, 1, generator=rng) - 0.5)
    own = torch.arange(count)[:, None]
    chances = torch.arange(1, count + 1, dtype=torch.float64) / count
    return Matches(state, torch.cat([state, action], 1), own, torch.ones(count, 1), chances)


def test_ddim_recovers_both_modes_and_one_step_only_their_mean() -> None:
    config = RunConfig(
        "t", "t", 1, 1, horizon=1, width=48, steps=900, batch=32, samples=8, anchor_batch=0, lr=3e-3
    )
    torch.manual_seed(0)
    torch.set_num_threads(1)
    stage = DiffusionStage(config, two_modes(4000), torch.Generator().manual_seed(0))
    for _ in range(config.steps):
        stage.step()
    state = torch.full((500, 1), 0.2)
    noise = torch.randn(500, 2, generator=torch.Generator().manual_seed(1))
    many, one = (stage.average.sample(state, noise, steps)[:, 1] for steps in (20, 1))
    near = ((many - 0.7).abs() < 0.2) | ((many + 0.3).abs() < 0.2)
    assert near.float().mean() > 0.85
    assert 0.3 < (many > 0.2).float().mean() < 0.7
    assert (one - 0.2).abs().mean() < 0.15
    zero = stage.average.sample(state, torch.zeros(500, 2), 20)
    assert (zero == zero[0]).all(), "noise 0 gives one deterministic plan"


def test_the_noise_schedule_runs_from_clean_to_noise() -> None:
    level = torch.linspace(0, 1, 101)
    share = signal(level)
    assert share[0] > 0.999 and share[-1] < 1e-3 and (share.diff() < 0).all()


def test_a_perfect_denoiser_is_followed_to_its_window_whatever_the_steps() -> None:
    denoiser = Denoiser(SMALL)
    for parameter in denoiser.net.parameters():
        torch.nn.init.zeros_(parameter)
    wanted = torch.randn(SMALL.window_dim)
    denoiser.net.last.bias.data.copy_(wanted)
    for steps in (1, 2, 5, 20):
        found = denoiser.sample(torch.zeros(3, 11), torch.randn(3, SMALL.window_dim), steps)
        torch.testing.assert_close(found, wanted.expand(3, -1))


def test_baselines_resume_exactly(run: Run) -> None:
    folder = run.path / FOLDER
    names = ("diffusion", "clone")
    whole = {name: (folder / f"{name}.safetensors").read_bytes() for name in names}
    for file in (folder / "checkpoint.pt", *(folder / f"{name}.safetensors" for name in names)):
        file.unlink()
    for steps, left in (7, names), (33, names), (12, ("clone",)):
        with pytest.raises(KdpError, match="interrupted"):
            ensure_baselines(run, ["diffusion-5", "clone"], silent, stop_after=steps)
        assert tuple(one.name for one in missing(run.path, ["diffusion-5", "clone"])) == left
    ensure_baselines(run, ["diffusion-5", "clone"], silent)
    for name, content in whole.items():
        assert (folder / f"{name}.safetensors").read_bytes() == content


def test_every_planner_but_ours_has_a_baseline_and_its_measures(run: Run) -> None:
    rivals = [name for name in compare.KINDS if baseline_of(name) is not None]
    assert set(compare.KINDS) - set(rivals) == {"kdp", "kdp-plan", "kdp-sample"}
    assert {name for baseline in BASELINES.values() for name in baseline.planners} == set(rivals)
    assert missing(run.path, compare.KINDS) == []
    found = metrics(run.path)
    for baseline in BASELINES.values():
        assert set(baseline.stages) <= set(found["wall_s"]), baseline.name


def test_every_kind_plays_the_task_and_is_timed(run: Run) -> None:
    kinds = list(compare.KINDS.values())
    found = compare.scores(run, kinds, 4, range(2))
    times = compare.latencies(run, kinds, 4, rounds=20)
    assert set(found) == set(times) == set(compare.KINDS)
    for name in compare.KINDS:
        assert found[name]["episodes"] == 2
        assert 0 < times[name]["latency_ms_p50"] <= times[name]["latency_ms_p99"]
        assert times[name]["first_cpu_ms_p50"] > 0
    work = {name: compare.multiply_adds(run, name, 4) for name in ("kdp", "diffusion-1", "diffusion-20")}
    assert 10 * work["kdp"] < work["diffusion-20"] and work["diffusion-1"] < work["diffusion-20"] / 10
    assert found["clone"]["switched"] == found["kdp-plan"]["switched"] == 0


def test_diffusion_uses_the_runs_critic_and_margin(run: Run) -> None:
    cautious = Run(run.path, replace(run.config, margin=1e9), run.metrics, run.provenance)
    result = play_episodes(cautious, range(2), DiffusionPlanner(cautious, 2, 4))
    assert result.switched == 0
    eager = Run(run.path, replace(run.config, margin=-1e9), run.metrics, run.provenance)
    assert play_episodes(eager, range(2), DiffusionPlanner(eager, 2, 4)).switched == 1


def test_weights_of_another_run_are_refused(run: Run) -> None:
    wider = Run(run.path, replace(run.config, horizon=5), run.metrics, run.provenance)
    with pytest.raises(KdpError, match=r"diffusion.safetensors: does not fit"):
        DiffusionPlanner(wider, 20)


def test_an_unknown_planner_lists_all() -> None:
    with pytest.raises(
        KdpError, match=r"unknown planner 'difusion': did you mean diffusion-\d+\? known planners"
    ):
        compare.kinds_named(["difusion"])


def test_states_in_a_batch_are_planned_independently(run: Run) -> None:
    states = run.calibration()[:6].astype(np.float64)
    for kind in (compare.KINDS["kdp-plan"], compare.KINDS["clone"]):
        planner = kind.make(run, 1)
        together, _ = planner.plan(states, torch.Generator().manual_seed(0))
        for i in range(6):
            alone, _ = planner.plan(states[i : i + 1], torch.Generator().manual_seed(0))
            np.testing.assert_allclose(alone[0], together[i], atol=1e-5)


def bench(run: Run, *options: str) -> tuple[int, list[dict[str, Any]]]:
    command = ["bench", "planners", "--run", str(run.path), "--rounds", "20", "--json", *options]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout)["rows"]


def test_one_command_scores_and_times_all_planners(run: Run) -> None:
    code, found = bench(run, "--episodes", "2")
    rows = {row["planner"]: row for row in found}
    assert set(rows) == {"kdp", "kdp-plan", "diffusion-20", "diffusion-5", "diffusion-1", "clone"}
    worse = rows["kdp"]["score_ci95"][1] < rows["diffusion-20"]["score_ci95"][0]
    assert code == int(worse or rows["diffusion-20"]["times_kdp"] < 1)
    assert rows["diffusion-20"]["work_kdp"] > 10


def test_times_are_taken_at_every_k_and_held_against_a_wish(run: Run) -> None:
    few = ("--planners", "kdp,diffusion-20", "--episodes", "0", "--k", "2", "--k", "5")
    code, rows = bench(run, *few, "--faster", "0")
    assert code == 0
    assert [(row["planner"], row["k"]) for row in rows] == [
        ("kdp", 2), ("diffusion-20", 2), ("kdp", 5), ("diffusion-20", 5)
    ]  # fmt: skip
    assert bench(run, *few, "--faster", "1e6")[0] == 1
