"""Plots of a report as SVG text, to be put into the page itself."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from kdp_edge.hil.scenario import Recording
from kdp_edge.hil.summary import device_times

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


def draw_all(
    recordings: list[Recording], entries: dict[str, dict[str, Any]], deadline_ms: float
) -> dict[str, str]:
    """Every plot that the recordings allow: name -> SVG."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        plots = {"returns": _returns(entries)}
        if any(r.hello is not None and r.steps for r in recordings):
            plots["latency"] = _latency(recordings, deadline_ms)
            plots["actions"] = _actions(recordings)
    return plots


def _returns(entries: dict[str, dict[str, Any]]) -> str:
    figure, axes = _figure(7.2, 0.62 * len(entries) + 0.7)
    axis = axes[0, 0]
    for i, entry in enumerate(entries.values()):
        values = entry["returns"]
        # episodes with equal returns stay visible side by side
        offsets = np.linspace(-0.16, 0.16, len(values)) if len(values) != 1 else np.zeros(1)
        axis.scatter(values, i + offsets, s=16, color=colour(i), alpha=0.55, linewidth=0)
        if entry["return_ci95"]:
            axis.plot(entry["return_ci95"], [i, i], color=colour(i), linewidth=2)
        if entry["return_mean"] is not None:
            axis.scatter([entry["return_mean"]], [i], marker="D", s=42, color=colour(i), zorder=3)
    axis.set_yticks(range(len(entries)), list(entries))
    axis.set_ylim(len(entries) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("return (dots: episodes; diamond and line: mean and its 95 % interval)")
    return _svg(figure)


def _latency(recordings: list[Recording], deadline_ms: float) -> str:
    figure, axes = _figure(7.2, 2.6, 1, 2)
    trips, own = axes[0]
    for i, recording in enumerate(recordings):
        milliseconds = [1e3 * s.rtt for s in recording.steps if s.rtt is not None]
        if not milliseconds or recording.clock is None:
            continue
        # one extreme wait of a busy host must not squeeze the rest into one bar
        top = max(float(np.percentile(milliseconds, 99.5)), 1e-3)
        trips.hist(
            np.minimum(milliseconds, top), bins=60, histtype="stepfilled", alpha=0.55, color=colour(i),
            label=recording.device,
        )  # fmt: skip
        times = [1e3 * t / recording.clock.hz for t in device_times(recording)]
        if times:
            # a plan that always takes the same time is a line, not a bar
            own.hist(times, bins=60, range=_span(times), alpha=0.55, color=colour(i), label=recording.device)
    trips.set_title("round trip seen by the host")
    own.set_title("plan, by the device's own clock")
    for axis in (trips, own):
        axis.set_xlabel("ms (steps counted on a log scale)")
        axis.set_yscale("log")
    own.axvline(deadline_ms, color="#c0392b", linewidth=1.2, linestyle="--")
    own.annotate("deadline", (deadline_ms, 0.93), xycoords=("data", "axes fraction"), color="#c0392b",
                 ha="right", xytext=(-4, 0), textcoords="offset points")  # fmt: skip
    own.set_xlim(left=0)
    trips.legend(fontsize=8)
    return _svg(figure)


def _span(times: list[float]) -> tuple[float, float]:
    low, high = min(times), max(times)
    return (low, high) if high - low > 0.02 * high else (high * 0.99, high * 1.01)


def _actions(recordings: list[Recording]) -> str:
    last = [i for i, r in enumerate(recordings) if r.hello is not None and r.steps][-1]
    recording = recordings[last]
    seed = recording.steps[0].seed
    steps = [s for s in recording.steps if s.seed == seed][:TRACE_STEPS]
    count = len(steps[0].action)
    shown = min(count, 6)
    figure, axes = _figure(7.2, 0.95 * shown + 0.9, shown)
    x = [s.step for s in steps]
    for j in range(shown):
        axis = axes[j, 0]
        compared = [s.float_action[j] if s.float_action else np.nan for s in steps]
        axis.plot(x, compared, color="#9aa5b1", linewidth=2.4, label="float policy, same observation")
        axis.plot(x, [s.action[j] for s in steps], color=colour(last), linewidth=1, label=recording.device)
        axis.set_ylabel(f"action {j}")
    axes[0, 0].legend(ncols=2, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1))
    axes[-1, 0].set_xlabel(f"control step of the episode with seed {seed}")
    return _svg(figure)
