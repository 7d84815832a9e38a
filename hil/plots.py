# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Plots of a report as SVG text, to be put into the page itself."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from kdp_edge.hil.curves.tolerance import Tolerance
from kdp_edge.hil.result import Played, Report
from kdp_edge.hil.scenario import Recording, Step
from kdp_edge.hil.summary import device_times, worst_episode
from kdp_edge.wire.numbers import Flag, State

# the page's custom properties that the colours of a plot become, so that it follows light, dark and print
COLOURS = ("#5b6b7f", "#2f6fde", "#c2601a", "#14805a", "#b3446c", "#7a5cc9", "#0f7c8a", "#856700")
INK, SOFT, LINE, BAD = "#1f2933", "#586573", "#d9dee4", "#b42318"
PROPERTIES = {f"--device-{i}": value for i, value in enumerate(COLOURS)} | {
    "--ink": INK, "--soft": SOFT, "--line": LINE, "--bad": BAD,
}  # fmt: skip
LABELS = {
    "returns": "Return of every episode, and the mean with its 95 % interval, one row per device",
    "latency": "Histograms of the round trip seen by the host and of the plan by the device's own clock",
    "actions": "Actions of the last device and of the float policy over the first seconds of one episode",
    "timeline": "State of the fail-safe, flags and faults over the whole of one episode, for each device",
    "curves": "Return, early ends and times over what a sweep varied, one line per device",
    "slower": "Mean return and early ends over the time of a whole answer, one line per device",
}
TRACE_STEPS = 200
MOST_DEVICES = 8  # of a timeline; it shows the last ones
SHOWN_FLAGS = (Flag.BAD_OBSERVATION, Flag.OVERRUN, Flag.MISSED, Flag.LIMITED, Flag.SATURATED)
WIDTH = 4.6  # inches: a plot fills a phone's width, two of them a laptop's
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.hashsalt": "kdp-edge",  # the same data give the same file
    "svg.fonttype": "none",
}


def colour(index: int) -> str:
    """The colour of the device number `index` in every plot of a report, as CSS."""
    return _css(_colour(index))


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _css(value: str) -> str:
    """A colour of this file as the page's property, with itself where there is no page."""
    names = {hexadecimal: name for name, hexadecimal in PROPERTIES.items()}
    return f"var({names[value]}, {value})" if value in names else value


def _figure(height: float, rows: int = 1, sharex: bool = False) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, 1, sharex=sharex, squeeze=False)[:, 0]


def _svg(figure: Any, name: str) -> str:
    """The figure as an image with a name; ids that nothing refers to go, so that a page can hold several."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    used = set(re.findall(r'(?:href="|url\()#([\w.-]+)', text))
    text = re.sub(r' id="([\w.-]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
    text = re.sub(r"(?<=: )#[0-9a-f]{6}\b", lambda m: _css(m[0]), text)
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(LABELS[name])}"', 1)


def draw_all(recordings: list[Recording], report: Report) -> dict[str, str]:
    """Every plot that the recordings allow: name -> SVG."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        plots = {"returns": _returns(report.devices)}
        if any(r.hello is not None and r.steps for r in recordings):
            plots["latency"] = _latency(recordings, report.deadline_ms)
            plots["actions"] = _actions(recordings, tuple(report.actions), report.rate_hz)
            plots["timeline"] = _timeline(recordings, report.rate_hz)
    if any(len(one.tried) > 1 for one in report.tolerances):
        plots["slower"] = _slower(report.tolerances)
    return plots


def _slower(tolerances: Sequence[Tolerance]) -> str:
    def curves(column: int) -> list[Curve]:
        return [
            Curve(one.device, [row[0] for row in one.tried], [row[column] for row in one.tried])
            for one in tolerances
        ]

    panels = [("mean return", curves(1)), ("share of episodes\nthat end early", curves(2))]
    return draw_curves("ms until an action acts", panels, name="slower")


