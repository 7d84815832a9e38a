# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The report as JUnit XML, which every CI reads: a suite of gates, one of devices with their times."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from kdp_edge.hil.result import FAILED, MISSING, NOT_JUDGED, PASSED, BoardResult, Played, Report
from kdp_edge.hil.table import failure, failures_of


def junit(report: Report) -> bytes:
    """Two suites: the gates, one test case each, and the devices, one each with its time.

    The first one's name has the verdicts; what is not judged is skipped there. A board that never answered
    is an error in the second one.
    """
    root = ET.Element("testsuites")
    root.append(_gates(report))
    root.append(_devices(report))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _gates(report: Report) -> ET.Element:
    verdicts = ", ".join(f"{one.name} {one.outcome}" for one in report.verdicts)
    suite = _suite(f"kdp-edge hil {report.task}: {verdicts}", [gate.outcome for gate in report.gates])
    for gate in report.gates:
        name, _, device = gate.name.partition(" ")
        case = ET.SubElement(suite, "testcase", classname=_printable(device or report.task), name=name)
        if gate.outcome == FAILED:
            _say(case, "failure", failure(gate))
        elif gate.outcome == NOT_JUDGED:
            ET.SubElement(case, "skipped", message=_printable(gate.limit))
    return suite


def _devices(report: Report) -> ET.Element:
    boards = report.boards or [_result(report, name, one) for name, one in report.answering.items()]
    suite = _suite(f"kdp-edge hil {report.task}: devices", [one.outcome for one in boards])
    for one in boards:
        name, seconds = _printable(one.name), f"{one.seconds:.3f}"
        case = ET.SubElement(
            suite, "testcase", classname=f"kdp-edge hil {report.task}", name=name, time=seconds
        )
        if one.outcome != PASSED:
            _say(case, "error" if one.outcome == MISSING else "failure", one.why)
    suite.set("time", f"{max((one.seconds for one in boards), default=0.0):.3f}")
    return suite


def _result(report: Report, name: str, one: Played) -> BoardResult:
    why = failures_of(report, name)
    return BoardResult(name, name, FAILED if why else PASSED, one.wall_seconds, why)


def _suite(name: str, outcomes: list[str]) -> ET.Element:
    return ET.Element(
        "testsuite",
        name=_printable(name),
        tests=str(len(outcomes)),
        failures=str(outcomes.count(FAILED)),
        errors=str(outcomes.count(MISSING)),
        skipped=str(outcomes.count(NOT_JUDGED)),
    )


def _say(case: ET.Element, kind: str, message: str) -> None:
    ET.SubElement(case, kind, message=_printable(message)).text = _printable(message)


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
