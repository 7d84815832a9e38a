# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A suite's results as Markdown in docs/benchmarks.md and README.md, between markers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdp_edge.base.files import write_text
from kdp_edge.bench.records import Results
from kdp_edge.bench.suite import NOMINAL, Suite
from kdp_edge.bench.suite_bars import Bars
from kdp_edge.bench.suite_cells import (
    best_rival,
    difference,
    elsewhere,
    mean,
    number,
    score,
    seeds,
    table,
    word,
)
from kdp_edge.bench.suite_robust import robustness_table
from kdp_edge.bench.suite_rows import Measured, commits
from kdp_edge.bench.suite_verdicts import against_rivals, of_integers, of_ranking, on_the_worst_plant

# "Amortizing Trajectory Diffusion with Keyed Drift Fields" (arXiv 2603.14056), on D4RL's own data.
METHOD_PUBLISHED = {
    "halfcheetah-medium": 62.1,
    "hopper-medium": 90.3,
    "walker2d-medium": 87.2,
    "halfcheetah-medium-expert": 92.5,
    "hopper-medium-expert": 103.6,
    "walker2d-medium-expert": 108.5,
    "relocate-cloned": 62.8,
    "maze2d-umaze": 122.3,
}

INTRODUCTION = "# Benchmarks of the planners\n"

CAPTION = """Scores are D4RL-normalised, {episodes} episodes a seed. A seed is one training{data}.
In round brackets stands the 95 % interval of the mean over seeds (Student's t); where there are fewer than
three seeds there is none, and square brackets hold the lowest and the highest. Differences are paired by seed
and episode: both planners begin from the same states. *KDP* is the float planner with the K and the margin
that the recipe deploys, *int8* what `quantize` makes of it. *Best rival* is whoever scores highest of all
others that were measured, in the best of its settings, with the same matches, critic, K and margin; its seeds
stand with it where they are not KDP's, and *KDP less it* is of those. *Best policy in the data* plays the
same episodes. *Hand-turned* are rows of settings chosen per twin by playing, below."""
FRESH = ", on data that were rolled for it alone (data seed 200 + seed)"


def write_pages(suite: Suite, results: Results, bars: Bars, docs: Path, readme: Path) -> None:
    """Put the suite's tables into the pages, in place of its earlier ones; README only where it has them."""
    name = f"suite {suite.name}"
    put_section(docs, INTRODUCTION, name, f"## {suite.name}\n\n{render(suite, results, bars)}")
    if readme.is_file() and _begin(name) in readme.read_text(encoding="utf-8"):
        put_section(readme, "", name, short(results, bars))


def put_section(path: Path, introduction: str, name: str, text: str) -> None:
    """Write a marked section of a page, in place of its earlier text; a new page gets `introduction`."""
    begin, end = _begin(name), f"<!-- end of {name} -->"
    page = path.read_text(encoding="utf-8") if path.is_file() else introduction
    section = f"{begin}\n\n{text}\n{end}"
    if begin in page and end in page:
        before, _, rest = page.partition(begin)
        page = before + section + rest.partition(end)[2]
    else:
        page = page.rstrip() + "\n\n" + section + "\n"
    write_text(path, page)


def _begin(name: str) -> str:
    return f"<!-- {name} -->"


