# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The report keeps its contract: names, types, gates, one page that stands alone."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import progress_bar
from kdp_edge.hil import report as reports
from kdp_edge.hil.compare_reports import changes
from kdp_edge.hil.faults import parse
from kdp_edge.hil.gates import behaviour_gates, standard_gates
from kdp_edge.hil.result import DeviceResult, Report
from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.session import Session
from kdp_edge.hil.summary import against_float, device_entry
from kdp_edge.hil.verdicts import Expectation, behaviour_verdict
from kdp_edge.hil.worst_case import worst_case
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.tasks import get_task

OPTIONAL = (int, float, type(None))
TOP = {
    "schema": int, "task": str, "mode": str, "seeds": list, "k": int, "horizon": int, "chunk": int,
    "rate_hz": float, "deadline_ms": float, "passed": bool, "gates": list, "devices": dict, "faults": list,
    "provenance": dict,
}  # fmt: skip
OF_EVERY_DEVICE = {"episodes": int, "return_mean": float, "return_ci95": list, "score_mean": float}
OF_A_REAL_DEVICE = {
    "action_gap_max": float, "replies": int, "mismatched_replies": int, "deadline_misses": int,
    "fallback_steps": int, "rtt_ms": dict, "device_time": dict, "link": dict, "flash_bytes": OPTIONAL,
    "ram_bytes": OPTIONAL, "stack_high_water_bytes": OPTIONAL,
}  # fmt: skip


@pytest.fixture(scope="module")
def played(planner: IntegerPlanner, float_planner: FloatPlanner) -> tuple[Report, list[Recording]]:
    scenario = Scenario("hopper-medium-expert", (3, 4), 50)
    return Session(scenario, ("reference", "qemu:stm32f405"), planner, float_planner).play(progress_bar)


