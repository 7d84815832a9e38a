# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What runs on an NVIDIA GPU: training, and the CUDA calls of a Jetson's server.

No machine of the tests has one, so the name of this file keeps it out of `make test`; `make gpu-check` runs
it. It fails, and never skips, without a GPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import silent_stages
from kdp_edge.bench.baselines import ensure_baselines
from kdp_edge.bench.compare import KINDS
from kdp_edge.bench.diffusion import DiffusionStage
from kdp_edge.bench.rivals.table import BASELINES
from kdp_edge.cli import app
from kdp_edge.data import store
from kdp_edge.data.making.make import make
from kdp_edge.exporters.agent.cuda import Cuda
from kdp_edge.learn.actor import TD3BCStage
from kdp_edge.learn.clone import CloneStage, MeanStage
from kdp_edge.learn.critic import DistillStage
from kdp_edge.learn.generator import EMA_WARMUP, GeneratorStage
from kdp_edge.learn.learner import DTYPES
from kdp_edge.learn.matches import first_actions
from kdp_edge.learn.plant import PlantStage, PlantSteps
from kdp_edge.learn.prepare import Source
from kdp_edge.learn.stage import Resumable
from kdp_edge.learn.train import new_run_folder, train_run
from kdp_edge.learn.values import IQLStage, judge
from kdp_edge.run import Run, RunConfig
from kdp_edge.tasks import get_task

