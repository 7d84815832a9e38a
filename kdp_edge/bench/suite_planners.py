# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the suite plays: KDP as it is deployed, float and int8, its rivals, and the data's best policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_object
from kdp_edge.base.lookup import unknown
from kdp_edge.bench.compare import KINDS
from kdp_edge.bench.robust import BehaviourPlanner
from kdp_edge.data.making.behaviour import part_label
from kdp_edge.data.store import read_meta
from kdp_edge.learn.recipes import deadline_ms, ranked_in_time
from kdp_edge.play.best_integers import best_integers
from kdp_edge.play.evaluate import BatchedPlanner
from kdp_edge.play.integer_check import BatchPlanner
from kdp_edge.play.planner import KdpPlanner
from kdp_edge.quantization.limits import Wishes
from kdp_edge.quantization.policy import BOUND, INTEGER_FOLDER, load_planner, quantize_run
from kdp_edge.run import Run
from kdp_edge.tasks import Part

CHECK_EPISODES = 10  # float against integers, as `kdp-edge quantize` plays them
ONE = ("kdp-plan", "kdp-sample", "clone", "weighted", "iql", "bc-10", "td3bc")  # of one candidate
OF_THE_RUN = ("kdp-ranked", "int8", "behaviour")  # the suite's own, beside `compare.KINDS`
OURS = ("kdp", "kdp-plan", "kdp-sample", "drift-off", *OF_THE_RUN)  # every other planner is a rival


@dataclass(frozen=True)
class Played:
    """A planner, and what it was played with."""

    planner: BatchedPlanner
    k: int
    margin: float
    chunk: int | None = None  # None: the run's
    part: str | None = None  # of the data, where it is their policy


def check_planners(names: Sequence[str]) -> tuple[str, ...]:
    """`names`; raises `KdpError` that lists all planners of the suite where one is none of them."""
    known = (*KINDS, *OF_THE_RUN)
    for name in names:
        if name not in known:
            raise unknown("planner", name, known)
    return tuple(dict.fromkeys(names))


def candidates_of(run: Run, name: str) -> tuple[int, float]:
    """K and margin of a planner; `run` as it is deployed (`Suite.deployed`)."""
    if name in ONE or name == "behaviour":
        return 1, 0.0
    k = ranked_in_time(run.config, deadline_ms(run.task())) if name == "kdp-ranked" else run.config.k
    return k, run.config.margin if k > 1 else 0.0


def planner_named(run: Run, name: str) -> Played:
    """The planner `name` of a run as it is deployed."""
    k, margin = candidates_of(run, name)
    if name == "behaviour":
        part = best_part(run)
        return Played(BehaviourPlanner(run.task(), part), 1, 0.0, chunk=1, part=part_label(part))
    if name == "int8":
        return Played(BatchPlanner(load_planner(run.path), run.task().robot), k, margin)
    if name == "kdp-ranked":
        return Played(KdpPlanner(run, k), k, margin)
    return Played(KINDS[name].make(run, k), k, margin)


def quantize(run: Run) -> None:
    """Make and check the integers of a run as `kdp-edge quantize` does, with the K and margin of `run`."""
    plain = quantize_run(run, wishes=Wishes(k=run.config.k, margin=run.config.margin))
    best_integers(run, plain, CHECK_EPISODES)


def quantized(run: Run) -> bool:
    """Whether `quantize` was done for this run and its K and margin."""
    bound = run.path / INTEGER_FOLDER / BOUND
    settings = read_object(bound).get("settings", {}) if bound.is_file() else {}
    wanted = {"k": run.config.k, "margin": run.config.margin}
    return settings == wanted and "integer" in run.evaluation()


def best_part(run: Run) -> Part:
    """The part of a local twin whose policy scored best while the data were rolled."""
    by_policy = read_meta(run.config.data)["by_policy"]
    scores = {label: found["score_mean"] for label, found in by_policy.items()}
    parts = {part_label(part): part for part in run.task().recipe}
    known = [label for label in parts if scores.get(label) is not None]
    if not known:
        raise KdpError(f"data set '{run.config.data}' is no local twin: no policy that made it can be played")
    return parts[max(known, key=scores.__getitem__)]
