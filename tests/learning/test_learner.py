# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""One vector of weights trains as layers of their own do; batches drawn ahead are the same after a stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import app
from kdp_edge.data.making.make import make
from kdp_edge.data.store import load_data
from kdp_edge.learn.feed import STEPS, Feed
from kdp_edge.learn.learner import Learner, cosine
from kdp_edge.learn.machine import pick_precision
from kdp_edge.learn.matches import Matches
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.recipes import recipe_for
from kdp_edge.learn.traits import traits_of
from kdp_edge.learn.values import Ensemble
from kdp_edge.tasks import get_task


def losses(net: nn.Module, count: int) -> list[torch.Tensor]:
    """Batches of a regression, the same ones for every net."""
    rng = torch.Generator().manual_seed(1)
    return [torch.randn(32, 5, generator=rng) for _ in range(count)]


def test_one_vector_moves_as_the_layers_do_one_by_one() -> None:
    torch.manual_seed(0)
    ours = ResidualMLP(5, 16, 1, 2)
    theirs = ResidualMLP(5, 16, 1, 2)
    theirs.load_state_dict(ours.state_dict())
    learner = Learner(ours, torch.float32, 1e-2, betas=(0.9, 0.95), clip=0.5)
    optimizer = torch.optim.AdamW(theirs.parameters(), 1e-2, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    for done, x in enumerate(losses(ours, 20)):
        learner.at(cosine(done, 20))
        learner.step((ours(x) - x[:, :2]).square().mean() * 10)
        optimizer.zero_grad()
        ((theirs(x) - x[:, :2]).square().mean() * 10).backward()
        assert nn.utils.clip_grad_norm_(theirs.parameters(), 0.5) > 0.5 or done > 0
        optimizer.step()
        schedule.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_products_are_rounded_but_the_weights_that_are_kept_are_not() -> None:
    torch.manual_seed(0)
    ensemble = Ensemble(3, 5, 16)
    learner = Learner(ensemble, torch.bfloat16, 1e-6)
    assert ensemble.w1.dtype == torch.bfloat16 and ensemble.b3.dtype == torch.float32
    rounded, start = ensemble.w1.clone(), learner.vector.clone()
    for x in losses(ensemble, 3):
        value = ensemble(x.bfloat16())
        assert value.dtype == torch.float32
        learner.step(value.square().mean())
    assert (ensemble.w1 == rounded).float().mean() > 0.9
    assert (learner.vector != start).float().mean() > 0.9, "steps too small to be seen in bfloat16 add up"
    exact = learner.unrounded()
    assert exact.w1.dtype == torch.float32 and not torch.equal(exact.w1, ensemble.w1.float())
    assert torch.equal(exact.w1.bfloat16(), ensemble.w1) and torch.equal(exact.b3, ensemble.b3)


@pytest.mark.parametrize("stop", [0, 1, STEPS - 1, STEPS, STEPS + 3, 3 * STEPS])
def test_a_feed_goes_on_exactly(stop: int) -> None:
    def feed(seed: int) -> Feed:
        rng = torch.Generator().manual_seed(seed)
        return Feed(lambda steps: (torch.randn(steps, 4, generator=rng),), rng)

    whole = feed(0)
    expected = [whole.next()[0] for _ in range(4 * STEPS)]
    stopped, resumed = feed(0), feed(5)
    for _ in range(stop):
        stopped.next()
    resumed.load_state_dict(stopped.state_dict())
    for later in expected[stop:]:
        assert torch.equal(resumed.next()[0], later)


def test_positives_are_drawn_as_often_as_they_weigh() -> None:
    weight = torch.tensor([[0.0, 0.7, 0.0, 0.3], [0.25, 0.25, 0.5, 0.0]])
    pool = torch.arange(8).view(2, 4)
    matches = Matches(torch.zeros(8, 1), torch.arange(8.0)[:, None], pool, weight, torch.ones(1))
    drawn = matches.draw(torch.tensor([1, 0]), 20000, torch.Generator().manual_seed(0))[..., 0]
    for row, condition in enumerate((1, 0)):
        share = torch.bincount(drawn[row].long(), minlength=8)[pool[condition]] / 20000
        torch.testing.assert_close(share, weight[condition], rtol=0, atol=0.02)
        assert (share[weight[condition] == 0] == 0).all()


@pytest.mark.parametrize(
    ("able", "chosen"),
    [({"amx_bf16": True}, "bfloat16"), ({"avx512_bf16": True}, "bfloat16"), ({"avx512_f": True}, "float32")],
)
def test_products_are_rounded_where_the_processor_has_instructions_for_it(
    able: dict[str, bool], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert pick_precision("auto", "cpu") == chosen


def test_an_unknown_precision_is_refused() -> None:
    assert pick_precision("bfloat16", "cpu") == "bfloat16"
    assert pick_precision("auto", "cpu") in ("float32", "bfloat16")
    with pytest.raises(KdpError, match="--precision half: expected auto, float32 or bfloat16"):
        pick_precision("half", "cpu")


def test_the_benchmark_times_every_stage_in_every_precision(home: Path) -> None:
    task = get_task("halfcheetah-medium")  # its recipe has every stage
    make(task, 3000, seed=0, workers=1)
    command = ["bench", "training", task.name, "--turns", "1", "--profile", "--json", "--device", "cpu"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found, traits = json.loads(done.stdout), traits_of(load_data(task.name))
    precisions = [row["precision"] for row in found["rows"] if row["stage"] == "values"]
    assert precisions[0] == "float32" and set(precisions) == set(found["whole_run"]) == set(found["profile"])
    stages = {"values", "mean", "actor", "generator", "critic", "diffusion", "clone"}
    for precision in precisions:
        rows = {row["stage"]: row for row in found["rows"] if row["precision"] == precision}
        assert set(rows) == stages == set(found["profile"][precision])
        actor_seconds = recipe_for(task, task.name, traits).actor_steps * rows["actor"]["ms_per_step"] / 1e3
        assert found["whole_run"][precision]["seconds"] > actor_seconds > 0
        for stage in stages:
            spent = found["profile"][precision][stage]
            assert spent["products"] > 0 and spent["rest"] > 0 and spent["operations"]
