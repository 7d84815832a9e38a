# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A layout for Foxglove that shows run.mcap: actions against twin and float, states, times, the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdp_edge.hil.scenario import Recording
from kdp_edge.hil.trace_mcap import key_of, topic_of
from kdp_edge.quantization.plan import PlanSpec

FILE = "foxglove-layout.json"
MOST_ACTIONS = 4  # plots of actions; a hand has two dozen


def layout(recordings: Sequence[Recording], spec: PlanSpec) -> dict[str, Any]:
    """The layout as Foxglove exports one: panels by id, and how they divide the window."""
    topics = {one.device: topic_of(one.device) for one in recordings}
    behind_links = [topics[one.device] for one in recordings if one.hello is not None]
    panels: dict[str, dict[str, Any]] = {}
    for signal in spec.act_names[:MOST_ACTIONS]:
        key = key_of(signal)
        paths = [f"{topic}/action.{key}" for topic in topics.values()]
        paths += [f"{behind_links[-1]}/{kind}.{key}" for kind in ("twin", "float")] if behind_links else []
        panels[f"Plot!{key}"] = _plot(signal, paths)
    panels["Plot!return"] = _plot("return", [f"{topic}/plan.return" for topic in topics.values()])
    if behind_links:
        times = [f"{t}/plan.{name}" for t in behind_links for name in ("device_ms", "round_trip_ms")]
        panels["Plot!times"] = _plot("ms", times)
        states = [_path(f"{topic}/plan.state") for topic in behind_links]
        panels["StateTransitions!states"] = {"paths": states, "isSynced": True}
        raw = {"topicPath": f"{behind_links[-1]}/plan", "diffEnabled": False, "showFullMessageForDiff": False}
        panels["RawMessages!plan"] = raw
    panels["RosOut!log"] = {
        "searchTerms": [],
        "minLogLevel": 2,
        "topicToRender": f"{[*topics.values()][-1]}/log",
    }
    return {
        "configById": panels,
        "globalVariables": {},
        "userNodes": {},
        "playbackConfig": {"speed": 1},
        "layout": _divided(list(panels)),
    }


def _plot(title: str, paths: Sequence[str]) -> dict[str, Any]:
    return {
        "foxglovePanelTitle": title,
        "paths": [_path(path) for path in paths],
        "xAxisVal": "timestamp",
        "isSynced": True,
        "showLegend": True,
        "legendDisplay": "floating",
        "showXAxisLabels": True,
        "showYAxisLabels": True,
    }


def _path(value: str) -> dict[str, Any]:
    return {"value": value, "enabled": True, "timestampMethod": "receiveTime"}


def _divided(names: Sequence[str], direction: str = "row") -> Any:
    """A tree of halves, as Foxglove's window is divided."""
    if len(names) == 1:
        return names[0]
    half = len(names) // 2
    other = "column" if direction == "row" else "row"
    return {
        "direction": direction,
        "first": _divided(names[:half], other),
        "second": _divided(names[half:], other),
    }
