# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A policy's file and calibration data -> a run folder that every later command takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from kdp_edge import __version__
from kdp_edge.actors.met import met_states
from kdp_edge.actors.normalizer import with_normalizer
from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import sha256_file, write_json
from kdp_edge.base.folders import new_folder
from kdp_edge.base.provenance import git_commit, versions
from kdp_edge.base.workspace import runs_folder
from kdp_edge.data import store
from kdp_edge.data.calibration import action_change, calibration_states
from kdp_edge.data.store import DataSet
from kdp_edge.quantization import float_actor
from kdp_edge.quantization.float_actor import Actor
from kdp_edge.run import ACTOR_FILE, CALIBRATION_STATES, Run, RunConfig
from kdp_edge.tasks import Robot, Task, get_task, load_robot
from kdp_edge.tasks.robot_folder import write_robot
from kdp_edge.tasks.safe_actions import with_safe_actions

PACKAGES = ("numpy", "onnx", "torch", "safetensors")
MET_EPISODES = 8
SAME_AS_ONNX = 1e-4  # of an action's range: float32 sums in another order


@dataclass(frozen=True)
class Told:
    """What a policy's file does not say itself.

    `activation` between the layers of a state dict; `squash`: its answer goes through a tanh; `shares`: the
    answer is a share of each action's range, -1 to 1, not in the action's unit; `normalizer`: normalizer.py.
    """

    activation: str | None = None
    squash: bool = False
    shares: bool = False
    normalizer: Path | None = None


def import_actor(
    file: Path,
    calibration: str,
    robot: Path | None = None,
    told: Told | None = None,
    episodes: int = MET_EPISODES,
) -> Run:
    """Import a deterministic policy; returns its run.

    Args:
        file: .onnx, .zip of Stable-Baselines3, or .pt, .pth with a state dict.
        calibration: name of a data set, whose observations give the integers their ranges.
        robot: robot file; without it the data set's own robot.
        episodes: that the policy plays first, where the robot has a plant: see met.py.

    Raises:
        KdpError: what cannot be carried, with the layer and the rule; nothing is written then.
    """
    told = told or Told()
    meta = store.read_meta(calibration)
    task = get_task(meta["task"]) if robot is None else _task(load_robot(robot), meta["task"])
    task = replace(task, robot=with_safe_actions(task))
    actor, kind = read_actor(file, task.robot, told)
    data = store.load_data(calibration)
    if data.observations.shape[1] != task.obs_dim:
        raise KdpError(
            f"data set '{calibration}' has {data.observations.shape[1]} observations, robot "
            f"{task.robot.name} has {task.obs_dim}"
        )
    if file.suffix == ".onnx":
        _check_against_onnx(file, actor, data.observations[:64], task.robot, told)
    return _write(file, kind, actor, task, data, met_states(actor, task, episodes))


def read_actor(file: Path, robot: Robot, told: Told) -> tuple[Actor, str]:
    """The actor in a policy's file, in the robot's units, and what it was."""
    observations, actions = len(robot.observations), len(robot.actions)
    if file.suffix == ".onnx":
        from kdp_edge.actors.onnx_file import read_onnx

        _only(told, file, "an ONNX file says itself", activation=False, squash=False)
        actor, kind = read_onnx(file, observations, actions), "ONNX"
    elif file.suffix == ".zip":
        from kdp_edge.actors.sb3_file import read_sb3

        _only(told, file, "a file of Stable-Baselines3 says itself", squash=False, shares=False)
        actor, kind = read_sb3(file, robot, told.activation)
    elif file.suffix in (".pt", ".pth"):
        from kdp_edge.actors.state_dict import read_state_dict

        actor = read_state_dict(file, observations, actions, told.activation, told.squash)
        kind = "state dict"
    else:
        raise KdpError(f"{file}: expected .onnx, .zip of Stable-Baselines3, or .pt with a state dict")
    if told.shares:
        actor = _of_shares(actor, robot)
    if told.normalizer is not None:
        actor = with_normalizer(actor, told.normalizer)
    float_actor.check(actor, str(file))
    return actor, kind


def _only(told: Told, file: Path, says: str, **allowed: bool) -> None:
    for name, allow in allowed.items():
        if not allow and getattr(told, name):
            raise KdpError(f"{file}: {says} what --{name} would; leave it away")


def _task(robot: Robot, name: str) -> Task:
    """The data's task with another robot file; a task of the robot's own where the names differ."""
    known = get_task(name)
    return replace(known, robot=robot) if robot.name == known.robot.name else Task(robot.name, robot)