def render(suite: Suite, results: Results, bars: Bars) -> str:
    """All tables of a suite."""
    found = Measured(results.records)
    caption = CAPTION.format(episodes=suite.episodes, data=FRESH if suite.fresh else "")
    parts = [
        caption,
        _main(found, bars),
        _listed(*bars.lines(), *against_rivals(found), *on_the_worst_plant(found), *of_integers(found)),
        "### On another plant",
        robustness_table(found),
        "### Rivals",
        _rivals(found),
        "### What ranking is worth",
        _ranking(found),
        *of_ranking(found),
        "### Planning times",
        _times(found, results.times),
        "### Where the numbers come from",
        _provenance(found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def short(results: Results, bars: Bars) -> str:
    """What README shows."""
    found = Measured(results.records)
    lines = [["twin", "seeds", "best policy in the data", "KDP", "its int8", "best rival", "cloning"]]
    for task in found.tasks:
        own, rival = found.score(task, "kdp"), found.best_rival(task)
        cells = [mean(found.score(task, name)) for name in ("behaviour", "kdp", "int8")]
        best = (
            f"{mean(found.score(task, rival))} ({word(rival)}{elsewhere(found, task, rival)})"
            if rival
            else "-"
        )
        count = str(len(own.seeds)) if own else "-"
        clone = mean(found.score(task, "clone")) + elsewhere(found, task, "clone")
        lines.append([task, count, *cells, best, clone])
    said = (*bars.lines(), *against_rivals(found), *on_the_worst_plant(found))
    return f"{table(lines)}\n\n{_listed(*said)}\n"


def _listed(*lines: str) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _main(found: Measured, bars: Bars) -> str:
    lines = [
        ["task", "seeds", "best policy in the data", "KDP", "K", "int8 less float", "best rival",
         "KDP less it", "cloning", "hand-turned", "share", "paper, on D4RL"]
    ]  # fmt: skip
    for task in found.tasks:
        own = found.score(task, "kdp")
        share = bars.shares.get(task)
        lines.append(
            [task, seeds(own), score(found.score(task, "behaviour")), score(own),
             " or ".join(map(str, found.candidates(task))) or "-",
             difference(found.less(task, ("int8", NOMINAL), ("kdp", NOMINAL))),
             best_rival(found, task), difference(found.less_best_rival(task)),
             score(found.score(task, "clone")) + elsewhere(found, task, "clone"),
             number(bars.hand_turned.get(task)), "-" if share is None else f"{share:.1%}",
             number(METHOD_PUBLISHED.get(task))]
        )  # fmt: skip
    return table(lines)


def _rivals(found: Measured) -> str:
    """Scores of all others and KDP's lead, nominal and on every plant where one of them was played."""
    if not found.rivals:
        return "No rival was measured."
    scores = [["score", "plant", "KDP", *map(word, found.rivals)]]
    ahead = [["KDP less", "plant", *map(word, found.rivals)]]
    for task in found.tasks:
        for plant in (NOMINAL, *found.plants):
            met = [(name, plant) for name in found.rivals]
            theirs = [found.score(task, *one) for one in met]
            if any(theirs):
                scores.append([task, plant, *map(score, (found.score(task, "kdp", plant), *theirs))])
                less = (found.less(task, ("kdp", plant), one) for one in met)
                ahead.append([task, plant, *map(difference, less)])
        worst = [found.worst(task, name) for name in ("kdp", *found.rivals)]
        if any(worst[1:]):
            scores.append([task, "the worst", *map(score, worst)])
    return f"{table(scores)}\n\n{table(ahead)}"


def _ranking(found: Measured) -> str:
    lines = [["task", "plant", "K", "margin", "ranked less latent 0", "another than latent 0 wins"]]
    every = [(task, plant) for task in found.tasks for plant in (NOMINAL, *found.plants)]
    for task, plant in every:
        alone = found.candidates(task) == [1]
        ranked = found.of(task, "kdp-ranked" if alone else "kdp", plant)
        gain = found.gives_back(task, plant)
        if gain is None:
            continue
        k = " or ".join(map(str, found.candidates(task)))
        tried = sorted({record["k"] for record in ranked.values()} - {1})
        margins = " or ".join(f"{m:g}" for m in sorted({r["margin"] for r in ranked.values() if r["k"] > 1}))
        wins = [record["switched"] for record in ranked.values()]
        note = f" (of {tried[-1]})" if alone and tried else ""
        share = f"{sum(wins) / len(wins):.1%}"
        lines.append([task, plant, k, margins or "-", difference(gain) + note, share])
    return table(lines) if len(lines) > 1 else "Not measured."


def _times(found: Measured, times: Mapping[str, Any]) -> str:
    measured = [task for task in found.tasks if task in times]
    if not measured:
        return "Not measured."
    names = [n for n in found.planners if any(n in times[task]["planners"] for task in measured)]
    lines = [["p50 / p99 ms, one state", "K", *map(word, names)]]
    for task in measured:
        each = times[task]["planners"]
        cells = [_time(each.get(name)) for name in names]
        lines.append([task, str(times[task]["k"]), *cells])
    machines = sorted({times[task]["machine"] for task in measured})
    return f"{table(lines)}\n\nInterleaved in one process, one thread; {'; '.join(machines)}."


def _time(found: Mapping[str, float] | None) -> str:
    return "-" if found is None else f"{found['latency_ms_p50']:.3f} / {found['latency_ms_p99']:.3f}"


def _provenance(found: Measured) -> str:
    lines = [["task", "seeds", "a training, processor s", "trained by", "scored by", "machines"]]
    for task in found.tasks:
        own = [found.of(task, "kdp")[seed] for seed in sorted(found.of(task, "kdp"))]
        if own:
            seconds = [record["trained"].get("cpu_s") or record["trained"]["wall_s"] for record in own]
            machines = {record[when]["machine"] for record in own for when in ("trained", "scored")}
            lines.append(
                [task, " ".join(str(record["seed"]) for record in own),
                 f"{min(seconds):.0f} to {max(seconds):.0f}", " ".join(commits(own, ["trained"])),
                 " ".join(commits(own, ["scored"])), "; ".join(sorted(map(str, machines)))]
            )  # fmt: skip
    return table(lines)