@pytest.fixture(scope="module")
def folder(played: tuple[Report, list[Recording]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reports") / "one"
    reports.write(path, *played)
    return path


def assert_names_and_types(value: dict[str, Any], contract: dict[str, Any]) -> None:
    for name, kind in contract.items():
        assert isinstance(value[name], kind), f"{name}: {value[name]!r}"


def test_report_json_has_every_name_of_the_contract(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    assert_names_and_types(report, TOP)
    assert report["schema"] == 1 and report["seeds"] == [3, 4] and report["passed"] is True
    assert set(report["devices"]) == {"float", "reference", "qemu:stm32f405"}
    for name, entry in report["devices"].items():
        assert_names_and_types(entry, OF_EVERY_DEVICE)
        assert len(entry["return_ci95"]) == 2
        if name != "float":
            assert_names_and_types(entry, OF_A_REAL_DEVICE)
            assert set(entry["rtt_ms"]) == {"p50", "p95", "p99", "max"}
            assert {"unit", "source", "hz", "p50", "p99", "max"} <= set(entry["device_time"])
            assert {"lost", "crc_errors", "retries"} <= set(entry["link"])
    assert all(set(gate) == {"name", "limit", "value", "passed"} for gate in report["gates"])
    provenance = report["provenance"]
    assert {"git", "run", "model_sha256", "data_sha256", "packages", "toolchain"} <= set(provenance)
    assert len(provenance["model_sha256"]) == 64


def test_emulated_time_is_called_instructions_and_the_image_has_a_size(folder: Path) -> None:
    board = json.loads((folder / "report.json").read_text())["devices"]["qemu:stm32f405"]
    assert board["device_time"]["unit"] == "instructions" and board["device_time"]["source"] == "icount"
    assert board["flash_bytes"] > 50_000 and board["ram_bytes"] > 1000
    assert 0 < board["stack_high_water_bytes"] < board["ram_bytes"]


def test_the_page_stands_alone_and_shows_the_verdict(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert "Device = prediction: Passed" in page and "Behaviour: Not judged" in page
    assert page.index("Device = prediction") < page.index("<table") and page.count("<svg") == 4
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "<script" not in page


def test_a_failed_gate_turns_the_verdict_and_is_named_in_page_and_junit(
    planner: IntegerPlanner, float_planner: FloatPlanner, tmp_path: Path
) -> None:
    scenario = Scenario("hopper-medium-expert", (3,), 20)
    session = Session(scenario, ("reference",), planner, float_planner, least_return=1e6)
    report, recordings = session.play(progress_bar)
    reports.write(tmp_path / "r", report, recordings)
    assert report.passed is False
    assert [verdict.outcome for verdict in report.verdicts] == ["passed", "failed"]
    page = (tmp_path / "r" / "report.html").read_text()
    assert "Behaviour: Failed" in page and "it does not reach what it must: return_mean reference" in page
    suite = ET.parse(tmp_path / "r" / "junit.xml").getroot()[0]
    failed = [case for case in suite if len(case)]
    failed = [case for case in failed if case[0].tag == "failure"]
    assert suite.get("failures") == str(len(failed)) == "1"
    assert str(suite.get("name")).endswith("device passed, behaviour failed")
    assert "expected >= 1e+06" in str(failed[0][0].get("message"))


def test_steps_csv_has_a_row_a_step_with_exact_actions(
    folder: Path, played: tuple[Report, list[Recording]]
) -> None:
    rows = list(csv.DictReader(io.StringIO((folder / "steps.csv").read_text())))
    steps = [(r.device, s) for r in played[1] for s in r.steps]
    assert len(rows) == len(steps)
    for row, (device, step) in zip(rows, steps, strict=True):
        assert (row["device"], int(row["step"])) == (device, step.step)
        assert tuple(float(row[f"action_{i}"]) for i in range(3)) == step.action


def test_a_fault_that_was_never_played_fails_the_run(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    scenario = Scenario("hopper-medium-expert", (3,), 10, faults=(parse("off@5000:5001"),))
    report, _ = Session(scenario, ("reference",), planner, float_planner).play(progress_bar)
    gates = [gate for gate in report.gates if gate.name == "fault_off reference"]
    assert [(gate.value, gate.passed) for gate in gates] == [("not played", False)]
    assert report.faults[0].played == {"reference": 0}


def test_gates_fail_on_mismatch_miss_lost_link_and_on_no_reply_at_all(
    played: tuple[Report, list[Recording]],
) -> None:
    devices = played[0].answering
    good = replace(devices["reference"], late_round_trips=0)  # of a computer that was busy with other things
    for change, name in (
        ({"mismatched_replies": 1}, "mismatched_replies"),
        ({"deadline_misses": 2}, "deadline_misses"),
        ({"lost": "cable"}, "link"),
        ({"replies": 0}, "replies"),
    ):
        gates = standard_gates({"reference": replace(good, **change)})
        assert [gate.name for gate in gates if gate.passed is False] == [f"{name} reference"]
    inexact = replace(good, exact=False, mismatched_replies=3)
    assert all(gate.passed for gate in standard_gates({"agent:x:1": replace(inexact, far_share=0.01)}))
    restarted = standard_gates({"agent:x:1": replace(good, restarted=True)})
    assert [gate.name for gate in restarted if not gate.passed] == ["restarted agent:x:1"]
    gates = standard_gates({"agent:x:1": replace(inexact, far_share=0.2)})
    assert [gate.name for gate in gates if not gate.passed] == ["far_actions agent:x:1"]
    other = replace(devices["qemu:stm32f405"], returns=[0.0, 0.0])
    gates = standard_gates({"reference": good, "qemu:stm32f405": other})
    assert [gate.name for gate in gates if gate.passed is False] == ["returns qemu:stm32f405"]


def test_a_deadline_that_cannot_be_missed_is_not_judged(played: tuple[Report, list[Recording]]) -> None:
    gates = {gate.name: gate.outcome for gate in played[0].gates}
    assert gates["deadline_misses reference"] == "not judged"
    assert gates["deadline_misses qemu:stm32f405"] == "passed"
    device, behaviour = played[0].verdicts
    assert device.outcome == "passed" and "not judged on reference" in device.says
    assert behaviour.outcome == "not judged" and "cut at 50 of 1000 steps" in behaviour.says


def test_behaviour_is_held_against_the_data_and_against_float(
    played: tuple[Report, list[Recording]],
) -> None:
    good = played[0].answering["reference"]
    floating = replace(played[0].devices["float"], returns=[100.0, 104.0], return_mean=102.0)

    def outcomes(returns: list[float], least: float | None) -> tuple[str, dict[str, str]]:
        one = replace(good, returns=returns, return_mean=sum(returns) / 2, episodes=2)
        one = against_float(one, floating, 1.0)
        expected = Expectation(least, "why", 1.0)
        gates = behaviour_gates({"float": floating, "native": one}, expected)
        found = {gate.name.split()[0]: gate.outcome for gate in gates}
        return behaviour_verdict(gates, expected).outcome, found

    assert outcomes([99.0, 103.0], 60.0) == ("passed", {"return_mean": "passed", "against_float": "passed"})
    assert outcomes([20.0, 22.0], 60.0) == ("failed", {"return_mean": "failed", "against_float": "failed"})
    assert outcomes([90.0, 92.0], 60.0) == ("failed", {"return_mean": "passed", "against_float": "failed"})
    assert outcomes([20.0, 22.0], None) == ("not judged", {"return_mean": "not judged"})


def test_one_episode_has_no_interval(played: tuple[Report, list[Recording]]) -> None:
    recording = played[1][1]
    single = replace(recording, episodes=recording.episodes[:1])
    entry = device_entry(single, get_task("hopper-medium-expert"))
    assert entry.return_mean is not None and entry.return_ci95 is None


def test_emulated_milliseconds_are_instructions_at_the_cores_clock(
    played: tuple[Report, list[Recording]],
) -> None:
    board = played[0].answering["qemu:stm32f405"]
    assert board.device_time and board.device_ms and board.device_ms.max and board.device_time.max
    assert board.device_time.hz == board.hello.clock_hz == 168e6
    assert board.device_ms.max == pytest.approx(board.device_time.max / 168e3)
    assert board.deadline_share == pytest.approx(board.device_ms.max / played[0].deadline_ms)
    slow = next(r for r in played[1] if r.device == "qemu:stm32f405")
    clock = replace(slow.clock, hz=1e6)  # a core so slow that no plan is in time
    late = device_entry(replace(slow, clock=clock), get_task("hopper-medium-expert"))
    assert isinstance(late, DeviceResult) and late.deadline_misses == len(slow.steps)


def test_the_worst_case_of_a_plan_stands_beside_the_period(
    played: tuple[Report, list[Recording]], folder: Path
) -> None:
    board = played[0].answering["qemu:stm32f405"]
    found = worst_case(board)
    assert found is not None and board.device_time is not None
    assert found.instructions == board.device_time.p50 == board.device_time.max  # each plan is the longest
    assert found.cycles_each is not None and found.period_ms == 8
    assert found.ms == pytest.approx(found.instructions * found.cycles_each / 168e3)
    assert found.says in (folder / "report.html").read_text()
    assert worst_case(played[0].answering["reference"]) is None
    of_mine = worst_case(replace(board, hello=replace(board.hello, board="my-board")))
    assert of_mine is not None and of_mine.ms is None and "there is no model" in of_mine.says


def test_a_comparison_names_verdicts_first_and_leaves_noise_out(folder: Path) -> None:
    first = reports.read(folder)
    value = first.to_json()
    native = value["devices"]["qemu:stm32f405"]
    native["rtt_ms"]["p50"] *= 1.2  # other programs
    native["mismatched_replies"] = 3
    value["verdicts"][0]["outcome"] = "failed"
    rows = changes(first, Report.from_json(value))
    assert [(row["what"], row["verdict"]) for row in rows] == [
        ("verdict: device", "worse"), ("mismatched replies", "worse"),
    ]  # fmt: skip
    native["rtt_ms"]["p50"] *= 10
    rows = changes(first, Report.from_json(value))
    assert ("round trip p50, ms", "worse") in [(row["what"], row["verdict"]) for row in rows]


def test_what_passed_and_fails_now_comes_before_everything_else(folder: Path) -> None:
    first = reports.read(folder)

    def turned(**outcomes: bool | None) -> Report:
        gates = [replace(g, passed=outcomes.get(g.name.split()[0], g.passed)) for g in first.gates]
        return replace(first, gates=gates)

    before = turned(returns=False, restarted=None, mismatched_replies=True)
    after = turned(link=False, restarted=False, replies=None)
    after = replace(after, verdicts=[replace(after.verdicts[0], outcome="failed"), *after.verdicts[1:]])
    rows = changes(before, after)
    order = [row["change"] for row in rows]
    assert order[:3] == ["passed → failed"] * 3 and rows[0]["what"] == "verdict: device"
    assert order[3:5] == ["not judged → failed"] * 2
    assert order[5:7] == ["passed → not judged"] * 2
    assert order[7:] == ["failed → passed"]
    assert [row["verdict"] for row in rows] == ["worse"] * 7 + ["better"]


def test_a_device_that_is_gone_is_one_row_of_a_comparison(folder: Path) -> None:
    first = reports.read(folder)
    fewer = {name: one for name, one in first.devices.items() if name != "qemu:stm32f405"}
    gates = [gate for gate in first.gates if not gate.name.endswith("qemu:stm32f405")]
    rows = changes(first, replace(first, devices=fewer, gates=gates))
    assert [(row["device"], row["change"], row["verdict"]) for row in rows] == [
        ("qemu:stm32f405", "played → absent", "worse")
    ]
    assert changes(replace(first, devices=fewer, gates=gates), first) == []


def test_repeated_runs_are_held_against_each_other(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    scenario = Scenario("hopper-medium-expert", (3,), 10)
    session = Session(scenario, ("qemu:stm32f405",), planner, float_planner, repeat=True, with_float=False)
    report, _ = session.play(progress_bar)
    repeated = {gate.name: gate.value for gate in report.gates if "repeated" in gate.name}
    assert repeated == {
        "repeated returns qemu:stm32f405": "identical",
        "repeated device times qemu:stm32f405": 0,
    }
    assert report.passed is True


def test_two_reports_are_compared_cell_by_cell(folder: Path) -> None:
    first = reports.read(folder)
    value = json.loads((folder / "report.json").read_text())
    assert first.to_json() == value and changes(first, Report.from_json(value)) == []
    value["devices"]["qemu:stm32f405"]["device_time"]["p50"] *= 2
    rows = changes(first, Report.from_json(value))
    assert len(rows) == 1
    assert rows[0]["device"] == "qemu:stm32f405" and rows[0]["change"] == "+100.0 %"


def test_what_is_not_a_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"schema": 7}')
    with pytest.raises(KdpError, match=r"not a report of kdp-edge hil \(schema 7, expected 1\)"):
        reports.read(tmp_path)
    (tmp_path / "report.json").write_text('{"schema": 1, "devices": {"native": {"replies": 3}}}')
    with pytest.raises(KdpError, match="a report of another version of kdp-edge"):
        reports.read(tmp_path)
    with pytest.raises(KdpError, match="no such file"):
        reports.read(tmp_path / "none.json")


def test_a_run_without_a_single_step_still_makes_a_report(
    planner: IntegerPlanner, float_planner: FloatPlanner, tmp_path: Path
) -> None:
    scenario = Scenario("hopper-medium-expert", (3,), 20)
    session = Session(scenario, ("reference",), planner, float_planner, with_float=False)
    _, [recording] = session.play(progress_bar)
    empty = replace(recording, steps=[], episodes=[], replies=0, lost="reference, before the first step: x")
    devices = {empty.device: device_entry(empty, get_task(scenario.task))}
    report = reports.build(scenario, planner, devices, standard_gates(devices), None)
    reports.write(tmp_path / "r", report, [empty])
    assert report.passed is False
    assert "before the first step" in (tmp_path / "r" / "report.html").read_text()
