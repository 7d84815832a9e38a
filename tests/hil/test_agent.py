"""The agent of a bundle is a device like every other: same requests, same bytes, over TCP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdp_edge.exporters import targets
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.scenario import Scenario
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner


@pytest.fixture(scope="module")
def agent(planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a running agent with ONNX Runtime."""
    bundle = targets.export_planner(planner, "sbc", tmp_path_factory.mktemp("bundle") / "sbc", {})
    command = [sys.executable, "agent.py", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, cwd=bundle.path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().removeprefix("serving on ").strip()
    process.terminate()
    process.wait(10)


def test_the_agent_plays_the_reference_s_episodes(
    agent: str, planner: IntegerPlanner, float_planner: FloatPlanner, tmp_path: Path
) -> None:
    scenario = Scenario("hopper-medium-expert", (0, 1), 60)
    with open_device(f"agent:{agent}", planner) as device:
        recording = play_device(device, scenario, planner, float_planner)
    with open_device("reference", planner) as device:
        expected = play_device(device, scenario, planner, float_planner)
    assert recording.lost is None and recording.exact
    assert recording.mismatched == 0
    assert len(recording.steps) > 20 and expected.mismatched == 0