TASK = get_task("hopper-medium-expert")
STEPS = 40
STAGES = ("values", "mean", "actor", "generator", "plant", "critic", "clone", "diffusion")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(autouse=True)
def workspace(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDP_EDGE_HOME", str(home))
    if not store.exists(TASK.name):
        make(TASK, 3000, seed=0, workers=1)


def config(device: str, precision: str) -> RunConfig:
    """A short training that has every stage."""
    return RunConfig(
        TASK.name, TASK.name, TASK.obs_dim, TASK.act_dim, device=device, precision=precision,
        value_steps=30, value_warmup=10, value_width=64, value_batch=128, mean_steps=STEPS,
        actor_steps=STEPS, actor_width=64, actor_ensemble=2, steps=EMA_WARMUP + 20, batch=16, anchor_batch=32,
        distill_steps=STEPS, distill_batch=64, width=64, critic_width=32,
        brace=0.1, plant_steps=STEPS, plant_batch=64, improve=0.05, improve_batch=32,
    )  # fmt: skip


def stage(name: str, c: RunConfig) -> Resumable:
    """Stage `name` before its first step, the same weights and batches at every call."""
    source = Source.of(c, store.load_data(c.data))

    def seeded() -> torch.Generator:
        torch.manual_seed(0)
        return torch.Generator(c.device).manual_seed(0)

    transitions = source.transitions(c)
    values = IQLStage(c, transitions, seeded())
    if name == "values":
        return values
    verdict = judge(values)
    matches = source.matches(c, verdict)
    if name == "mean":
        return MeanStage(c, matches, seeded())
    if name == "actor":
        return TD3BCStage(c, transitions, seeded())
    if name == "plant":
        return PlantStage(c, PlantSteps.of(source.data, source.normalizer, c.device), seeded())
    if name == "clone":
        return CloneStage(c, matches.keys, matches.flat, seeded())
    if name == "diffusion":
        return DiffusionStage(c, matches, seeded())
    generator = GeneratorStage(c, matches, seeded(), verdict)
    if name == "generator":
        return generator
    actions = first_actions(source.windows, c)
    return DistillStage(c, matches, actions, generator.deployed(), verdict, seeded())


def weights(trained: Resumable) -> Tensor:
    """All weights that its learners hold."""
    learners = ("critics", "actor") if isinstance(trained, TD3BCStage) else ("learner",)
    return torch.cat([getattr(trained, name).vector for name in learners])


def trained(name: str, c: RunConfig, steps: int, alone: Callable[[Resumable], None]) -> Resumable:
    torch.set_num_threads(1)
    made = stage(name, c)
    alone(made)
    for _ in range(steps):
        made.step()  # type: ignore[attr-defined]
    return made


def without_records(made: Resumable) -> None:
    made.update = made.update.work  # type: ignore[attr-defined]


@pytest.mark.parametrize("precision", sorted(DTYPES))
@pytest.mark.parametrize("name", STAGES)
def test_a_replayed_step_is_the_step(name: str, precision: str) -> None:
    c = config("cuda", precision)
    steps = EMA_WARMUP + 20 if name == "generator" else STEPS  # what is recorded differs after the warm-up
    replayed = trained(name, c, steps, lambda made: None)
    called = trained(name, c, steps, without_records)
    assert any(replayed.update.records.values())  # type: ignore[attr-defined]
    assert torch.equal(weights(replayed), weights(called))
    assert torch.equal(replayed.loss, called.loss)


@pytest.mark.parametrize("name", STAGES)
def test_a_step_on_the_gpu_is_the_processors(name: str) -> None:
    """From the same weights, on the same batch, in float32."""
    here, there = (stage(name, config(device, "float32")) for device in ("cpu", "cuda"))
    torch.testing.assert_close(weights(there).cpu(), weights(here), rtol=1e-5, atol=1e-6)
    if isinstance(here, DistillStage) and isinstance(there, DistillStage):
        there.spread = here.spread.cuda()  # of candidates drawn by each device's own random numbers
    batch = here.feed.next()  # type: ignore[attr-defined]
    same = tuple(part.cuda() for part in batch)
    here.feed.next = lambda: batch  # type: ignore[attr-defined]
    there.feed.next = lambda: same  # type: ignore[attr-defined]
    here.step()  # type: ignore[attr-defined]
    there.step()  # type: ignore[attr-defined]
    torch.testing.assert_close(there.loss.cpu(), here.loss, rtol=1e-4, atol=1e-6)
    learners = ("critics", "actor") if name == "actor" else ("learner",)
    for learner in learners:
        ours, theirs = (getattr(made, learner).gradient.cpu() for made in (here, there))
        far = (theirs - ours).norm() / ours.norm()
        assert far < 1e-3, f"{learner}: gradients {far:.2g} apart"


def test_a_run_that_was_interrupted_equals_the_run_that_was_not() -> None:
    c = config("cuda", "bfloat16")
    whole = train_run(new_run_folder(c, TASK), silent_stages)
    path = new_run_folder(c, TASK)
    for stop in (5, 27, 50, 33, 120, 90, 30, 40):
        with pytest.raises(KdpError, match="go on with"):
            train_run(path, silent_stages, stop_after=stop)
    pieces = train_run(path, silent_stages)
    for file in ("generator.safetensors", "critic.safetensors"):
        assert (whole.path / file).read_bytes() == (pieces.path / file).read_bytes(), file


def test_a_run_from_the_gpu_plans_on_a_processor() -> None:
    run = train_run(new_run_folder(config("cuda", "bfloat16"), TASK), silent_stages)
    for command in (["eval", "--episodes", "1"], ["quantize"]):
        done = CliRunner().invoke(app, [*command, "--run", str(run.path)], catch_exceptions=False)
        assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def run() -> list[Run]:
    """Trained once, by the first test that needs it."""
    return []


@pytest.mark.parametrize("planner", [b.planners[0] for b in BASELINES.values()])
def test_a_rival_from_the_gpu_plans_on_a_processor(planner: str, run: list[Run]) -> None:
    if not run:
        run.append(train_run(new_run_folder(config("cuda", "bfloat16"), TASK), silent_stages))
    ensure_baselines(run[0], [planner], silent_stages)
    rng = torch.Generator().manual_seed(0)
    actions, _ = KINDS[planner].make(run[0], 2).plan(np.zeros((1, TASK.obs_dim)), rng)
    assert np.isfinite(actions).all()


def test_recorded_copies_run_with_each_launch() -> None:
    """What the TensorRT back end does around an engine: copy in, work, copy out, as one launch."""
    cuda = Cuda()
    assert cuda.name().startswith(torch.cuda.get_device_name())
    stream, buffer = cuda.stream(), cuda.buffer((3, 5))
    with cuda.capture(stream) as graph:
        buffer.upload(stream)
        cuda.call("cuMemsetD32Async", ctypes.c_uint64(buffer.address), 0x40490FDB, ctypes.c_size_t(5), stream)
        buffer.download(stream)
    for turn in range(3):
        buffer.host[:] = np.arange(15, dtype=np.float32).reshape(3, 5) + turn
        expected = buffer.host.copy()
        expected[0] = np.float32(np.pi)
        graph.launch()
        assert np.array_equal(buffer.host, expected)


def test_marks_measure_the_gpus_own_time() -> None:
    cuda = Cuda()
    stream, buffer = cuda.stream(), cuda.buffer((1 << 20, 8))
    first, last = cuda.event(), cuda.event()
    cuda.record(first, stream)
    buffer.upload(stream)
    cuda.record(last, stream)
    cuda.synchronize(stream)
    seconds = cuda.between(first, last) * 1e-9
    assert buffer.host.nbytes / 1e12 < seconds < 1, "32 MiB at less than 1 TB/s and more than 32 MB/s"


def test_the_drivers_own_words_are_told() -> None:
    with pytest.raises(KdpError, match=r"CUDA: cuEventRecord failed with \d+ \(.*invalid"):
        cuda = Cuda()
        cuda.record(ctypes.c_void_p(), cuda.stream())
