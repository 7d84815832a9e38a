# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Is a data set worth training on? Returns, lengths, coverage of states and actions."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.files import write_bytes, write_text
from kdp_edge.data.store import DataSet, dataset_path
from kdp_edge.tasks import Task, get_task
from kdp_edge.window import Normalizer

BINS = 20
GRID = 32  # cells along each of the two main directions of the states
SPAN = 3.0  # standard deviations that the grid reaches to each side
AT_LIMIT = 0.99  # share of the action's limit that counts as saturated


@dataclass(frozen=True)
class Histogram:
    """counts[i] values lie in edges[i]..edges[i + 1]."""

    edges: list[float]
    counts: list[int]


@dataclass(frozen=True)
class Signal:
    """Range of one observation or action in its own unit."""

    name: str
    unit: str
    low: float
    p5: float
    p95: float
    high: float


@dataclass(frozen=True)
class Quality:
    """Of a data set.

    coverage: share of the cells of a grid over the states' two main directions (each +-3 standard
    deviations) that hold a state; effective_cells: exp of the entropy of their occupancy;
    saturated: share of actions at their limit; duplicates: share of states that occur twice.
    """

    episodes: int
    returns: Histogram
    scores: list[float]  # minimum, quartiles, maximum; none for goals of their own, or without rewards
    lengths: Histogram
    terminated: float  # share of episodes that the environment ended
    coverage: float
    effective_cells: float
    saturated: float
    duplicates: float
    observations: list[Signal]
    actions: list[Signal]
    constant: list[str]  # signals that never move
    cells: int  # of the grid: GRID squared, or GRID where there is one signal only

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(data: DataSet) -> Quality:
    """Measure a data set that is loaded in memory."""
    task = get_task(data.meta["task"])
    last = np.flatnonzero(data.ends)
    lengths = np.diff(np.concatenate([[-1], last]))
    returns = np.add.reduceat(data.rewards.astype(np.float64), np.concatenate([[0], last[:-1] + 1]))
    cells = occupancy(data.observations)
    still = [values.min(0) == values.max(0) for values in (data.observations, data.actions)]
    names = np.array([*task.obs_names, *task.act_names])
    share = cells[cells > 0] / cells.sum()
    limit = np.maximum(np.abs(data.actions).max(0), 1e-9)
    observations = _signals(task.obs_names, task.obs_units, data.observations)
    actions = _signals(task.act_names, task.act_units, data.actions)
    return Quality(
        episodes=len(last),
        returns=_histogram(returns),
        scores=[] if task.play_env_id or not data.meta.get("has_rewards", True) else _scores(task, returns),
        lengths=_histogram(lengths),
        terminated=round(float(data.terminals[last].mean()), 4),
        coverage=round(float((cells > 0).mean()), 4),
        effective_cells=round(float(np.exp(-(share * np.log(share)).sum())), 1),
        saturated=round(float((np.abs(data.actions) >= AT_LIMIT * limit).mean()), 4),
        duplicates=round(1 - len(np.unique(data.observations, axis=0)) / len(data), 4),
        observations=observations,
        actions=actions,
        constant=[str(name) for name in names[np.concatenate(still)]] if len(data) > 1 else [],
        cells=cells.size,
    )


def occupancy(observations: np.ndarray) -> np.ndarray:
    """How many states lie in each cell of the plane of their two main directions.

    [GRID, GRID], or [GRID, 1] for the line of a single signal. A single state lies in the middle.
    """
    state = Normalizer.fit(observations)(observations).astype(np.float64)
    edges = np.linspace(-SPAN, SPAN, GRID + 1)
    spread = np.atleast_2d(np.cov(state, rowvar=False)) if len(state) > 1 else np.eye(state.shape[1])
    values, directions = np.linalg.eigh(spread)
    plane = state @ directions[:, -2:] / np.sqrt(np.maximum(values[-2:], 1e-9))
    plane = np.clip(plane, -SPAN, SPAN)
    if plane.shape[1] == 1:
        return np.histogram(plane[:, 0], bins=edges)[0][:, None].astype(np.float64)
    return np.histogram2d(plane[:, -1], plane[:, 0], bins=(edges, edges))[0]


def _scores(task: Task, returns: np.ndarray) -> list[float]:
    return [round(task.score(float(v)), 2) for v in np.percentile(returns, (0, 25, 50, 75, 100))]


