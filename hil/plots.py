"""Plots of a report as SVG text, to be put into the page itself."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from kdp_edge.hil.result import Played, Report
from kdp_edge.hil.scenario import Recording
from kdp_edge.hil.summary import device_times
from kdp_edge.tasks import get_task

COLOURS = ("#5b6b7f", "#2f6fde", "#e07b29", "#1d9a6c", "#b3446c", "#7a5cc9")
TRACE_STEPS = 200
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa5b1",
    "axes.labelcolor": "#3e4c59",
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "xtick.color": "#616e7c",
    "ytick.color": "#616e7c",
    "axes.grid": True,
    "grid.color": "#e4e7eb",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "kdp-edge",  # the same data give the same file
    "svg.fonttype": "none",
}


def colour(index: int) -> str:
    """The colour of the device number `index` in every plot of a report."""
    return COLOURS[index % len(COLOURS)]


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, sharex=rows > 1, squeeze=False)


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def draw_all(recordings: list[Recording], report: Report) -> dict[str, str]:
    """Every plot that the recordings allow: name -> SVG."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        plots = {"returns": _returns(report.devices)}
        if any(r.hello is not None and r.steps for r in recordings):
            plots["latency"] = _latency(recordings, report.deadline_ms)
            plots["actions"] = _actions(recordings, get_task(report.task).act_names)
    return plots


def _returns(entries: Mapping[str, Played]) -> str:
    figure, axes = _figure(9, 0.5 * len(entries) + 0.7)
    axis = axes[0, 0]
    for i, entry in enumerate(entries.values()):
        values = entry.returns
        # episodes with equal returns stay visible side by side
        offsets = np.linspace(-0.16, 0.16, len(values)) if len(values) != 1 else np.zeros(1)
        axis.scatter(values, i + offsets, s=16, color=colour(i), alpha=0.55, linewidth=0)
        if entry.return_ci95:
            axis.plot(entry.return_ci95, [i, i], color=colour(i), linewidth=2)
        if entry.return_mean is not None:
            axis.scatter([entry.return_mean], [i], marker="D", s=42, color=colour(i), zorder=3)
    axis.set_yticks(range(len(entries)), list(entries))
    axis.set_ylim(len(entries) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("return (dots: episodes; diamond and line: mean and its 95 % interval)")
    return _svg(figure)


def _latency(recordings: list[Recording], deadline_ms: float) -> str:
    figure, axes = _figure(9, 2.9, 1, 2)
    trips, own = axes[0]
    shown = [(i, r) for i, r in enumerate(recordings) if r.hello is not None and r.steps]
    times = {
        i: (
            [1e3 * s.rtt for s in r.steps if s.rtt is not None],
            [1e3 * t / r.clock.hz for t in device_times(r)] if r.clock is not None else [],
        )
        for i, r in shown
    }
    for axis, which in ((trips, 0), (own, 1)):
        bins = _log_bins([value for both in times.values() for value in both[which]])
        for i, recording in shown:
            style = {"color": colour(i), "label": recording.device}
            axis.hist(times[i][which], bins=bins, histtype="stepfilled", alpha=0.18, color=colour(i))
            axis.hist(times[i][which], bins=bins, histtype="step", linewidth=1.3, **style)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("ms")
        axis.xaxis.set_major_formatter("{x:g}")
    trips.set_title("round trip seen by the host")
    trips.set_ylabel("control steps")
    own.set_title("plan, by the device's own clock")
    own.axvline(deadline_ms, color="#c0392b", linewidth=1.2, linestyle="--")
    own.annotate(
        "deadline", (deadline_ms, 0.93), xycoords=("data", "axes fraction"), color="#c0392b",
        ha="right", xytext=(-4, 0), textcoords="offset points",
    )  # fmt: skip
    trips.legend(fontsize=8)
    return _svg(figure)


def _log_bins(values: list[float]) -> np.ndarray:
    """Edges that are equally far apart on a log scale, a bit wider than the values."""
    positive = [value for value in values if value > 0] or [1.0]
    return np.geomspace(min(positive) * 0.95, max(positive) * 1.05, 70)


def _actions(recordings: list[Recording], names: tuple[str, ...]) -> str:
    last = [i for i, r in enumerate(recordings) if r.hello is not None and r.steps][-1]
    recording = recordings[last]
    seed = recording.steps[0].seed
    steps = [s for s in recording.steps if s.seed == seed][:TRACE_STEPS]
    count = len(steps[0].action)
    shown = min(count, 6)
    figure, axes = _figure(9, 1.0 * shown + 0.8, shown)
    x = [s.step for s in steps]
    for j in range(shown):
        axis = axes[j, 0]
        compared = [s.float_action[j] if s.float_action else np.nan for s in steps]
        axis.plot(x, compared, color="#9aa5b1", linewidth=2.4, label="float policy, same observation")
        axis.plot(x, [s.action[j] for s in steps], color=colour(last), linewidth=1, label=recording.device)
        axis.set_ylabel(names[j].replace("_", "\n"), fontsize=8)
    axes[0, 0].legend(ncols=2, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1))
    axes[-1, 0].xaxis.get_major_locator().set_params(integer=True)
    axes[-1, 0].set_xlabel(f"control step of the episode with seed {seed}")
    return _svg(figure)
