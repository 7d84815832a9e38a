# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge hil | report | ports` as a user runs them: one clear line and the promised exit code."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
import tty
from pathlib import Path

import pytest


def kdp(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from kdp_edge.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "KDP_EDGE_HOME": str(home), "COLUMNS": "100"},
    )


@pytest.fixture(scope="module")
def home(run_folder: Path) -> Path:
    """A workspace whose newest run is the random one."""
    return run_folder.parent.parent


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("kdp-edge: ")]
    assert len(errors) == 1, done.stderr
    return errors[0]


def test_reference_and_native_side_by_side_with_a_report(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    done = kdp(
        "hil", "--device", "reference", "--device", "native", "--episodes", "2", "--out", out, home=home
    )
    assert done.returncode == 0, done.stderr
    assert "Newest run" in done.stderr and "random" in done.stderr
    for text in (
        "float",
        "reference",
        "native",
        "mismatched replies",
        "Device = prediction: PASSED",
        "Behaviour: NOT JUDGED",
        str(out / "report.html"),
    ):
        assert text in done.stdout
    assert {path.name for path in out.iterdir()} == {
        "report.html", "report.json", "junit.xml", "steps.csv",
        "run.mcap", "foxglove-layout.json", "trace.json",
    }  # fmt: skip

    shown = kdp("report", out, home=home)
    assert shown.returncode == 0 and "mismatched replies" in shown.stdout
    compared = kdp("report", out, out, "--json", home=home)
    assert json.loads(compared.stdout) == {"changes": [], "passed": True}


def test_json_output_is_the_report_and_nothing_else(home: Path, run_folder: Path, tmp_path: Path) -> None:
    done = kdp("hil", "--run", run_folder, "--episodes", "1", "--json", "--out", tmp_path / "r", home=home)
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report == json.loads((tmp_path / "r" / "report.json").read_text())
    assert (report["provenance"]["run"], report["provenance"]["data_sha256"]) == ("random", "0" * 64)


def test_a_failed_gate_exits_1_and_still_writes_the_report(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    done = kdp("hil", "--episodes", "1", "--gate-return", "1e6", "--out", out, home=home)
    assert done.returncode == 1
    assert "FAILED return_mean reference" in done.stdout
    assert (out / "report.html").is_file()
    assert kdp("report", out, home=home).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--device", "arduino"], 2, "unknown device 'arduino': there are reference, native"),
        (["--device", "serial:/dev/ttyNONE"], 3, "/dev/ttyNONE: no such port; ports found"),
        (["--device", "reference", "--device", "reference"], 2, "given twice"),
        (["--fault", "flop"], 2, "unknown fault 'flop'"),
        (["--run", "a", "--bundle", "b"], 2, "exclude each other"),
        (["--run", "nowhere"], 2, "nowhere: not a run folder"),
        (["--device", "native", "faults"], 2, "stands before 'faults', where it means nothing"),
    ],
)
def test_bad_input_is_one_line_and_a_code(
    home: Path, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = kdp("hil", "--out", tmp_path / "r", *arguments, home=home)
    assert done.returncode == code
    assert said in one_line(done)
    assert not (tmp_path / "r").exists()


def test_a_bundle_is_played_as_it_is_and_refused_with_one_byte_changed(home: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    assert kdp("export", "--target", "firmware", "--out", bundle, home=home).returncode == 0
    arguments = ["hil", "--bundle", bundle, "--episodes", "1", "--out", tmp_path / "r"]
    assert kdp(*arguments, home=home).returncode == 0
    file = bundle / "integer" / "generator.integer.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    done = kdp(*arguments, home=home)
    assert done.returncode == 2
    assert "generator.integer.safetensors" in one_line(done)


def test_a_damaged_run_is_one_line_that_names_the_file(home: Path, run_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    (run / "generator.safetensors").write_bytes(b"garbage")
    done = kdp("hil", "--run", run, "--out", tmp_path / "r", home=home)
    assert done.returncode == 2
    assert "generator.safetensors" in one_line(done)


def test_a_device_that_never_answers_exits_3_and_says_what_to_check(home: Path) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    start = time.monotonic()
    done = kdp("hil", "--device", f"serial:{os.ttyname(slave)}", "--no-float", home=home)
    assert done.returncode == 3
    assert "no answer to HELLO in 10." in one_line(done) and "baud" in one_line(done)
    assert time.monotonic() - start < 20
    os.close(master)
    os.close(slave)


def test_a_link_lost_in_the_run_exits_4_with_the_step_and_a_report(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    arguments = ["hil", "--device", "native", "--episodes", "200", "--no-float", "--out", str(out)]
    ours = subprocess.Popen(
        [sys.executable, "-c", "from kdp_edge.cli import main; main()", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "KDP_EDGE_HOME": str(home)},
    )  # fmt: skip
    end = time.monotonic() + 60
    while not (device := native_child(ours.pid)):
        assert time.monotonic() < end and ours.poll() is None
        time.sleep(0.02)
    while written(device) < 50_000:  # bytes: far beyond the greeting, in the middle of the replies
        assert time.monotonic() < end and ours.poll() is None
        time.sleep(0.02)
    os.kill(device, signal.SIGKILL)
    stdout, stderr = ours.communicate(timeout=60)
    assert ours.returncode == 4, stderr
    assert "link lost: native, episode seed" in stderr and "step" in stderr and "Traceback" not in stderr
    report = json.loads((out / "report.json").read_text())
    assert report["passed"] is False and report["devices"]["native"]["replies"] > 0
    assert "FAILED link native" in stdout


def native_child(pid: int) -> int | None:
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in file.read_text().split():
            try:
                if Path(f"/proc/{child}/comm").read_text() == "kdp_native\n":
                    return int(child)
            except OSError:
                continue
    return None


def written(pid: int) -> int:
    """Bytes the process has written so far."""
    counters = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(counters["wchar"])


def test_ports_lists_or_says_that_there_are_none(home: Path) -> None:
    done = kdp("ports", home=home)
    assert done.returncode == 0 and done.stdout.strip()
    assert "ports" in json.loads(kdp("ports", "--json", home=home).stdout)


def test_the_closed_loop_needs_no_torch(home: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from kdp_edge.cli import main\n"
        f"sys.argv = ['kdp-edge', 'hil', '--episodes', '1', '--out', {str(tmp_path / 'r')!r}]\n"
        "main()"
    )
    env = {**os.environ, "KDP_EDGE_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=env, timeout=60
    )
    assert done.returncode == 0, done.stderr
