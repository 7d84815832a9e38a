# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A jetson bundle in three precisions: float files hold the trained layers, none is taken for another."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from kdp_edge import Planner
from kdp_edge.base.errors import USAGE, KdpError
from kdp_edge.exporters.agent.backends import OnnxRuntime, model_file, open_planner
from kdp_edge.exporters.agent.selftest import PRECISIONS, self_test
from kdp_edge.exporters.bundle import Bundle
from kdp_edge.exporters.onnx_float import to_float
from kdp_edge.exporters.targets import export, export_planner
from kdp_edge.quantization.actor_policy import actor_planner
from kdp_edge.quantization.float_actor import Actor, save
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.limits import Wishes, limits_of
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.trained import trained_layers
from kdp_edge.run import ACTOR_FILE, Run
from kdp_edge.tasks import get_task
from tests.actors import KINDS, actor_net
from tests.export.runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run.load(write_run(tmp_path_factory.mktemp("runs") / "one"))


@pytest.fixture(scope="module")
def jetson(run: Run) -> Bundle:
    return export(run, "jetson")


@pytest.mark.parametrize(("precision", "steps"), [("fp32", 0.51), ("fp16", 1.0)])
def test_float_files_answer_as_the_trained_policy_does(
    run: Run, jetson: Bundle, precision: str, steps: float
) -> None:
    planner = jetson.planner()
    spec, trained = planner.spec, FloatPlanner.from_run(run, planner.spec)
    assert isinstance(trained, FloatPlanner)
    device = open_planner("onnxruntime", jetson.path, planner, False, precision)
    gain, offset = np.asarray(spec.obs_gain, np.float32), np.asarray(spec.obs_offset, np.float32)
    act_gain = np.asarray(spec.act_gain, np.float32).reshape(spec.horizon, spec.act_dim)
    rng, gaps = np.random.default_rng(0), []
    for index in range(40):
        observation = offset + (rng.normal(0, 30, spec.obs_dim).round() / gain).astype(np.float32)
        made, wanted = device.plan(observation, 3, index), trained.plan(observation, 3, index)
        found = device.actions(made.windows).clip(spec.act_low, spec.act_high)  # -128 is a step below
        gaps.append(np.abs(found - wanted.actions) / act_gain)
    assert np.max(gaps) <= steps  # what goes out is int8
    integers = [np.abs(planner.plan(offset, 3, 0).actions - trained.plan(offset, 3, 0).actions[0])]
    assert np.max(integers / act_gain) > 1  # which int8 layers do not give


@pytest.mark.parametrize("kind", KINDS)
def test_an_actor_s_float_file_answers_as_the_actor_does(kind: str, tmp_path: Path) -> None:
    task = get_task("hopper-medium-expert")
    rng = np.random.default_rng(1)
    ones = np.ones(3, np.float32)
    mean, std = rng.normal(0, 1, 11).astype(np.float32), rng.uniform(0.5, 2, 11).astype(np.float32)
    actor = Actor(actor_net(kind), mean, std, 5.0, 0.7 * ones, 0.1 * ones, -ones, ones)
    save(actor, tmp_path / ACTOR_FILE)
    data = (mean + std * rng.normal(0, 0.35, (600, 11)).clip(-1, 1)).astype(np.float32)
    planner = actor_planner(actor, data, [], task, limits_of(task.robot, 0.5 * ones, Wishes()))
    (net,) = planner.nets
    run = SimpleNamespace(config=SimpleNamespace(is_actor=True), path=tmp_path)
    model = to_float(net, trained_layers(run, planner)[net.name])  # type: ignore[arg-type]
    steps = planner.quantize_observation(data[:200])
    seen = np.asarray(planner.spec.obs_offset) + steps / np.asarray(planner.spec.obs_gain)
    inside = np.abs((seen - mean) / std).max(1) < 5
    found = planner.actions(OnnxRuntime(model, net)(steps))[:, 0]
    gap = np.abs(np.clip(found, -1, 1) - actor(seen.astype(np.float32))) / np.asarray(planner.spec.act_gain)
    assert gap[inside].max() <= 0.51


