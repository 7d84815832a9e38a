# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""run.mcap, its layout and trace.json, read back by the formats' own readers."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcap.reader import make_reader

from kdp_edge.base.progress import progress_bar
from kdp_edge.exporters.bundle import load_bundle
from kdp_edge.exporters.targets import model_card
from kdp_edge.hil import report as reports
from kdp_edge.hil.evidence import Evidence
from kdp_edge.hil.faults import parse
from kdp_edge.hil.result import Report
from kdp_edge.hil.scenario import Recording, Scenario, Step
from kdp_edge.hil.session import Session
from kdp_edge.hil.trace_mcap import Timeline, write_mcap
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.run import Run

SEEDS, MOST = (3, 4), 30
Messages = dict[str, list[tuple[int, dict[str, Any]]]]  # topic -> (log time, message)


@pytest.fixture(scope="module")
def played(planner: IntegerPlanner, float_planner: FloatPlanner) -> tuple[Report, list[Recording]]:
    faults = (parse("off@3:6"), parse("garbage@8:9"))
    scenario = Scenario("hopper-medium-expert", SEEDS, MOST, faults=faults)
    return Session(scenario, ("reference", "native"), planner, float_planner).play(progress_bar)


@pytest.fixture(scope="module")
def folder(
    played: tuple[Report, list[Recording]], planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("traces") / "one"
    reports.write(path, *played, Evidence(planner.spec, "# the card"))
    return path


@pytest.fixture(scope="module")
def messages(folder: Path) -> Messages:
    """Every message by its topic, each checked against the schema that the file embeds."""
    found: Messages = {}
    with (folder / "run.mcap").open("rb") as stream:
        for schema, channel, message in make_reader(stream, validate_crcs=True).iter_messages():
            assert (
                schema is not None and schema.encoding == "jsonschema" and channel.message_encoding == "json"
            )
            value = json.loads(message.data)
            jsonschema.validate(value, json.loads(schema.data))
            assert set(value) <= set(json.loads(schema.data)["properties"])
            found.setdefault(channel.topic, []).append((message.log_time, value))
    return found


def simulated(step: Step) -> int:
    """Nanoseconds on the plant's clock: episodes behind each other, 125 control steps a second."""
    return round(1e9 * (SEEDS.index(step.seed) * MOST + step.step) / 125)


def test_every_step_of_every_device_is_in_the_file_at_simulated_time(
    played: tuple[Report, list[Recording]], messages: Messages
) -> None:
    names = [name.partition(" (")[0] for name in played[0].actions]
    for recording in played[1]:
        rows = messages[f"/{recording.device}/action"]
        assert [(at, [one[name] for name in names]) for at, one in rows] == [
            (simulated(step), list(step.action)) for step in recording.steps
        ]
        plans = [one for _, one in messages[f"/{recording.device}/plan"]]
        assert [one["reward"] for one in plans] == [step.reward for step in recording.steps]
        ends = [
            one["return"]
            for one, after in pairwise([*plans, {"return": 0}])
            if after["return"] < one["return"]
        ]
        assert ends[-1] == pytest.approx(recording.episodes[-1].episode_return)
        assert [one["qpos"] for _, one in messages[f"/{recording.device}/plant"]] == [
            list(step.pose) for step in recording.steps
        ]


def test_twin_states_times_and_faults_are_those_of_the_run(
    played: tuple[Report, list[Recording]], messages: Messages
) -> None:
    for recording in played[1][1:]:
        assert [one["matched"] for _, one in messages[f"/{recording.device}/twin"]] == [True] * len(
            recording.steps
        )
        plans = [one for _, one in messages[f"/{recording.device}/plan"]]
        assert [one["state_number"] for one in plans] == [step.state for step in recording.steps]
        assert [one["missed"] for one in plans] == [bool(step.flags & 8) for step in recording.steps]
        assert {one["fault"] for one in plans} == {"", "off", "garbage"}
        lines = [one["message"] for _, one in messages[f"/{recording.device}/log"]]
        assert lines.count("fault off") == 3 * len(SEEDS) and "state replaying" in lines
        observed = [one for _, one in messages[f"/{recording.device}/observation"]]
        seen = [step for step in recording.steps if step.observation]
        assert len(observed) == len(seen) < len(recording.steps)
        # JSON has no NaN: what is no number is null, and nothing else is
        assert [None in one.values() for one in observed] == [step.fault == "garbage" for step in seen]
    assert all("device_ms" in one for _, one in messages["/reference/plan"] if one["planned"])


def test_what_the_file_says_of_itself_and_the_card(
    folder: Path, played: tuple[Report, list[Recording]]
) -> None:
    with (folder / "run.mcap").open("rb") as stream:
        reader = make_reader(stream)
        (card,) = reader.iter_attachments()
        assert (card.name, card.media_type, card.data) == ("MODEL_CARD.md", "text/markdown", b"# the card")
        assert [one.metadata["seeds"] for one in reader.iter_metadata()] == ["3 4"]
        summary = reader.get_summary()
    assert summary is not None and summary.statistics is not None
    assert {c.metadata["device"] for c in summary.channels.values()} == {r.device for r in played[1]}


def test_the_same_recordings_give_the_same_bytes(
    folder: Path, played: tuple[Report, list[Recording]], planner: IntegerPlanner, tmp_path: Path
) -> None:
    times = Timeline(SEEDS, MOST, 125.0)
    write_mcap(tmp_path / "again.mcap", played[1], planner.spec, times, "# the card")
    assert (tmp_path / "again.mcap").read_bytes() == (folder / "run.mcap").read_bytes()


def test_every_path_of_the_layout_leads_to_a_field_in_the_file(folder: Path, messages: Messages) -> None:
    layout = json.loads((folder / "foxglove-layout.json").read_text())
    panels = layout["configById"]
    assert set(leaves(layout["layout"])) == set(panels)
    paths = [path["value"] for panel in panels.values() for path in panel.get("paths", [])]
    assert any("/twin." in path for path in paths) and any("/plan.device_ms" in path for path in paths)
    for path in paths:
        topic, _, field = path.partition(".")
        known = {name for _, message in messages[topic] for name in message}
        assert field in known or path == "/native/plan.device_ms", path  # native keeps no time
    assert panels["RosOut!log"]["topicToRender"] in messages


def leaves(tree: Any) -> list[str]:
    return [tree] if isinstance(tree, str) else leaves(tree["first"]) + leaves(tree["second"])


def test_trace_json_divides_every_round_trip_and_overlaps_nowhere(
    folder: Path, played: tuple[Report, list[Recording]]
) -> None:
    trace = json.loads((folder / "trace.json").read_text())
    devices = [r for r in played[1] if r.hello is not None]
    names = {e["pid"]: e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "process_name"}
    assert sorted(names.values()) == sorted(r.device for r in devices)
    for process, name in names.items():
        recording = next(r for r in devices if r.device == name)
        slices = [e for e in trace["traceEvents"] if e["pid"] == process and e["ph"] == "X"]
        tracks = [[e for e in slices if e["name"] == t] for t in ("link down", "plan", "link up")]
        assert [len(track) for track in tracks] == [len(recording.steps)] * 3
        for down, plan, up, step in zip(*tracks, recording.steps, strict=True):
            assert step.rtt is not None
            assert down["dur"] + plan["dur"] + up["dur"] == pytest.approx(1e6 * step.rtt, abs=1)
            assert plan["ts"] == pytest.approx(down["ts"] + down["dur"], abs=1)
            assert up["ts"] == pytest.approx(plan["ts"] + plan["dur"], abs=1)
            assert (plan["args"]["seed"], plan["args"]["step"]) == (step.seed, step.step)
        everything = sorted(slices, key=lambda e: e["ts"])
        assert all(
            a["ts"] + a["dur"] <= b["ts"] + 1 for a, b in pairwise(everything)
        )  # lockstep: one at a time
        assert {"host", "link down", "plan", "link up"} == {e["name"] for e in slices}


def test_a_run_without_a_step_still_writes_its_files(
    played: tuple[Report, list[Recording]], planner: IntegerPlanner, tmp_path: Path
) -> None:
    empty = [replace(one, steps=[], episodes=[], echo_rtt=[], lost="cable") for one in played[1]]
    reports.write(tmp_path / "r", played[0], empty, Evidence(planner.spec))
    with (tmp_path / "r" / "run.mcap").open("rb") as stream:
        assert list(make_reader(stream).iter_messages()) == []
    assert json.loads((tmp_path / "r" / "trace.json").read_text())["traceEvents"]


def test_the_card_is_the_bundles_own_or_made_of_the_run(sbc: Path, run_folder: Path) -> None:
    bundle, run = load_bundle(sbc), Run.load(run_folder)
    assert model_card(bundle, bundle.planner()) == (sbc / "MODEL_CARD.md").read_text(encoding="utf-8")
    card = model_card(run, Session.of_run(run, ()).planner)
    assert "# Model card: hopper-medium-expert" in card and "It is in no bundle yet" in card
