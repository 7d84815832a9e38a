"""`kdp-edge bench planners`: KDP, diffusion and behaviour cloning on one run's data, in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json
from kdp_edge.errors import KdpError

ALL = "kdp,kdp-plan,diffusion-20,diffusion-5,diffusion-1,clone"


def register(app: typer.Typer) -> None:
    app.command("planners")(planners)


def planners(
    task: Annotated[str | None, typer.Option(help="Newest run of this task.")] = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest.")] = None,
    names: Annotated[str, typer.Option("--planners", help="Which, with commas between.")] = ALL,
    k: Annotated[int | None, typer.Option(min=1, help="Candidates; default: the run's.")] = None,
    episodes: Annotated[int, typer.Option(min=0, help="Episodes; 0 measures time only.")] = 20,
    rounds: Annotated[int, typer.Option(min=10, help="Timed plans of each planner.")] = 1000,
    as_json: bool = JSON_OPTION,
) -> None:
    """Score all planners on the same episodes and time them interleaved, at equal K.

    Diffusion and behaviour cloning are trained beside the run when they are missing: same data,
    windows, backbone size, steps, critic. Exit code 1 unless KDP scores at least as high as 20-step
    diffusion (within both intervals) and plans faster.

    Example: `kdp-edge bench planners --task hopper-medium-expert`
    """
    from kdp_edge.run import Run, newest_run

    chosen = Run.load(run) if run else newest_run(task)
    if task and chosen.config.task != task:
        raise KdpError(f"{chosen.path}: this run is for {chosen.config.task}, not {task}")
    from kdp_edge import compare
    from kdp_edge.baselines import ensure_baselines
    from kdp_edge.evaluate import FIRST_SEED
    from kdp_edge.progress import stage_bars

    kinds = compare.kinds_named([name.strip() for name in names.split(",")])
    count = k or chosen.config.k
    with stage_bars() as show:
        if any(kind.name.startswith(("diffusion", "clone")) for kind in kinds):
            ensure_baselines(chosen, show)
        seeds = range(FIRST_SEED, FIRST_SEED + episodes)
        scores = compare.scores(chosen, kinds, count, seeds, show) if episodes else {}
        times = compare.latencies(
            chosen, kinds, count, rounds, lambda done: show("timing", done, compare.WARMUP_ROUNDS + rounds)
        )
    work = {kind.name: compare.multiply_adds(chosen, kind.name, count) for kind in kinds}
    rows = [_row(kind.name, kind.what, times, scores, work) for kind in kinds]
    if as_json:
        print_json({"run": str(chosen.path), "task": chosen.config.task, "k": count, "rows": rows})
    else:
        print(f"run {chosen.path}{'' if run else ' (the newest)'}: {chosen.config.task}, K={count}")
        _print(rows)
    if not _passed(rows):
        raise typer.Exit(1)


def _row(
    name: str, what: str, times: dict[str, Any], scores: dict[str, Any], work: dict[str, int]
) -> dict[str, Any]:
    score = {key: scores[name][key] for key in ("score_mean", "score_ci95")} if scores else {}
    slower, more = None, None
    if "kdp" in times:
        slower = round(times[name]["cpu_ms_p50"] / times["kdp"]["cpu_ms_p50"], 2)
        more = round(work[name] / work["kdp"], 2)
    return {
        "planner": name, "what": what, **score, **times[name], "times_kdp": slower,
        "multiply_adds": work[name], "work_kdp": more,
    }  # fmt: skip


def _passed(rows: list[dict[str, Any]]) -> bool:
    by_name = {row["planner"]: row for row in rows}
    if not {"kdp", "diffusion-20"} <= set(by_name):
        return True
    kdp, rival = by_name["kdp"], by_name["diffusion-20"]
    if kdp["cpu_ms_p50"] >= rival["cpu_ms_p50"]:
        return False
    return "score_mean" not in kdp or kdp["score_ci95"][1] >= rival["score_ci95"][0]


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    columns = ("planner", "score", "95 % interval", "p50 ms", "p99 ms", "CPU ms", "CPU x KDP", "MACs x KDP")
    for column in columns:
        table.add_column(column, justify="left" if column == "planner" else "right", no_wrap=True)
    for row in rows:
        low, high = row.get("score_ci95", (None, None))
        times = (row[key] for key in ("latency_ms_p50", "latency_ms_p99", "cpu_ms_p50"))
        table.add_row(
            row["planner"],
            f"{row['score_mean']:.1f}" if "score_mean" in row else "-",
            f"{low:.1f} to {high:.1f}" if low is not None else "-",
            *(f"{value:.3f}" for value in times),
            *(f"{row[key]:.1f}" if row[key] else "-" for key in ("times_kdp", "work_kdp")),
        )
    Console(width=max(100, Console().width)).print(table)
