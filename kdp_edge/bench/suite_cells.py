# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Cells of the suite's Markdown tables: names, scores with what is known of them, differences."""

from __future__ import annotations

from kdp_edge.bench.suite import NOMINAL
from kdp_edge.bench.suite_rows import Measured, OverSeeds

WORDS = {
    "kdp": "KDP, as deployed",
    "kdp-plan": "KDP, latent 0",
    "kdp-sample": "KDP, one drawn",
    "kdp-ranked": "KDP, ranked",
    "int8": "KDP, int8",
    "behaviour": "best policy in the data",
    "clone": "cloning",
    "diffusion-20": "20 denoising steps",
    "diffusion-5": "5 denoising steps",
    "diffusion-1": "1 denoising step",
    "flow-10": "10 flow steps",
    "fql": "FQL",
    "meanflow": "MeanFlow",
    "shortcut": "shortcut model",
    "driftql": "DriftQL",
    "drift-off": "KDP, drift off",
    "weighted": "weighted regression",
    "iql": "IQL",
    "bc-10": "cloning, best 10 %",
    "td3bc": "TD3+BC",
}


def word(name: str) -> str:
    """How tables name a planner."""
    return WORDS.get(name, name)


def score(found: OverSeeds | None) -> str:
    return _cell(found, ".1f")


def difference(found: OverSeeds | None) -> str:
    return _cell(found, "+.1f")


def _cell(found: OverSeeds | None, form: str) -> str:
    if found is None:
        return "-"
    middle = format(found.mean, form)
    if found.interval is not None:
        low, high = found.interval
        return f"{middle} ({low:{form}} to {high:{form}})"
    return middle if len(found.seeds) == 1 else f"{middle} [{found.low:{form}} to {found.high:{form}}]"


def seeds(found: OverSeeds | None) -> str:
    return " ".join(map(str, found.seeds)) if found else "-"


def mean(found: OverSeeds | None) -> str:
    return "-" if found is None else f"{found.mean:.1f}"


def best_rival(found: Measured, task: str, plant: str = NOMINAL) -> str:
    """Who scores best of others there, and what."""
    rival = found.best_rival(task, plant)
    if rival is None:
        return "-"
    return f"{score(found.score(task, rival, plant))}, {word(rival)}{elsewhere(found, task, rival, plant)}"


def elsewhere(found: Measured, task: str, other: str, plant: str = NOMINAL) -> str:
    """The seeds of another planner, where they are not KDP's."""
    own, theirs = found.score(task, "kdp", plant), found.score(task, other, plant)
    if own is None or theirs is None or own.seeds == theirs.seeds:
        return ""
    return f", seed{'s' if len(theirs.seeds) > 1 else ''} {seeds(theirs)}"


def number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def table(lines: list[list[str]]) -> str:
    """Markdown; the first line is the head, and all columns but the first are right-aligned."""
    head, *rest = ["| " + " | ".join(line) + " |" for line in lines]
    rule = "| " + " | ".join("---" if i == 0 else "---:" for i in range(len(lines[0]))) + " |"
    return "\n".join([head, rule, *rest])