def test_no_precision_is_taken_for_another(jetson: Bundle, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(jetson.path, tmp_path / "copy"))
    planner = jetson.planner()
    for asked in PRECISIONS:
        for there in PRECISIONS:
            for net in planner.nets:
                shutil.copy(jetson.path / model_file(net, there), copy / model_file(net, asked))
            device = open_planner("onnxruntime", copy, planner, False, asked)
            passed = self_test(device, copy, False, asked).passed
            finer = (asked, there) == ("fp16", "fp32")
            assert bool(passed) == (asked == there or finer), (asked, there)
            if finer:  # float32 answers are right ones; the file itself says that it is not float16
                stored = onnx.load(copy / model_file(net, asked)).graph.initializer
                assert onnx.TensorProto.FLOAT16 not in {tensor.data_type for tensor in stored}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_agent_tests_each_precision(jetson: Bundle, precision: str) -> None:
    options = ["--backend", "onnxruntime", "--precision", precision, "--self-test"]
    command = [sys.executable, "agent.py", *options]
    done = subprocess.run(command, cwd=jetson.path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    name = "onnxruntime" if precision == "int8" else f"onnxruntime {precision}"
    assert f"{name}: self-test" in done.stderr


def test_where_there_is_no_such_precision_is_one_line(
    jetson: Bundle, planner: IntegerPlanner, tmp_path: Path
) -> None:
    sbc = export_planner(planner, "sbc", tmp_path / "sbc", {})
    for bundle, backend, precision, said in (
        (sbc, None, "fp16", "fp16 on onnxruntime: only a jetson bundle holds float models"),
        (jetson, "reference", "fp32", "fp32 on reference: only a jetson bundle"),
        (jetson, "onnxruntime", "bf16", "unknown precision 'bf16'; known: int8, fp16, fp32"),
    ):
        with pytest.raises(KdpError, match=said):
            Planner(bundle, backend, None, precision)


def test_the_script_builds_what_it_is_asked_for(jetson: Bundle, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(jetson.path, tmp_path / "copy"))
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (
        ("python3", 'echo "$3.k4.here.plan"'),  # agent.py --engine-name NET needs the device
        ("trtexec", 'echo "$*" >> calls\n'
         'case "$1" in --help) echo "--stronglyTyped --noTF32";; esac\n'
         'for word; do case $word in --saveEngine=*) touch "${word#*=}";; esac; done'),
    ):  # fmt: skip
        (tools / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tools / name).chmod(0o755)

    def build(*precisions: str) -> subprocess.CompletedProcess[str]:
        (copy / "calls").unlink(missing_ok=True)
        environment = os.environ | {
            "PATH": f"{tools}:{os.environ['PATH']}", "TRTEXEC": str(tools / "trtexec")
        }  # fmt: skip
        command = [copy / "build_engine.sh", *precisions]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=60
        )

    refused = build("int4")
    assert (refused.returncode, refused.stderr.count("\n")) == (USAGE, 1)
    assert "unknown precision 'int4'; known: int8 fp16 fp32" in refused.stderr
    for asked in ((), ("fp16",)):
        assert build(*asked).returncode == 0
        calls = re.findall(r"^--onnx=(\S+)\.onnx .*$", (copy / "calls").read_text(), re.MULTILINE)
        wanted = [
            model_file(net, precision).removesuffix(".onnx")
            for precision in (asked or PRECISIONS)
            for net in jetson.planner().nets
        ]
        assert calls == wanted
        for line in (copy / "calls").read_text().splitlines():
            if line.startswith("--onnx="):
                assert ("--noTF32" in line) == (".fp32.onnx" in line)
        assert {f"{name}.k4.here.plan" for name in wanted} <= {p.name for p in (copy / "engines").iterdir()}
