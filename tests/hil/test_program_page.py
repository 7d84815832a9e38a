# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""docs/your-robot-program.md: its programs run on a robot of 30 steps, and its service is one."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.exporters.agent.heartbeat import EVERY
from kdp_edge.exporters.agent_service import DOCKERFILE, UNIT
from kdp_edge.exporters.targets import export_planner
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import MemoryPipe
from kdp_edge.hil.remote import RemotePlanner, connect
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.wire.numbers import Pace, State
from kdp_edge.wire.server import Server
from kdp_edge.wire.twin import Twin
from tests.hil.agents import running

PAGE = (Path(__file__).parents[2] / "docs" / "your-robot-program.md").read_text(encoding="utf-8")
IN_PROCESS, OVER_THE_LINK = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
STEPS = 30
ROBOT = f"""
import numpy as np
step, played = 0, []
def sensors():
    if len(played) == {STEPS}:
        np.save("played.npy", np.array(played))
        raise SystemExit
    return None if len(played) in (7, 8) else np.load("seen.npy")[len(played)]
def motors(action):
    played.append(action)
"""


@pytest.fixture
def home(sbc: Path, planner: IntegerPlanner, tmp_path: Path) -> Path:
    """A folder with the bundle, a robot, and what its sensors will see."""
    shutil.copytree(sbc, tmp_path / "quad-sbc")
    (tmp_path / "my_robot.py").write_text(ROBOT, encoding="utf-8")
    rng = np.random.default_rng(0)
    gain = np.asarray(planner.spec.obs_gain)
    seen = np.asarray(planner.spec.obs_offset) + rng.normal(0, 40, (STEPS, planner.spec.obs_dim)) / gain
    np.save(tmp_path / "seen.npy", seen.astype(np.float32))
    return tmp_path


def played(home: Path, program: str, **environment: str) -> np.ndarray:
    (home / "program.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=home, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(home), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return np.asarray(np.load(home / "played.npy"))


def check(actions: np.ndarray, planner: IntegerPlanner) -> None:
    """Within limits from step to step: a busy computer may be late, and then the fail-safe answers."""
    spec = planner.spec
    assert actions.shape == (STEPS, spec.act_dim)
    assert (actions >= np.float32(spec.act_low)).all()
    assert (actions <= np.float32(spec.act_high)).all()
    assert (np.abs(np.diff(actions, axis=0)) <= np.asarray(spec.act_rate) + 1e-6).all()


def test_the_program_with_a_planner_runs(home: Path, planner: IntegerPlanner) -> None:
    check(played(home, IN_PROCESS), planner)


def test_the_program_with_a_device_runs(home: Path, planner: IntegerPlanner) -> None:
    with running(home / "quad-sbc", home, "tcp") as agent:
        assert agent.credentials.token_file is not None
        token = agent.credentials.token_file.read_text(encoding="ascii")
        program = OVER_THE_LINK.replace("127.0.0.1:7411", agent.where)
        check(played(home, program, KDP_EDGE_TOKEN=token), planner)
    assert "127.0.0.1:7411" in OVER_THE_LINK


def test_over_the_link_each_answer_is_the_twin_s(sbc: Path, planner: IntegerPlanner) -> None:
    twin = Twin(planner)
    with connect("native", sbc) as plan:
        assert plan.reset(3) == twin.reset(3)
        while plan.state != State.LATCHED:
            step = plan.reply.step + 1 if plan.reply is not None else 0
            observation = np.asarray(planner.spec.obs_offset, np.float32) + np.float32(0.01 * step)
            if step == 4:
                observation[1] = np.inf
            late = step >= 6
            expected = twin.tick(step) if late else twin.step(step, observation)
            np.testing.assert_array_equal(plan(None if late else observation), expected.action)  # type: ignore[union-attr]
            assert (plan.state, plan.flags) == (expected.state, expected.flags)  # type: ignore[union-attr]
            if step == 4:
                assert plan.reason.startswith(f"{planner.spec.obs_names[1]} is inf")
        assert plan.reason.endswith("the stop is latched until arm() and reset()")
        with pytest.raises(KdpError, match=r"shape \(2,\), expected"):
            plan(np.zeros(2))
        assert plan.arm() == State.IDLE


def test_a_device_with_another_policy_is_not_driven(sbc: Path, tmp_path: Path) -> None:
    other = export_planner(random_planner(obs_dim=5, act_dim=2), "firmware", tmp_path / "other", {})
    with (
        running(sbc, tmp_path, "unix") as agent,
        pytest.raises(KdpError, match="serves another policy") as caught,
        connect(agent.device, other),
    ):
        pytest.fail("driven")
    assert caught.value.exit_code == DEVICE_MISSING


def test_the_unit_is_one_and_gives_no_rights(sbc: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    text = (sbc / UNIT).read_text(encoding="utf-8")
    unit = tmp_path / UNIT
    unit.write_text(text.replace("/opt/kdp-agent/venv/bin/python", sys.executable), encoding="utf-8")
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    command = [analyze, "security", "--offline=true", "--threshold=20", unit]  # 2.0 of 10: "OK"
    subprocess.run(command, capture_output=True, timeout=60, check=True)


def test_unit_and_dockerfile_name_what_is_there(sbc: Path) -> None:
    unit, dockerfile = ((sbc / name).read_text(encoding="utf-8") for name in (UNIT, DOCKERFILE))
    assert "@" not in re.sub(r"SystemCallFilter=@system-service", "", unit + dockerfile)
    options = re.findall(r"--[a-z-]+", re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)[0])
    options += re.findall(r"\"(--[a-z-]+)\"", dockerfile)
    command = [sys.executable, str(sbc / "agent.py"), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert set(options) == {"--listen", "--token-file"}
    assert all(option in shown for option in options)
    for package in ("numpy", "safetensors", "onnxruntime"):
        assert re.search(rf"\b{package}==[\d.]+", dockerfile)


def test_motors_go_on_from_what_they_got_when_the_device_went_on_alone(planner: IntegerPlanner) -> None:
    now = [0.0]
    server = Server(planner, lambda: now[0])
    link = Link(MemoryPipe(server.feed))
    plan = RemotePlanner(link, link.hello(), planner)
    plan.reset(pace=Pace.REAL)
    period, rate = planner.spec.period(1_000_000) * 1e-6, np.asarray(planner.spec.act_rate)
    rng, offset = np.random.default_rng(0), np.asarray(planner.spec.obs_offset)
    before, jumps = plan(offset), []
    for _ in range(12):
        now[0] += (planner.spec.silent_steps + 1.5) * period
        action = plan(offset + rng.normal(0, 40, planner.spec.obs_dim) / np.asarray(planner.spec.obs_gain))
        assert plan.reason.startswith("nobody called for 2 steps")
        assert (np.abs(action - before) <= rate + 1e-6).all()
        assert plan.reply is not None
        jumps.append(np.abs(plan.reply.action - before) / rate)
        before = action
    assert np.max(jumps) > 1 + 1e-6  # what the device sent would have been too far


def test_an_agent_tells_systemd_that_it_serves_and_is_not_stuck(
    sbc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with running(sbc, tmp_path, "unix") as agent:
            told = [systemd.recv(100) for _ in range(3)]
            assert agent.answers()
    assert told == [b"READY=1\nWATCHDOG=1"] * 3
    unit = (sbc / UNIT).read_text(encoding="utf-8")
    assert re.search(r"^Type=notify$", unit, re.MULTILINE)
    seconds = re.search(r"^WatchdogSec=(\d+)$", unit, re.MULTILINE)
    assert seconds and int(seconds[1]) >= 4 * EVERY
