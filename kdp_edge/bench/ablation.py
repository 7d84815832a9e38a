# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What each part of the drift field is for: the same run, trained again with one thing changed.

A variant is a complete run folder in `<run>/ablation/<slug>/`; its values (the judge of actions) are
the base run's. Fields: positives may be matched by state key (ours), by whole window, or not at all;
affinities by window distance may be switched off (key only: every matched window attracts alike).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import write_json
from kdp_edge.base.progress import StageProgress
from kdp_edge.base.statistics import rounded95, span
from kdp_edge.bench.beside import data_of, runner_beside
from kdp_edge.data.trajectory import trajectory_merit
from kdp_edge.data.windows import cached_nearest, nearest
from kdp_edge.learn.matches import Matches, column_weights, make_matches, spread_ratio
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.prepare import Prepared, prepare
from kdp_edge.learn.train import train_nets, write_run
from kdp_edge.run import Run, RunConfig

FOLDER = "ablation"
STATE, WINDOW, NOTHING = "state", "window", "nothing"
EVEN = 1e3  # a temperature at which all affinities are alike
OFF = 1e6  # a temperature at which a tilt vanishes
MEASURED_STATES, MEASURED_SAMPLES = 2048, 16


@dataclass(frozen=True)
class Variant:
    """One line of the ablation: changes of the recipe, and what positives are matched by."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    matched_by: str = STATE

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9.]+", "-", self.name.lower()).strip("-")


VARIANTS = (
    Variant("product of key and window (ours)"),
    Variant("key only", {"taus": (EVEN,)}),
    Variant("full-window keys", {}, WINDOW),
    Variant("window only, no key", {}, NOTHING),
    Variant("window only, no key, tau 1", {"taus": (1.0,)}, NOTHING),
    Variant("1 neighbour", {"pool": 1}),
    Variant("8 neighbours", {"pool": 8}),
    Variant("128 neighbours", {"pool": 128}),
    Variant("key tau 0.15", {"key_tau": 0.15}),
    Variant("key tau 0.7", {"key_tau": 0.7}),
    Variant("neighbours' windows as they are", {"mean_steps": 0}),
    Variant("no value gradient", {"improve": 0.0}),
    Variant("value gradient 0.05", {"improve": 0.05}),
    Variant("tau 0.02", {"taus": (0.02,)}),
    Variant("tau 0.2", {"taus": (0.2,)}),
    Variant("tau 0.1, 0.3, 1", {"taus": (0.1, 0.3, 1.0)}),
    Variant("G 4", {"samples": 4}),
    Variant("G 24", {"samples": 24}),
    Variant("P 2", {"positives": 2}),
    Variant("P 24", {"positives": 24}),
    Variant("no anchor of latent 0", {"anchor": 0.0}),
    Variant("anchor of latent 0 weighs 1", {"anchor": 1.0}),
    Variant("no advantage tilt", {"tilt": OFF}),
    Variant("no trajectory weights", {"trajectory_tilt": OFF}),
)


def variants_named(names: Sequence[str]) -> list[Variant]:
    """Variants by name or slug; all without names. Raises `KdpError` that lists them."""
    by_name = {key: variant for variant in VARIANTS for key in (variant.name, variant.slug)}
    for name in names:
        if name not in by_name:
            raise KdpError(f"unknown variant '{name}'; expected {', '.join(v.slug for v in VARIANTS)}")
    return [by_name[name] for name in names] or list(VARIANTS)


def train_variant(
    run: Run,
    variant: Variant,
    settings: dict[str, Any],
    show: StageProgress,
    stop_after: int | None = None,
) -> Run:
    """Train generator and critic of one variant; values come from the base run's checkpoint.

    Args:
        settings: changes of the recipe for all variants, such as fewer steps.
    """
    path = run.path / FOLDER / variant.slug
    config = replace(run.config, **{**settings, **variant.changes})
    runner = runner_beside(run, path, show, stop_after)
    write_json(path / "config.json", config.to_json())
    with runner.session():
        prepared = prepare(run.config, data_of(run), runner)
        nets = train_nets(config, prepared, variant_matches(config, variant.matched_by, prepared), runner)
        reference = prepared.matches  # the same yardstick for all: matched by key, drawn as in the recipe
        measured = {
            "spread_ratio": spread_ratio(nets.generator, reference, run.config, states=2048),
            **movement(nets.generator, reference, config),
        }
        write_run(path, config, prepared, nets, measured, runner)
    return Run.load(path)


def variant_matches(config: RunConfig, matched_by: str, prepared: Prepared) -> Matches:
    """Matches of the variant's configuration, by state key, by whole window or by nothing."""
    source = prepared.source
    data, windows = source.data, source.windows
    if matched_by == STATE:
        distance2, pool = cached_nearest(data, windows, config.within, config.pool)
    elif matched_by == WINDOW:
        weight = column_weights(config).numpy()
        distance2, pool = nearest(windows.flat * weight, config.pool)
        distance2 = distance2 * (config.obs_dim / np.square(weight).sum())  # in units of a key's distance
    else:
        rng = np.random.default_rng(config.seed)
        pool = rng.integers(len(windows.flat), size=(len(windows.flat), config.pool))
        distance2 = np.zeros(pool.shape, np.float32)
    worth = trajectory_merit(data, config.trajectory_tilt, config.trajectory_share)
    matches = make_matches(config, windows, distance2, pool, prepared.verdict, worth)
    matches = replace(matches, flat=prepared.matches.flat)
    centered = matched_by == STATE and config.mean_steps
    return replace(matches, center=prepared.matches.center) if centered else matches


