# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the tests of the closed loop share: a random policy that fits Hopper, and its server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kdp_edge.base.files import write_json
from kdp_edge.exporters import targets
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import MemoryPipe
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import quantize_run
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.run import Run, RunConfig, mlp_shapes
from kdp_edge.tasks import get_task
from kdp_edge.wire.server import Server
from tests.hil.agents import DOORS, Agent, running

TASK = "hopper-medium-expert"


@pytest.fixture(scope="session", autouse=True)
def own_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Images that tests build go to a folder of their own; no token of the user's is found."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("KDP_EDGE_HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))  # where a token would be looked for
        patch.delenv("KDP_EDGE_TOKEN", raising=False)
        yield home


@pytest.fixture(scope="session")
def planner() -> IntegerPlanner:
    """Random weights, Hopper's signals, limits that are often met."""
    task = get_task(TASK)
    return random_planner(
        task=TASK,
        obs_names=list(task.obs_names),
        act_names=list(task.act_names),
        act_rate=[0.3, 0.4, 0.5],
        safe_steps=3,
    )


@pytest.fixture(scope="session")
def float_planner(planner: IntegerPlanner) -> FloatPlanner:
    return FloatPlanner.from_integer(planner)


@pytest.fixture
def link(planner: IntegerPlanner) -> Link:
    """A link to a fresh reference server, greeted."""
    link = Link(MemoryPipe(Server(planner).feed), timeout=0.02)
    link.hello()
    return link


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run of random weights for Hopper, quantized."""
    folder = tmp_path_factory.mktemp("workspace") / "runs" / "random"
    folder.mkdir(parents=True)
    config = RunConfig(task=TASK, data="none", obs_dim=11, act_dim=3)
    rng = np.random.default_rng(0)
    shapes = {
        "generator": mlp_shapes(11 + config.latent_dim, config.width, config.blocks, config.window_dim),
        "critic": mlp_shapes(11 + 3, config.critic_width, config.critic_blocks, 1),
    }
    for name, tensors in shapes.items():
        arrays = {
            tensor: rng.normal(0, np.sqrt(1 / shape[-1]), shape).astype(np.float32)
            for tensor, shape in tensors.items()
        }
        save_file(arrays, folder / f"{name}.safetensors")
    mean, std = np.zeros(11, np.float32), np.ones(11, np.float32)
    save_file({"obs_mean": mean, "obs_std": std}, folder / "normalizer.safetensors")
    states = rng.normal(0, 3, (256, 11)).astype(np.float32)
    save_file({"observations": states}, folder / "calibration.safetensors")
    write_json(folder / "config.json", config.to_json())
    write_json(folder / "metrics.json", {})
    write_json(folder / "run.json", {"data": {"name": "none", "sha256": "0" * 64}})
    quantize_run(Run.load(folder))
    return folder


@pytest.fixture(scope="session")
def sbc(planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with an agent."""
    return targets.export_planner(planner, "sbc", tmp_path_factory.mktemp("bundle") / "sbc", {}).path


@pytest.fixture(scope="module")
def agents(sbc: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Agent]]:
    """One running agent behind each kind of door."""
    with ExitStack() as stack:
        yield {door: stack.enter_context(running(sbc, tmp_path_factory.mktemp(door), door)) for door in DOORS}