def _of_shares(actor: Actor, robot: Robot) -> Actor:
    half, middle = (robot.high - robot.low) / 2, (robot.high + robot.low) / 2
    return replace(
        actor,
        gain=(actor.gain * half).astype(np.float32),
        offset=(actor.offset * half + middle).astype(np.float32),
        low=(actor.low * half + middle).astype(np.float32),
        high=(actor.high * half + middle).astype(np.float32),
    )


def _check_against_onnx(file: Path, actor: Actor, observations: np.ndarray, robot: Robot, told: Told) -> None:
    """What was folded answers as ONNX Runtime does on the file itself."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    rows = observations
    if told.normalizer is not None:  # what it makes of them is the file's own input
        rows = np.clip((observations - actor.mean) / actor.std, -actor.clip, actor.clip)
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        (one,), first = session.get_inputs(), session.get_outputs()[0].name
        rows = rows.astype(np.float64 if "double" in one.type else np.float32)
        # one by one: its batch may be fixed
        one_by_one = [row.reshape(1, -1) if len(one.shape) == 2 else row for row in rows]
        found = np.stack([np.ravel(session.run([first], {one.name: row})[0]) for row in one_by_one])
    except Exception as error:  # onnxruntime has kinds of its own, which are not public
        raise KdpError(f"{file}: ONNX Runtime refuses it ({str(error).splitlines()[0][:160]})") from None
    half, middle = (robot.high - robot.low) / 2, (robot.high + robot.low) / 2
    wanted = found * half + middle if told.shares else found
    gap = float(np.abs((actor(observations) - wanted) / half).max())
    if not gap <= SAME_AS_ONNX:
        raise KdpError(
            f"{file}: as read here it differs from ONNX Runtime by {gap:g} of half an action's range, "
            f"expected at most {SAME_AS_ONNX:g}; please report it"
        )


def _write(file: Path, kind: str, actor: Actor, task: Task, data: DataSet, met: list[np.ndarray]) -> Run:
    config = RunConfig(
        task.name, data.name, task.obs_dim, task.act_dim,
        horizon=1, chunk=1, k=1, latent_dim=0, margin=0.0, critic_steps=1,
    )  # fmt: skip
    config.check()
    change = np.maximum(
        action_change(data.actions, data.ends) if data.actions.shape[1] == task.act_dim else 0,
        action_change(task.robot.shares(actor(data.observations)), data.ends),
    ).astype(np.float32)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = new_folder(runs_folder() / f"{task.name}-{stamp}-{file.stem[:40]}")
    write_robot(path, task.robot)
    write_json(path / "config.json", config.to_json())
    float_actor.save(actor, path / ACTOR_FILE)
    states = calibration_states(
        data, config.seed, 2 * CALIBRATION_STATES
    )  # half of them hold the ranges to account
    arrays = {"observations": states, "action_change": change}
    if met:
        arrays |= {"met": np.concatenate(met), "met_steps": np.array([len(one) for one in met], np.int32)}
    save_file(arrays, path / "calibration.safetensors")
    write_json(path / "metrics.json", {})
    write_json(path / "run.json", _provenance(file, kind, actor, data, path) | {"met_episodes": len(met)})
    return Run.load(path)


def _provenance(file: Path, kind: str, actor: Actor, data: DataSet, path: Path) -> dict[str, Any]:
    hashes = {one.name: sha256_file(one) for one in sorted(path.glob("*.safetensors"))}
    return {
        "finished_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "kdp_edge": __version__,
        "git": git_commit(),
        "imported": {
            "file": file.name,
            "sha256": sha256_file(file),
            "kind": kind,
            "shape": shape_text(actor),
        },
        "data": {"name": data.name, "sha256": data.sha256, "recipe": data.meta["recipe"]},
        "packages": versions(PACKAGES),
        "files": hashes,
    }


def shape_text(actor: Actor) -> str:
    """Widths and activations, for people: `11-256-256-3, relu, tanh`."""
    net = actor.net
    widths = [actor.obs_dim, *(len(step.layer.bias) for step in net.denses)]
    kinds = {getattr(step, "kind", "relu") for step in net.steps if hasattr(step, "kind") or step.relu}
    sums = sum(1 for step in net.steps if type(step) is float_actor.Sum)
    parts = ["-".join(map(str, widths)), *sorted(kinds), *([f"{sums} sums"] if sums else [])]
    return ", ".join(parts)
