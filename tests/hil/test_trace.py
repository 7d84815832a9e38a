# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A failing run leaves a trace that fails again to the same byte, made short too; hostile ones: one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import app
from kdp_edge.exporters import targets
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.hil.closed_loop import closed_loop
from kdp_edge.hil.devices import reference
from kdp_edge.hil.devices.device import Device, microseconds
from kdp_edge.hil.pipes import MemoryPipe
from kdp_edge.hil.trace import file
from kdp_edge.hil.trace.rerun import Rerun, rerun
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import planner_of
from kdp_edge.run import Run
from kdp_edge.wire.frame import encode

RIGHT, WRONG = "failsafe->uncovered > smaller(", "failsafe->uncovered > 1u + smaller("
FAULTS = ["off@8:40", "drop=0.05"]


@pytest.fixture(scope="module")
def policy(run_folder: Path) -> IntegerPlanner:
    return planner_of(Run.load(run_folder))


@pytest.fixture(scope="module")
def mutant(policy: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> HostLibrary:
    """The firmware's core, but for one comparison: it latches a step too late."""
    bundle = targets.export_planner(policy, "firmware", tmp_path_factory.mktemp("mutant") / "bundle", {})
    source = bundle.path / "src" / "kdp_failsafe.c"
    text = source.read_text()
    assert text.count(RIGHT) == 1
    source.write_text(text.replace(RIGHT, WRONG))
    return HostLibrary.compile(bundle.path)


def put_in_place(mutant: HostLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    """`reference` is the mutant."""

    @contextmanager
    def open_device(argument: str, planner: IntegerPlanner) -> Iterator[Device]:
        mutant.forget()
        mutant.start()
        yield Device("reference", MemoryPipe(mutant.receive), microseconds, timeout=0.05)

    monkeypatch.setattr(reference, "open_device", open_device)


@pytest.fixture
def mutated(mutant: HostLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_place(mutant, monkeypatch)


@pytest.fixture(scope="module")
def failed(mutant: HostLibrary, run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trace of a run on the mutant."""
    out = tmp_path_factory.mktemp("reports") / "r"
    with pytest.MonkeyPatch.context() as patch:
        put_in_place(mutant, patch)
        report = closed_loop(
            run_folder, ["reference"], episodes=1, max_steps=60, faults=FAULTS, with_float=False, out=out
        )
    assert not report.passed
    return out / "failed-reference.jsonl"


def again(trace: file.Trace, policy: IntegerPlanner) -> Rerun:
    return rerun(trace, policy, lambda: reference.open_device("", policy))


def test_a_trace_says_what_was_played_and_fails_again_to_the_same_byte(
    failed: Path, policy: IntegerPlanner, mutated: None
) -> None:
    trace = file.read(failed)
    assert trace.head.faults == ["off=1@8:40", "drop=0.05"] and trace.head.seeds == [0]
    assert "mismatched_replies reference" in trace.head.failed
    found = again(trace, policy)
    assert found.wrong is not None and "state" in found.wrong.fields
    assert found.first_other is None and found.same == found.answers > 60
    # TELEMETRY counts frames, and how often HELLO was asked is chance
    now, before = (
        [event for event in one.events if event.send is None or file.described(event.send) != "TELEMETRY"]
        for one in (found.trace, trace)
    )
    assert now == before


def test_the_shortened_trace_is_short_and_still_fails(
    failed: Path, policy: IntegerPlanner, run_folder: Path, mutated: None
) -> None:
    done = CliRunner().invoke(
        app, ["hil", "replay", str(failed), "--run", str(run_folder), "--shorten", "--json"]
    )
    assert done.exit_code == 1, done.output
    result = json.loads(done.stdout)
    assert result["repeats"] and "state" in result["wrong"]["says"]
    short = file.read(Path(result["short"]))
    found = again(short, policy)
    assert found.wrong is not None and found.first_other is None
    # a reset and as many missing observations as it takes to latch, of some 130 requests
    assert found.trace.requests() <= policy.spec.safe_steps + 3
    assert file.read(failed).requests() > 100


def test_a_device_that_is_mended_passes_with_the_same_trace(failed: Path, run_folder: Path) -> None:
    done = CliRunner().invoke(app, ["hil", "replay", str(failed), "--run", str(run_folder)])
    assert done.exit_code == 0, done.output
    assert "Every answer is the predicted one. Recorded as failed: mismatched_replies" in done.output


def test_a_run_that_passes_leaves_no_trace_and_a_new_report_takes_the_place_of_one(
    failed: Path, run_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r"
    shutil.copytree(failed.parent, out)
    closed_loop(run_folder, ["reference"], episodes=1, max_steps=5, with_float=False, out=out)
    assert not list(out.glob("failed-*"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 3: not JSON"),
        ("[1]", "line 3: content is"),
        ('{"send": "zz"}', "line 3: not hexadecimal"),
        ('{"send": 5}', "line 3: send is 5, expected a text"),
        ('{"sent": "00"}', "line 3: unknown key 'sent'"),
        ('{"send": "00", "hello": true}', "expected one of send, hello, ticks and hang, found 2"),
        ("{}", "expected one of send, hello, ticks and hang, found 0"),
        ('{"ticks": -1}', "ticks is -1"),
        ('{"hang": 1e9}', r"hang is 1e\+09, expected at most 10 s"),
        (json.dumps({"send": encode(0x10, 1, b"").hex()}), "type 0x10, which could change the device"),
        ("[" * 100_000, "line 3: not JSON"),
    ],
)
def test_a_hostile_line_is_named(failed: Path, tmp_path: Path, line: str, said: str) -> None:
    head, first, *_ = failed.read_text().splitlines()
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join([head, first, line]))
    with pytest.raises(KdpError, match=said) as caught:
        file.read(path)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)


def test_a_push_in_pieces_or_another_policy_is_refused(
    failed: Path, tmp_path: Path, policy: IntegerPlanner, run_folder: Path
) -> None:
    trace = file.read(failed)
    data = encode(0x10, 1, b"")
    for pieces in ([data[:3], data[3:]], [b"garbage\0" + data]):
        hidden = replace(trace, events=tuple(file.Event(send=piece) for piece in pieces))
        file.write(tmp_path / "t.jsonl", hidden)
        with pytest.raises(KdpError, match="could change the device"):
            file.read(tmp_path / "t.jsonl")
    file.write(tmp_path / "u.jsonl", replace(trace, head=replace(trace.head, model_sha256="0" * 64)))
    done = CliRunner().invoke(app, ["hil", "replay", str(tmp_path / "u.jsonl"), "--run", str(run_folder)])
    assert isinstance(done.exception, KdpError) and "recorded with model 0000" in str(done.exception)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"5", b"{}", b'{"kind": "x"}'])
def test_what_is_no_trace_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t").write_bytes(content)
    for path in (tmp_path / "t", tmp_path / "none", tmp_path):
        with pytest.raises(KdpError) as caught:
            file.read(path)
        assert str(path) in str(caught.value)