def _returns(entries: Mapping[str, Played]) -> str:
    figure, (axis,) = _figure(0.5 * len(entries) + 0.7)
    for i, entry in enumerate(entries.values()):
        values = entry.returns
        # episodes with equal returns stay visible side by side
        offsets = np.linspace(-0.16, 0.16, len(values)) if len(values) != 1 else np.zeros(1)
        axis.scatter(values, i + offsets, s=16, color=_colour(i), alpha=0.55, linewidth=0)
        if entry.return_ci95:
            axis.plot(entry.return_ci95, [i, i], color=_colour(i), linewidth=2)
        if entry.return_mean is not None:
            axis.scatter([entry.return_mean], [i], marker="D", s=42, color=_colour(i), zorder=3)
    # names above the rows: beside them a long one would leave no room for the values
    for i, name in enumerate(entries):
        axis.text(0, i - 0.25, name, transform=axis.get_yaxis_transform(), fontsize=9, va="bottom")
    axis.spines["left"].set_visible(False)
    axis.set_yticks(range(len(entries)), [""] * len(entries))
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(entries) - 0.5, -0.75)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("return")
    return _svg(figure, "returns")


def _latency(recordings: list[Recording], deadline_ms: float) -> str:
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, (trips, own) = _figure(4.6, 2)
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
            style = {"color": _colour(i), "label": recording.device}
            axis.hist(times[i][which], bins=bins, histtype="stepfilled", alpha=0.18, color=_colour(i))
            axis.hist(times[i][which], bins=bins, histtype="step", linewidth=1.3, **style)
        axis.set_xscale("log")
        if any(both[which] for both in times.values()):
            axis.set_yscale("log")
        axis.set_ylabel("control steps")
        axis.set_xlabel("ms")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
    trips.set_title("round trip seen by the host")
    own.set_title("plan, by the device's own clock")
    own.axvline(deadline_ms, color=BAD, linewidth=1.2, linestyle="--")
    own.annotate(
        "deadline", (deadline_ms, 0.93), xycoords=("data", "axes fraction"), color=BAD,
        ha="right", xytext=(-4, 0), textcoords="offset points",
    )  # fmt: skip
    figure.legend(*trips.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return _svg(figure, "latency")


def _log_bins(values: list[float]) -> np.ndarray:
    """Edges that are equally far apart on a log scale, a bit wider than the values."""
    positive = [value for value in values if value > 0] or [1.0]
    return np.geomspace(min(positive) * 0.95, max(positive) * 1.05, 70)


def _actions(recordings: list[Recording], names: tuple[str, ...], rate_hz: float) -> str:
    last = [i for i, r in enumerate(recordings) if r.hello is not None and r.steps][-1]
    recording = recordings[last]
    seed = recording.steps[0].seed
    steps = [s for s in recording.steps if s.seed == seed][:TRACE_STEPS]
    count = len(steps[0].action)
    shown = min(count, 6)
    figure, axes = _figure(1.0 * shown + 0.8, shown, sharex=True)
    x = [s.step / rate_hz for s in steps]
    for j, axis in enumerate(axes):
        compared = [s.float_action[j] if s.float_action else np.nan for s in steps]
        axis.plot(x, compared, color=_colour(0), linewidth=2.6, alpha=0.6, label="float policy")
        axis.plot(x, [s.action[j] for s in steps], color=_colour(last), linewidth=1, label=recording.device)
        axis.set_ylabel(names[j].replace("_", "\n"), fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    axes[-1].set_xlabel(f"s of the episode with seed {seed}")
    return _svg(figure, "actions")


def _timeline(recordings: list[Recording], rate_hz: float) -> str:
    """A band of states for each device, below it what else happened, in the episode that went worst."""
    from matplotlib.patches import Patch

    shown = [(i, r) for i, r in enumerate(recordings) if r.hello is not None and r.steps][-MOST_DEVICES:]
    seed = worst_episode([step for _, recording in shown for step in recording.steps])
    bands = {State.RUNNING: LINE, State.REPLAYING: COLOURS[7], State.SAFE: COLOURS[2], State.LATCHED: BAD}
    tracks = [(i, r, _tracks([s for s in r.steps if s.seed == seed], rate_hz)) for i, r in shown]
    rows = sum(2 + len(marks) for _, _, marks in tracks)
    figure, (axis,) = _figure(0.2 * rows + 0.9)
    names, y = [], 0
    seen = set()
    for i, recording, marks in tracks:
        steps = [s for s in recording.steps if s.seed == seed]
        axis.text(
            0,
            y,
            recording.device,
            transform=axis.get_yaxis_transform(),
            color=_colour(i),
            fontsize=9,
            va="center",
        )
        states = _runs([s.state if s.state is not None else State.IDLE for s in steps], rate_hz)
        for start, seconds, state in states:
            colour_of = bands.get(State(state), SOFT)
            axis.broken_barh([(start, seconds)], (y + 0.65, 0.7), facecolors=colour_of, linewidth=0)
            seen.add(State(state))
        names.append((y + 1, "state"))
        for row, (name, spans) in enumerate(marks.items(), start=2):
            axis.broken_barh(spans, (y + row - 0.3, 0.6), facecolors=INK, linewidth=0)
            names.append((y + row, name))
        y += 2 + len(marks)
    axis.set_yticks([at for at, _ in names], [name for _, name in names], fontsize=9)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(y - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(f"s of the episode with seed {seed}")
    legend = [Patch(color=bands.get(state, SOFT), label=state.name.lower()) for state in sorted(seen)]
    figure.legend(handles=legend, loc="outside upper left", ncols=len(legend))
    return _svg(figure, "timeline")


def _tracks(steps: list[Step], rate_hz: float) -> dict[str, list[tuple[float, float]]]:
    """What happened besides the states: name -> (start, duration) of each time, in seconds."""
    happened = {
        flag.name.lower().replace("_", " "): [bool(s.flags & flag) for s in steps]
        for flag in SHOWN_FLAGS
        if flag.name
    }
    happened["mismatch"] = [not s.matched for s in steps]
    happened |= {
        f"fault {name}": [name in s.fault.split("+") for s in steps]
        for name in dict.fromkeys(name for s in steps for name in s.fault.split("+") if name)
    }
    spans = {
        name: [(start, seconds) for start, seconds, on in _runs(values, rate_hz) if on]
        for name, values in happened.items()
    }
    return {name: found for name, found in spans.items() if found}


def _runs(values: list[Any], rate_hz: float) -> list[tuple[float, float, Any]]:
    """Equal neighbours as one: (start, duration) in seconds, and the value."""
    found, first = [], 0
    for value, group in groupby(values):
        count = len(list(group))
        found.append((first / rate_hz, count / rate_hz, value))
        first += count
    return found


@dataclass(frozen=True)
class Curve:
    """Values over an axis, with their intervals where there are any."""

    name: str
    x: list[float]
    y: list[float]
    intervals: list[list[float] | None] = field(default_factory=list)


def draw_curves(
    x_label: str, panels: Sequence[tuple[str, Sequence[Curve]]], whole: bool = False, name: str = "curves"
) -> str:
    """One panel for each label over a common axis, as SVG; `name` is one of `LABELS`."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        figure, axes = _figure(1.9 * len(panels) + 0.5, len(panels), sharex=True)
        for axis, (label, curves) in zip(axes, panels, strict=True):
            for i, one in enumerate(curves, 1):
                axis.plot(one.x, one.y, marker="o", markersize=4, color=_colour(i), label=one.name)
                for x, interval in zip(one.x, one.intervals, strict=False):
                    if interval is not None:
                        axis.plot([x, x], interval, color=_colour(i), linewidth=2, alpha=0.5)
            axis.set_ylabel(label, fontsize=9)
        axes[-1].set_xlabel(x_label)
        if whole:
            axes[-1].xaxis.get_major_locator().set_params(integer=True)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
        return _svg(figure, name)
