# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench planners`: KDP, diffusion and behaviour cloning on one run's data, in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.base.errors import KdpError
from kdp_edge.cli.common import JSON_OPTION, print_json

ALL = "kdp,kdp-plan,diffusion-20,diffusion-5,diffusion-1,clone"


def register(app: typer.Typer) -> None:
    app.command("planners")(planners)


def planners(
    task: Annotated[str | None, typer.Option(help="Newest run of this task.")] = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
    names: Annotated[str, typer.Option("--planners", help="Planners with commas between.")] = ALL,
    k: Annotated[
        list[int] | None, typer.Option(min=1, help="Candidates per plan; repeatable; default: the run's.")
    ] = None,
    episodes: Annotated[int, typer.Option(min=0, help="Episodes per planner; 0 measures time only.")] = 20,
    rounds: Annotated[int, typer.Option(min=10, help="Timed plans per planner.")] = 1000,
    faster: Annotated[float, typer.Option(min=0, help="Exit 1 unless KDP is N times as fast.")] = 1,
    as_json: bool = JSON_OPTION,
) -> None:
    """Score all planners on the same episodes and time them interleaved, at equal K.

    What a planner plays is trained beside the run when it is missing: same data, windows, backbone size,
    steps, critic. Exit code 1 unless KDP, at every K, scores at least as high
    as 20-step diffusion (within both intervals) and plans --faster times as fast.

    Planners take turns of ten plans. p50 and p99 are wall-clock; CPU ms is the median processor time,
    first ms that of the first plans of a turn, which find the caches filled by another planner. MACs
    are multiply-adds, counted.

    Example: `kdp-edge bench planners --task hopper-medium-expert --k 16 --k 256`
    """
    from kdp_edge.run import Run, newest_run

    chosen = Run.load(run) if run else newest_run(task)
    if task and chosen.config.task != task:
        raise KdpError(f"{chosen.path}: this run is for {chosen.config.task}, not {task}")
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.bench import compare
    from kdp_edge.bench.baselines import ensure_baselines
    from kdp_edge.play.evaluate import FIRST_SEED

    kinds = compare.kinds_named([name.strip() for name in names.split(",")])
    counts, rows = k or [chosen.config.k], []
    with stage_bars() as show:
        ensure_baselines(chosen, [kind.name for kind in kinds], show)
        seeds = range(FIRST_SEED, FIRST_SEED + episodes)
        for count in counts:

            def timing(done: int, label: str = f"timing K={count}") -> None:
                show(label, done, rounds)

            scores = compare.scores(chosen, kinds, count, seeds, show) if episodes else {}
            times = compare.latencies(chosen, kinds, count, rounds, timing)
            work = {kind.name: compare.multiply_adds(chosen, kind.name, count) for kind in kinds}
            rows += [_row(count, kind.name, kind.what, times, scores, work) for kind in kinds]
    if as_json:
        print_json({"run": str(chosen.path), "task": chosen.config.task, "rows": rows})
    else:
        print(f"run {chosen.path}{'' if run else ' (the newest)'}: {chosen.config.task}")
        _print(rows)
    if not all(_passed([row for row in rows if row["k"] == count], faster) for count in counts):
        raise typer.Exit(1)


# of processor times: a plan longer than a time slice of a busy machine is stretched by the others' turns
RATIOS = {"times_kdp": "cpu_ms_p50", "first_times_kdp": "first_cpu_ms_p50"}


def _row(
    k: int, name: str, what: str, times: dict[str, Any], scores: dict[str, Any], work: dict[str, int]
) -> dict[str, Any]:
    score = {key: scores[name][key] for key in ("score_mean", "score_ci95")} if scores else {}
    ratios: dict[str, float | None] = dict.fromkeys((*RATIOS, "work_kdp"))
    if "kdp" in times:
        ratios = {key: round(times[name][of] / times["kdp"][of], 2) for key, of in RATIOS.items()}
        ratios["work_kdp"] = round(work[name] / work["kdp"], 2)
    return {
        "planner": name, "what": what, "k": k, **score, **times[name],
        "multiply_adds": work[name], **ratios,
    }  # fmt: skip


def _passed(rows: list[dict[str, Any]], faster: float) -> bool:
    by_name = {row["planner"]: row for row in rows}
    if not {"kdp", "diffusion-20"} <= set(by_name):
        return True
    kdp, rival = by_name["kdp"], by_name["diffusion-20"]
    if rival["times_kdp"] < faster:
        return False
    if "score_mean" not in kdp or not kdp["score_ci95"]:
        return True  # no scores, or of a single episode: nothing to hold against chance
    return bool(kdp["score_ci95"][1] >= rival["score_ci95"][0])


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from kdp_edge.base.statistics import span

    table = Table()
    table.add_column("planner", no_wrap=True)
    scored = ("score", "95 % interval") if "score_mean" in rows[0] else ()
    timed = ("p50 ms", "p99 ms", "CPU ms", "x KDP", "first ms", "x KDP", "MACs x KDP")
    for column in ("K", *scored, *timed):
        table.add_column(column, justify="right", no_wrap=True)
    for i, row in enumerate(rows):
        if i and row["k"] != rows[i - 1]["k"]:
            table.add_section()
        cells = [row["planner"], str(row["k"])]
        if scored:
            cells += [f"{row['score_mean']:.1f}", span(row["score_ci95"])]
        cells += [f"{row[key]:.3f}" for key in ("latency_ms_p50", "latency_ms_p99", "cpu_ms_p50")]
        cells += [_times(row["times_kdp"]), f"{row['first_cpu_ms_p50']:.3f}"]
        table.add_row(*cells, _times(row["first_times_kdp"]), _times(row["work_kdp"]))
    Console(width=max(115, Console().width)).print(table)


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1f}"
