# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The agent in a bundle is a device: each reply is the twin's, and what is wrong is refused in one line."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import DEVICE_MISSING, USAGE, KdpError
from kdp_edge.exporters import checksums
from kdp_edge.exporters.agent.backends import DevicePlanner, open_planner
from kdp_edge.exporters.agent.bench import bench
from kdp_edge.exporters.agent.server import AgentServer
from kdp_edge.exporters.agent.spent import Spent
from kdp_edge.exporters.agent.tensorrt_engine import FOLDER, engine_name, find_engine
from kdp_edge.exporters.bundle import Bundle
from kdp_edge.exporters.targets import export_planner
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import MemoryPipe, SerialPipe
from kdp_edge.quantization import reference
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.wire.numbers import Flag, Refusal, State
from kdp_edge.wire.protocol import Refused, SelfTest, check_hello
from kdp_edge.wire.twin import Twin


@pytest.fixture(scope="module")
def sbc(planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return export_planner(planner, "sbc", tmp_path_factory.mktemp("bundles") / "sbc", {"run": "test"})


@pytest.fixture(scope="module")
def jetson(planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return export_planner(planner, "jetson", tmp_path_factory.mktemp("bundles") / "jetson", {"run": "test"})


def run_agent(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "agent.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[str]:
    """The agent as a process; gives the port that it says it serves."""
    command = [sys.executable, "agent.py", *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("serving on ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=10)


def play(link: Link, planner: IntegerPlanner) -> list[State]:
    """An episode with everything that happens to a controller; every reply compared with the twin."""
    twin, states = Twin(planner), []
    rng = np.random.default_rng(0)
    offset, gain = np.asarray(planner.spec.obs_offset), np.asarray(planner.spec.obs_gain)
    assert link.reset(9).state == twin.reset(9)
    for step in range(40):
        observation = (offset + rng.normal(0, 40, planner.spec.obs_dim) / gain).astype(np.float32)
        if step == 20:
            observation[0] = np.nan
        if step in (5, 6) or step > 25:
            expected, found = twin.tick(step), link.tick(step)
        else:
            found = link.step(step, observation)
            # the device's clock decides, and a busy machine may well be late
            late = planner.spec.periods(found.ticks, 1_000_000) if found.flags & Flag.OVERRUN else 0
            expected = twin.step(step, observation, late)
        assert not isinstance(expected, Refusal)
        for name in ("step", "state", "flags", "candidate", "age", "digest"):
            assert getattr(found, name) == getattr(expected, name), (step, name)
        np.testing.assert_array_equal(found.action, expected.action)
        assert (found.ticks > 0) == bool(found.flags & Flag.PLANNED)
        states.append(State(found.state))
    assert link.arm().state == twin.arm()
    return states


def test_each_reply_over_a_pty_is_the_twin_s(sbc: Bundle, planner: IntegerPlanner) -> None:
    with serving(sbc.path, "--pty") as port:
        pipe = SerialPipe(port)
        link = Link(pipe)
        check_hello(link.hello(), planner, port)
        states = play(link, planner)
        assert link.selftest().passed
        telemetry = link.telemetry()
        pipe.close()
    assert {State.RUNNING, State.REPLAYING, State.SAFE, State.LATCHED} == set(states)
    assert telemetry.bad_observations == 1
    assert telemetry.longest_plan_ticks > 0


def test_each_reply_over_tcp_is_the_twin_s_for_one_client_after_another(
    sbc: Bundle, planner: IntegerPlanner, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    listen = ("--listen", "127.0.0.1:0", "--token-file", str(token))
    with serving(sbc.path, *listen, "--backend", "reference") as port:
        for _ in range(2):
            with open_device(f"agent:{port}", planner, Credentials(token)) as device:
                link = Link(device.pipe)
                check_hello(link.hello(), planner, port)
                play(link, planner)


def test_plans_beyond_the_deadline_latch_as_the_twin_says(tmp_path: Path) -> None:
    planner = random_planner(obs_dim=5, act_dim=2, width=32, critic_width=24, k=4, deadline_us=1)
    bundle = export_planner(planner, "sbc", tmp_path / "sbc", {})
    device = open_planner("onnxruntime", bundle.path, planner, exact=True)
    link = Link(MemoryPipe(AgentServer(device, "test", SelfTest(1, 1, 0xFFFF)).feed))
    link.hello()
    assert State.LATCHED in play(link, planner)
    telemetry = link.telemetry()
    assert 0 < telemetry.overruns == telemetry.plans <= planner.spec.safe_steps + 1


def test_after_a_failed_self_test_control_steps_are_refused(sbc: Bundle, planner: IntegerPlanner) -> None:
    device = open_planner("reference", sbc.path, planner, exact=True)
    link = Link(MemoryPipe(AgentServer(device, "test", SelfTest(0, 100, 7)).feed))
    hello = link.hello()
    with pytest.raises(KdpError, match="self-test on golden vectors failed"):
        check_hello(hello, planner, "test")
    link.reset(0)
    for call in (lambda: link.step(1, np.zeros(planner.spec.obs_dim)), lambda: link.tick(1)):
        with pytest.raises(Refused) as caught:
            call()
        assert caught.value.code == Refusal.SELFTEST_FAILED


@pytest.mark.parametrize("backend", ["onnxruntime", "reference"])
def test_both_bundles_pass_their_self_test(sbc: Bundle, jetson: Bundle, backend: str) -> None:
    for bundle in (sbc, jetson):
        result = run_agent(bundle.path, "--self-test", "--backend", backend)
        assert result.returncode == 0, result.stderr
        assert "passed" in result.stderr


def test_a_damaged_bundle_is_not_served(sbc: Bundle, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(sbc.path, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__")))
    model = bytearray((copy / "critic.onnx").read_bytes())
    model[100] ^= 1
    (copy / "critic.onnx").write_bytes(model)
    result = run_agent(copy)
    assert result.returncode == USAGE
    assert "critic.onnx: sha256 is" in result.stderr
    assert "Traceback" not in result.stderr


def test_other_models_answers_fail_the_self_test(
    sbc: Bundle, planner: IntegerPlanner, tmp_path: Path
) -> None:
    other = random_planner(
        obs_dim=5, act_dim=2, width=32, blocks=2, critic_width=24, k=4, critic_steps=2, seed=5
    )
    left = shutil.ignore_patterns("__pycache__")  # of agents that ran there: no file of a bundle
    copy = Path(shutil.copytree(sbc.path, tmp_path / "copy", ignore=left))
    bundle = export_planner(other, "sbc", tmp_path / "other", {})
    shutil.copy(bundle.path / "generator.onnx", copy / "generator.onnx")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["generator.onnx"]["sha256"] = checksums.sha256(copy / "generator.onnx")
    (copy / "manifest.json").write_text(json.dumps(manifest))
    checksums.write(copy)  # list and manifest agree: only the answers tell
    result = run_agent(copy, "--self-test")
    assert result.returncode == 1
    assert "FAILED at vector 0" in result.stderr


def test_without_tensorrt_the_agent_says_where_it_comes_from(jetson: Bundle) -> None:
    result = run_agent(jetson.path)
    assert result.returncode == DEVICE_MISSING
    assert "JetPack" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_engine_from_elsewhere_is_refused_with_the_command_that_rebuilds_it(
    jetson: Bundle, tmp_path: Path
) -> None:
    model = Path(shutil.copy(jetson.path / "generator.onnx", tmp_path))
    (tmp_path / FOLDER).mkdir()
    key = (model, 4, "10.3.0", "Orin-sm87")
    with pytest.raises(KdpError, match=r"no engine yet; .*\./build_engine\.sh"):
        find_engine(tmp_path, *key)
    elsewhere = tmp_path / FOLDER / engine_name(model, 4, "10.7.0", "Orin-sm87")
    elsewhere.write_bytes(b"")
    with pytest.raises(KdpError, match=r"found generator.k4.trt10.7.0.Orin-sm87.*\./build_engine\.sh"):
        find_engine(tmp_path, *key)
    ours = tmp_path / FOLDER / engine_name(*key)
    ours.write_bytes(b"")
    assert find_engine(tmp_path, *key) == ours
    model.write_bytes(model.read_bytes() + b"x")
    with pytest.raises(KdpError, match="built for another"):
        find_engine(tmp_path, *key)


def test_the_engine_script_stops_in_one_line_when_something_is_missing(
    jetson: Bundle, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(jetson.path, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__")))

    def build() -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"TRTEXEC": "/nonexistent/trtexec"}
        command = [copy / "build_engine.sh"]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    assert build().returncode == DEVICE_MISSING
    assert "trtexec not found" in build().stderr
    (copy / "generator.onnx").write_bytes(b"")
    assert build().returncode == USAGE
    assert "damaged" in build().stderr


def test_the_agent_is_python_3_10(sbc: Bundle) -> None:
    files = [*sbc.path.glob("*.py"), *(sbc.path / "kdp_agent").rglob("*.py")]
    assert len(files) > 20
    for file in files:
        ast.parse(file.read_text(), feature_version=(3, 10))


@pytest.mark.parametrize("backend", ["onnxruntime", "reference"])
def test_bench_takes_the_time_of_a_plan_apart(sbc: Bundle, backend: str) -> None:
    result = run_agent(sbc.path, "--bench", "20", "--backend", backend)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["backend"], found["plans"]) == (backend, 20)
    for part in ("queue", "copy", "execution", "plan"):
        times = found[f"{part}_us"]
        assert 0 <= times["p50"] <= times["p99"] <= times["worst"]
        assert times["mean"] <= times["worst"]
    assert found["execution_us"]["p50"] > 0
    assert (found["copy_us"]["worst"] > 0) == (backend == "onnxruntime")  # the reference copies nothing


class Slow:
    """A back end whose parts take as long as they say."""

    def __init__(self, net: IntegerNet, copy: float, execution: float) -> None:
        self.net, self.copy, self.execution = net, copy, execution

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return self.timed(inputs, Spent())

    def timed(self, inputs: np.ndarray, spent: Spent) -> np.ndarray:
        time.sleep(self.copy + self.execution)
        spent.copy += round(self.copy * 1e9)
        spent.execution += round(self.execution * 1e9)
        return reference.run(self.net, inputs)


def test_bench_adds_the_nets_up_and_sees_requests_that_wait(planner: IntegerPlanner) -> None:
    assert planner.critic is not None
    nets = (Slow(planner.generator, 0.001, 0.003), Slow(planner.critic, 0.0, 0.002))
    for period, waits in ((0.1, 0), (0.004, 10)):  # a plan takes 6 ms: at 4 ms a period they pile up
        spec = replace(planner.spec, rate_hz=1 / period, deadline_us=5_000)
        found = bench(DevicePlanner(planner.generator, planner.critic, spec, *nets), 10)
        assert (found["copy_us"]["mean"], found["execution_us"]["mean"]) == (1000, 5000)
        assert found["plan_us"]["p50"] > 6000
        assert found["late"] == 10
        assert found["queue_us"]["worst"] >= waits * 2000


def test_a_bundle_that_fails_its_self_test_is_not_timed(jetson: Bundle, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(jetson.path, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__")))
    shutil.copy(copy / "generator.onnx", copy / "generator.fp16.onnx")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["generator.fp16.onnx"]["sha256"] = checksums.sha256(copy / "generator.onnx")
    (copy / "manifest.json").write_text(json.dumps(manifest))
    checksums.write(copy)
    result = run_agent(copy, "--bench", "20", "--backend", "onnxruntime", "--precision", "fp16")
    assert (result.returncode, result.stdout) == (1, "")
    assert "FAILED at vector 0" in result.stderr