def _histogram(values: np.ndarray) -> Histogram:
    values = np.asarray(values, np.float64)
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # no room for bins between neighbouring numbers
        half = 0.5 * max(abs(low) * 1e-6, 1.0 if low == high else 0.0)
        low, high = low - half, high + half
    counts, edges = np.histogram(values, bins=BINS, range=(low, high))
    return Histogram([_rounded(v) for v in edges], counts.tolist())


def _rounded(value: float, digits: int = 7) -> float:
    """To so many significant digits: 5 decimals of a tesla are nothing."""
    return float(f"{float(value):.{digits}g}")


def _signals(names: tuple[str, ...], units: tuple[str, ...], values: np.ndarray) -> list[Signal]:
    rows = np.percentile(values, (0, 5, 95, 100), axis=0).T
    return [
        Signal(name, unit, *(_rounded(v) for v in row))
        for name, unit, row in zip(names, units, rows, strict=True)
    ]


def print_quality(quality: Quality) -> None:
    """Histograms as bars, and one line a finding."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for title, histogram in (("return", quality.returns), ("episode length", quality.lengths)):
        table = Table(title=title, title_justify="left", show_header=False, box=None)
        most = max(histogram.counts)
        for low, high, count in zip(histogram.edges[:-1], histogram.edges[1:], histogram.counts, strict=True):
            table.add_row(f"{low:.4g} … {high:.4g}", "█" * round(40 * count / most), str(count))
        console.print(table)
    if quality.scores:
        low, q1, median, q3, high = quality.scores
        console.print(f"scores of episodes: {low} | {q1} [{median}] {q3} | {high}", highlight=False)
    console.print(f"{quality.terminated:.0%} of {quality.episodes} episodes were ended by the environment")
    where = "plane of the two main directions of the states" if quality.cells > GRID else "line of states"
    console.print(
        f"coverage {quality.coverage:.0%} of the {where}, "
        f"{quality.effective_cells:.0f} of {quality.cells} cells used evenly; "
        f"{quality.saturated:.1%} of actions at their limit; {quality.duplicates:.1%} duplicate states",
        highlight=False,
    )
    if quality.constant:
        console.print(f"never move: {', '.join(quality.constant)}", highlight=False)


def write_plots(data: DataSet, quality: Quality) -> Path:
    """Write quality.png and the self-contained quality.html beside the data; returns the page's path."""
    folder = dataset_path(data.name)
    picture = _picture(data, quality)
    write_bytes(folder / "quality.png", picture)
    rows = "".join(
        f"<tr><td>{escape(s.name)}</td><td>{escape(s.unit)}</td>"
        + "".join(f"<td>{v:.4g}</td>" for v in (s.low, s.p5, s.p95, s.high))
        + "</tr>"
        for s in (*quality.observations, *quality.actions)
    )
    write_text(
        folder / "quality.html",
        f"<!doctype html><meta charset=utf-8><title>{escape(data.name)}</title>"
        "<style>body{font:15px sans-serif;margin:2em}td,th{padding:.1em 1em;text-align:right}</style>"
        f"<h1>{escape(data.name)}</h1><p>{len(data)} transitions, {quality.episodes} episodes, "
        f"sha256 {data.sha256}</p><img src='data:image/png;base64,{base64.b64encode(picture).decode()}'>"
        "<table><tr><th>signal<th>unit<th>min<th>5 %<th>95 %<th>max</tr>" + rows + "</table>\n",
    )
    return folder / "quality.html"


def _picture(data: DataSet, quality: Quality) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    for axis, title, histogram in (
        (axes[0], "return of an episode", quality.returns),
        (axes[1], "length of an episode (steps)", quality.lengths),
    ):
        axis.stairs(histogram.counts, histogram.edges, fill=True)
        axis.set(title=title, ylabel="episodes")
    cells = np.log10(1 + occupancy(data.observations))
    image = axes[2].imshow(cells, origin="lower", extent=(-SPAN, SPAN, -SPAN, SPAN), aspect="auto")
    axes[2].set(title="states on their two main directions, log10(1 + count)")
    figure.colorbar(image, ax=axes[2])
    axes[3].hist(data.actions.ravel().astype(np.float64), bins=80)
    axes[3].set(title="all actions", ylabel="count")
    figure.suptitle(f"{data.name}: {len(data)} transitions")
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=90)
    return stream.getvalue()
