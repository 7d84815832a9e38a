# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The ablation changes one thing at a time, and shows each failure on data where it must occur."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.bench.ablation import VARIANTS, Variant, ensure_variant, movement, variants_named
from kdp_edge.cli import app
from kdp_edge.data.making.make import make
from kdp_edge.learn.generator import GeneratorStage
from kdp_edge.learn.matches import Matches, spread_ratio
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.recipes import recipe_for
from kdp_edge.learn.train import new_run_folder, train_run
from kdp_edge.run import Run, RunConfig
from kdp_edge.tasks import get_task
from tests.learning.traits import MEDIUM_EXPERT

TASK = get_task("maze2d-umaze")
SMALL = RunConfig(
    TASK.name, TASK.name, TASK.obs_dim, TASK.act_dim,
    value_steps=20, value_warmup=5, value_width=8, value_batch=16, steps=30, batch=8, anchor_batch=16,
    distill_steps=20, distill_batch=16, width=16, critic_width=8,
)  # fmt: skip


def silent(stage: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDP_EDGE_HOME", str(home))
        make(TASK, 3000, seed=0, workers=1)
        path = train_run(new_run_folder(SMALL, get_task(SMALL.task)), silent).path
    yield home, path


@pytest.fixture
def run(trained: tuple[Path, Path], home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("KDP_EDGE_HOME", str(trained[0]))
    return Run.load(trained[1])


def test_our_own_line_is_the_run_itself(run: Run) -> None:
    same = ensure_variant(run, VARIANTS[0], {}, silent)
    for name in ("generator", "critic"):
        ours, theirs = same.tensors(name), run.tensors(name)
        for tensor in ours:
            np.testing.assert_array_equal(ours[tensor], theirs[tensor])


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.slug)
def test_every_variant_changes_the_recipe_of_the_published_table(variant: Variant) -> None:
    task = get_task("hopper-medium-expert")
    recipe = recipe_for(task, task.name, MEDIUM_EXPERT)
    assert variant.slug == variants_named([variant.name])[0].slug
    assert all(getattr(recipe, name) != value for name, value in variant.changes.items())


def test_variants_trained_with_other_settings_are_not_mixed(run: Run) -> None:
    ensure_variant(run, VARIANTS[1], {}, silent)
    with pytest.raises(KdpError, match="other settings"):
        ensure_variant(run, VARIANTS[1], {"steps": 31}, silent)


def trained_spread(taus: tuple[float, ...]) -> float:
    """Spread ratio after training on one condition whose matched windows have two modes."""
    config = RunConfig(
        "t", "t", 1, 1, horizon=1, latent_dim=2, width=32, steps=600, batch=8, samples=12, positives=8,
        taus=taus, anchor=0.0, lr=3e-3, action_weight=1.0, played_weight=1.0,
    )  # fmt: skip
    rng = torch.Generator().manual_seed(0)
    action = torch.where(torch.rand(256, 1, generator=rng) < 0.5, -1.0, 1.0)
    flat = torch.cat([torch.zeros(256, 1), action + 0.4 * torch.randn(256, 1, generator=rng)], 1)
    pool = torch.randint(256, (256, 64), generator=rng)
    matches = Matches(
        torch.zeros(256, 1), flat, pool, torch.full((256, 64), 1 / 64),
        torch.arange(1, 257, dtype=torch.float64) / 256,
    )  # fmt: skip
    torch.manual_seed(0)
    stage = GeneratorStage(config, matches, torch.Generator().manual_seed(0))
    for _ in range(config.steps):
        stage.step()
    return spread_ratio(stage.deployed(), matches, config, states=64)


def test_key_only_weights_collapse_where_the_product_keeps_both_modes() -> None:
    key_only = dict(variants_named(["key-only"])[0].changes)["taus"]
    assert trained_spread(key_only) < 0.65
    assert trained_spread(SMALL.taus) > 0.9


class Frozen(ResidualMLP):
    """Windows that repeat the state they were generated for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = torch.cat([x[..., :1], torch.zeros_like(x[..., :1])], -1)
        return steps.repeat(*[1] * (x.ndim - 1), 3)


def test_windows_that_stand_still_have_no_displacement() -> None:
    config = RunConfig("t", "t", 1, 1, horizon=3, latent_dim=2)
    state = torch.randn(100, 1)
    path = torch.stack([state, state + 1, state + 2], 1)
    flat = torch.cat([path, torch.zeros_like(path)], -1).flatten(1)
    matches = Matches(
        state, flat, torch.arange(100)[:, None], torch.ones(100, 1), torch.arange(1, 101).double() / 100
    )
    still = movement(Frozen(3, 4, 0, 6), matches, config)
    assert still == {"displacement_ratio": 0.0, "start_error": 0.0}


def test_the_command_writes_rows_and_the_table(run: Run, tmp_path: Path) -> None:
    command = [
        "bench", "ablation", "--run", str(run.path), "--episodes", "1", "--k", "2",
        "--variants", "product-of-key-and-window-ours,key-only,full-window-keys,window-only-no-key",
        "--out", str(tmp_path / "out"), "--docs", str(tmp_path / "ablation.md"),
    ]  # fmt: skip
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "out" / f"{TASK.name}.json").read_text())
    assert [row["variant"] for row in rows] == [variant.name for variant in VARIANTS[:4]]
    for row in rows:
        assert {"spread_ratio", "displacement_ratio", "start_error", "score_kdp"} <= set(row)
    assert "| full-window keys |" in (tmp_path / "ablation.md").read_text()


def test_an_unknown_variant_lists_all() -> None:
    with pytest.raises(KdpError, match="unknown variant 'nothing'; expected product"):
        variants_named(["nothing"])