@torch.no_grad()
def movement(net: ResidualMLP, matches: Matches, config: RunConfig) -> dict[str, float]:
    """Near-static check and adherence to the condition, of generated windows against matched data.

    displacement_ratio: mean distance from the first to the last state of a window, generated /
    data (1 is right, towards 0 the windows stand still); start_error: root mean square distance of
    a window's first state from the state it was generated for, in standard deviations.
    """
    rng = torch.Generator(matches.keys.device).manual_seed(0)
    rows = matches.rows(MEASURED_STATES, rng)
    shape = (len(rows), MEASURED_SAMPLES, config.latent_dim)
    latents = config.latent_scale * torch.randn(shape, generator=rng, device=matches.keys.device)
    states = matches.keys[rows][:, None].expand(-1, MEASURED_SAMPLES, -1)
    generated = config.shape.observations(net(torch.cat([states, latents], -1)))
    real = config.shape.observations(matches.draw(rows, MEASURED_SAMPLES, rng))
    moved = [(path[..., -1, :] - path[..., 0, :]).norm(dim=-1).mean() for path in (generated, real)]
    error = (generated[..., 0, :] - states).square().mean().sqrt()
    return {
        "displacement_ratio": round((moved[0] / moved[1].clamp(min=1e-6)).item(), 4),
        "start_error": round(error.item(), 4),
    }


def ensure_variant(run: Run, variant: Variant, settings: dict[str, Any], show: StageProgress) -> Run:
    """The variant's run, trained unless it is there with the same settings."""
    path = run.path / FOLDER / variant.slug
    if (path / "run.json").is_file():
        found = Run.load(path)
        wanted = replace(run.config, **{**settings, **variant.changes})
        if found.config != wanted:
            raise KdpError(f"{path}: trained with other settings; delete it, or use the same --set")
        return found
    return train_variant(run, variant, settings, show)


def measure(
    runs: Sequence[Run],
    variant: Variant,
    settings: dict[str, Any],
    k: int,
    episodes: int,
    show: StageProgress,
) -> dict[str, Any]:
    """Train the variant beside each of `runs` and score it; one row over all of them."""
    from kdp_edge.bench.compare import kinds_named, scores
    from kdp_edge.play.evaluate import FIRST_SEED

    kinds = kinds_named(["kdp", "kdp-plan", "kdp-sample"])
    found: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    made = [ensure_variant(run, variant, settings, show) for run in runs]
    for run in made:
        first = FIRST_SEED + 1000 * run.config.seed
        for name, summary in scores(run, kinds, k, range(first, first + episodes)).items():
            found[name] += summary["scores"]
    row: dict[str, Any] = {
        "variant": variant.name,
        "task": runs[0].config.task,
        "seeds": [run.config.seed for run in runs],
        "episodes": episodes * len(runs),
        "k": k,
    }
    for key in ("spread_ratio", "displacement_ratio", "start_error"):
        row[key] = round(float(np.mean([run.metrics[key] for run in made])), 3)
    for name, values in found.items():
        row[f"score_{name}"] = round(float(np.mean(values)), 2)
        row[f"ci95_{name}"] = rounded95(values)
    return row


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "| variant | spread | displacement | start error | K ranked | latent 0 | one drawn |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        scores = [_score(row, name) for name in ("kdp", "kdp-plan", "kdp-sample")]
        figures = [f"{row[key]:.2f}" for key in ("spread_ratio", "displacement_ratio", "start_error")]
        lines.append("| " + " | ".join([row["variant"], *figures, *scores]) + " |")
    return "\n".join(lines)


def _score(row: dict[str, Any], name: str) -> str:
    return f"{row[f'score_{name}']:.1f} ({span(row[f'ci95_{name}'])})"


INTRODUCTION = """# Ablation of the drift field

Made by `kdp-edge bench ablation`, on local twins. Every line trains generator and critic again with one
thing changed; the values that judge actions stay. *Spread*: of candidates / of matched data (1 is right;
near 0 the candidates have collapsed). *Displacement*: how far generated windows move / how far matched data
do (near 0 they stand still). *Start error*: distance of a window's first state from the state it was
generated for, in standard deviations (near 0 is right). Scores are D4RL-normalised, with 95 % intervals.
"""


def write_docs(path: Path, task: str, rows: Sequence[dict[str, Any]]) -> None:
    """Put the task's table into the page, in place of its earlier one."""
    from kdp_edge.bench.suite_table import put_section

    first = rows[0]
    seeds = " ".join(map(str, first["seeds"]))
    caption = f"Seeds {seeds}, {first['episodes']} episodes, K = {first['k']}."
    put_section(path, INTRODUCTION, f"ablation {task}", f"## {task}\n\n{caption}\n\n{table(rows)}\n")
