# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A run folder: config, safetensors weights, metrics, provenance. Reading one needs no torch.

config.json            RunConfig
generator.safetensors  first.*, blocks.<i>.0.*, blocks.<i>.1.*, last.*  (weight [out, in], bias [out])
                       input [normalised observation | latent]; output, for each of H steps,
                       obs_dim normalised observations then act_dim actions in the task's units
critic.safetensors     same names; input [normalised observation | actions of the first critic_steps
                       steps]; output one advantage-like scalar: higher is better
normalizer.safetensors obs_mean, obs_std float32 [obs_dim]
calibration.safetensors observations float32 [n, obs_dim], raw, sampled from the data set; action_change
                       float32 [act_dim], how far actions change between two steps of the data; of an imported
                       actor met float32 [m, obs_dim], states of its own episodes, and met_steps int32
                       [episodes], how many are of each
actor.safetensors      of an imported actor instead of those four but calibration: quantization/float_actor.py
robot.toml             the robot that it was trained for; with plant.zip where that has a MuJoCo model
metrics.json           what training measured
run.json               provenance; written last: a folder with it is a complete run
evaluation.json        what was measured of the weights later: `float` by kdp-edge eval, `integer` and
                       `qat` by kdp-edge quantize
"""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, read_object, sha256_file, write_json
from kdp_edge.base.lookup import unknown
from kdp_edge.base.workspace import runs_folder
from kdp_edge.tasks import TASKS, Task, get_task, load_robot
from kdp_edge.tasks.robot import ROBOT_FILE
from kdp_edge.window import Normalizer, WindowShape, beyond_device

# fields of a configuration that are arguments of their own, or the task's
GIVEN = ("task", "data", "obs_dim", "act_dim", "seed", "device", "precision")
CALIBRATION_STATES = 4096
EVALUATION = "evaluation.json"
WEIGHTS = ("generator", "critic", "normalizer", "actor")
ACTOR_FILE = "actor.safetensors"
# fields that may be 0, and those that may be below it; every other number is above 0
FROM_ZERO = (
    "seed", "blocks", "critic_blocks", "latent_dim", "actor_steps", "mean_steps", "value_warmup",
    "actor_hold",
    "latent_scale", "trajectory_share", "anchor", "anchor_batch", "anchor_tau", "improve", "improve_batch",
    "distance_penalty", "action_weight", "played_weight", "lead",
    "to_end", "anchor_own", "anchor_band", "brace", "led_at_edge",
)  # fmt: skip
SIGNED = ("margin",)
# at most 1
SHARES = (
    "discount", "expectile", "trajectory_share", "ema",
    "lead", "to_end", "anchor_own", "brace", "led_at_edge",
)  # fmt: skip
MOST = {"width": 65_520, "blocks": 64}  # by a name's last word; 65,520 is the firmware's widest layer
MOST_OTHERWISE = 10**9  # steps, rows of a batch: more is a slip


@dataclass(frozen=True)
class RunConfig:
    """Everything that defines a run. Where data ask for other values than these: `learn/recipes.py`."""

    task: str
    data: str  # name of the local data set
    obs_dim: int
    act_dim: int
    seed: int = 0
    device: str = "cpu"
    precision: str = "float32"  # of the training's products: float32 or bfloat16; judging is float32

    # the deployed planner
    horizon: int = 4  # H, steps of a window
    to_end: int = 0  # 1: windows begin at an episode's last steps too; beyond its end, its last step stays
    chunk: int = 1  # actions played before the next plan
    latent_dim: int = 8  # 0: an imported actor, which has one answer and no critic
    lead: float = 0.0  # of a step: how far ahead in its window a plan's actions are read
    gain: float = 1.0  # by which a plan's actions are larger than what training made of them
    latent_scale: float = 1.0  # latents at inference are scale * N(0, 1)
    k: int = 8  # candidates; candidate 0 has latent 0
    margin: float = 2.5  # a candidate must beat candidate 0 by this much, in the critic's units
    width: int = 128
    blocks: int = 2
    critic_steps: int = 1  # steps of a window whose actions the critic sees
    critic_width: int = 64
    critic_blocks: int = 0  # one hidden layer: a block ranks no better and costs a tenth of a plan

    # values (n-step implicit Q-learning), used while training only
    value_steps: int = 8000
    value_warmup: int = 2000  # first regress on Monte-Carlo returns
    value_width: int = 192
    value_ensemble: int = 4
    value_batch: int = 256
    value_lr: float = 1e-3
    discount: float = 0.997  # a horizon of 333 steps sees that a gait falls later
    n_step: int = 5
    expectile: float = 0.7

    # a policy better than the data's, on whose actions matched windows are centred (TD3+BC)
    actor_steps: int = 0  # 0: none
    actor_width: int = 192
    actor_ensemble: int = 6  # values of an action are the least of so many
    actor_hold: float = 5e-4  # weight of the squared distance to the data's action, beside -Q / mean |Q|

    # drift field and generator
    steps: int = 12000
    batch: int = 64  # conditions per step
    samples: int = 12  # G, generated windows per condition
    positives: int = 8  # P, drawn key neighbours per condition
    mean_steps: int = 3000  # of the net that tells what neighbours differ by because their keys do
    pool: int = 32  # neighbours that positives are drawn from
    key_tau: float = 0.35  # of key distances, as a share of that to the farthest neighbour of the pool
    tilt: float = 0.5  # temperature of the advantage among neighbours, in its standard deviations
    trajectory_tilt: float = 0.2  # temperature of the episode's return, in its standard deviations,
    trajectory_share: float = 0.25  # raised until this share of the episodes is effective
    taus: tuple[float, ...] = (0.02, 0.05, 0.2)
    anchor: float = 1.0  # weight of regressing the plan of latent 0 on the matched mean
    anchor_batch: int = 512
    anchor_own: int = 0  # 1: not on matched windows, but on states' own, those of high advantage more often
    anchor_tau: float = 0.0  # temperature by which the mode near latent 0 draws it; 0: the mean of all
    anchor_band: float = 0.0  # of an actuator's range: latent 0 plays a median, to so much; 0: a mean
    improve: float = 0.0  # weight of the judged value of played actions, beside the drift
    improve_batch: int = 192  # plans of latent 0 that are judged, beside one candidate per condition
    action_weight: float = 2.0  # of actions in window distances; normalised observations weigh 1
    played_weight: float = 4.0  # of the actions of the chunk that is played
    lr: float = 1e-3
    ema: float = 0.005

    # a model of the plant, learned from the data: in it a plan must bear weaker actuators, or its gain grows
    brace: float = 0.0  # the share by which they are weaker; 0: not looked at
    led_at_edge: int = 1  # 0: the actions of a plan near an edge are not read ahead
    plant_steps: int = 5000
    plant_batch: int = 512

    # distilling the values into the deployed critic
    distance_penalty: float = 0.5  # per squared standard deviation of the candidates
    distill_steps: int = 6000
    distill_batch: int = 512
    distill_lr: float = 2e-3

    @property
    def shape(self) -> WindowShape:
        """Of the windows that the generator makes."""
        return WindowShape(self.horizon, self.obs_dim, self.act_dim)

    @property
    def within(self) -> int:
        """How many steps of a training window lie in its episode at least."""
        return 1 if self.to_end else self.horizon

    @property
    def is_actor(self) -> bool:
        """Whether this is an imported actor, not a trained planner."""
        return self.latent_dim == 0

    @property
    def window_dim(self) -> int:
        return self.shape.size

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "taus": list(self.taus)}

    @classmethod
    def from_json(cls, value: dict[str, Any], where: Path) -> RunConfig:
        known = {field.name for field in fields(cls)}
        if unknown := set(value) - known:
            raise KdpError(f"{where}: unknown fields {sorted(unknown)}; made by another version? train again")
        try:
            config = _with_tuple(cls(**value))
            config.check()
        except TypeError as error:
            raise KdpError(f"{where}: {error}; train again") from None
        except KdpError as error:
            raise KdpError(f"{where}: {error}; train again") from None
        return config

    def check(self) -> None:
        """Raise `KdpError` for a field of the wrong type or out of range: the field, found, expected."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "taus":
                if not value or not all(_is_number(tau) and tau > 0 for tau in value):
                    raise _setting(field.name, value, "finite numbers above 0")
            elif isinstance(field.default, int | float) or field.name in ("obs_dim", "act_dim"):
                _check_number(field.name, value, isinstance(field.default, float))
            elif not isinstance(value, str):
                raise _setting(field.name, value, "text")
        if self.anchor_own and self.anchor_tau:
            raise _setting(
                "anchor_tau", self.anchor_tau, "0 with anchor_own: one window is no choice of ways"
            )
        for name in ("chunk", "critic_steps"):
            if getattr(self, name) > self.horizon:
                raise _setting(name, getattr(self, name), f"at most the horizon, {self.horizon}")
        for name in ("k", "horizon", "chunk"):
            if self.is_actor and getattr(self, name) != 1:
                raise _setting(name, getattr(self, name), "1: an imported actor has one answer")

    def check_deployable(self) -> None:
        """Raise `KdpError` unless a device can serve what this run would train; see `beyond_device`."""
        if self.is_actor:
            raise _setting("latent_dim", 0, "1 or more: candidates differ by their latents")
        if reason := beyond_device(self.shape, self.k, self.latent_dim):
            raise KdpError(
                f"task {self.task}: {reason}; take fewer of them (--k, --horizon), nothing is trained"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _check_number(name: str, value: Any, fraction: bool) -> None:
    sign = "" if name in SIGNED else ", 0 or more" if name in FROM_ZERO else " above 0"
    expected = f"a {'finite' if fraction else 'whole'} number{sign}"
    if not _is_number(value) or not (fraction or isinstance(value, int)):
        raise _setting(name, value, expected)
    if name not in SIGNED and (value < 0 or (value == 0 and name not in FROM_ZERO)):
        raise _setting(name, value, expected)
    most = 1 if name in SHARES else MOST.get(name.rpartition("_")[2], MOST_OTHERWISE)
    if name != "seed" and (name in SHARES or not fraction) and value > most:
        raise _setting(name, value, f"at most {most}")


def _setting(name: str, value: Any, expected: str) -> KdpError:
    return KdpError(f"setting {name} is {value!r}, expected {expected}")


def setting(text: str) -> tuple[str, Any]:
    """`NAME=VALUE` -> name and value of a setting; `RunConfig.check` says whether it is one.

    Raises:
        KdpError: no such setting, or one that the command line gives otherwise.
    """
    name, equals, value = text.partition("=")
    known = [field.name for field in fields(RunConfig) if field.name not in GIVEN]
    if not equals:
        raise KdpError(f"--set {text}: expected NAME=VALUE")
    if name not in known:
        raise unknown("setting", name, known)
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    return name, tuple(parsed) if isinstance(parsed, list) else parsed


def _with_tuple(config: RunConfig) -> RunConfig:
    if isinstance(config.taus, list):  # JSON has lists only
        object.__setattr__(config, "taus", tuple(config.taus))
    return config


def task_in(folder: Path, name: str) -> Task:
    """The task called `name` with the robot of the file in `folder`, a run or a bundle.

    An older folder has none: then the task is looked up by its name.
    """
    file = folder / ROBOT_FILE
    if not file.is_file():
        return get_task(name)
    known = TASKS.get(name)
    return Task(name, load_robot(file)) if known is None else replace(known, robot=load_robot(file))


@dataclass(frozen=True)
class Run:
    """A complete run."""

    path: Path
    config: RunConfig
    metrics: dict[str, Any]
    provenance: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> Run:
        """Read a run's folder; its weights are read and checked on demand.

        Raises:
            KdpError: not a complete run, or its config does not fit its task.
        """
        path = Path(path)
        if not (path / "run.json").is_file():
            state = "an unfinished run" if (path / "checkpoint.pt").is_file() else "not a run folder"
            resume = f"; finish it: kdp-edge train --resume {path}" if "unfinished" in state else ""
            raise KdpError(f"{path}: {state} (no run.json){resume}")
        config = RunConfig.from_json(read_object(path / "config.json"), path / "config.json")
        task = task_in(path, config.task)
        for field in ("obs_dim", "act_dim"):
            if getattr(config, field) != getattr(task, field):
                raise KdpError(
                    f"{path / 'config.json'}: {field} is {getattr(config, field)}, task {task.name} has "
                    f"{getattr(task, field)}; the run was trained for another task"
                )
        return cls(path, config, read_object(path / "metrics.json"), read_object(path / "run.json"))

    def task(self) -> Task:
        """What it was trained for; its own robot file says it, on any computer."""
        return task_in(self.path, self.config.task)

    @property
    def played(self) -> RunConfig:
        """The settings with the lead that is played: another than the run was told where an edge is near."""
        return replace(self.config, lead=float(self.metrics.get("brace", {}).get("lead", self.config.lead)))

    @property
    def brace_gain(self) -> float:
        """By which the plan's actions were enlarged so that it bears weaker actuators (`learn/plant.py`)."""
        return float(self.metrics.get("brace", {}).get("gain", 1.0))

    @property
    def simulator(self) -> str | None:
        """MuJoCo's version: of its data where they were rolled here, else beside which it was trained."""
        rolled = self.provenance.get("data", {}).get("packages", {})
        found = rolled.get("mujoco") or self.provenance.get("packages", {}).get("mujoco")
        return found if isinstance(found, str) else None

    def tensors(self, name: str) -> dict[str, np.ndarray]:
        """All float32 arrays of `<name>.safetensors`, checked for names, shape and finite values."""
        file = self.path / f"{name}.safetensors"
        arrays, shapes = self._read(file), self._shapes(name)
        if unknown := set(arrays) - set(shapes):
            raise KdpError(f"{file}: tensor {min(unknown)} is not in the net of config.json; train again")
        for tensor, shape in shapes.items():
            found = arrays[tensor].shape if tensor in arrays else "nothing"
            if found != shape:
                raise KdpError(f"{file}: tensor {tensor} has shape {found}, expected {shape}; train again")
            if not np.isfinite(arrays[tensor]).all():
                raise KdpError(f"{file}: tensor {tensor} holds values that are not finite; train again")
        return arrays

    def normalizer(self) -> Normalizer:
        """What makes the nets' inputs of raw observations; of an actor the spread of the calibration data."""
        if self.config.is_actor:
            return Normalizer.fit(self.calibration())
        arrays = self.tensors("normalizer")
        return Normalizer(arrays["obs_mean"], arrays["obs_std"])

    def calibration(self) -> np.ndarray:
        """Raw observations of the data set, float32 [n, obs_dim], sampled with the run's seed."""
        file = self.path / "calibration.safetensors"
        arrays = self._read(file)
        if "observations" not in arrays or arrays["observations"].shape[1:] != (self.config.obs_dim,):
            raise KdpError(f"{file}: expected observations [n, {self.config.obs_dim}]; train again")
        return arrays["observations"]

    def met(self) -> list[np.ndarray]:
        """Raw observations of the episodes that an imported actor played, float32 [steps, obs_dim] each."""
        file = self.path / "calibration.safetensors"
        arrays = self._read(file)
        if "met" not in arrays:
            return []
        met, steps = arrays["met"], arrays.get("met_steps", np.zeros(0, np.int32))
        if met.shape != (steps.sum(), self.config.obs_dim) or not (steps > 0).all():
            raise KdpError(f"{file}: expected met [{steps.sum()}, {self.config.obs_dim}]; import it again")
        return np.split(met, np.cumsum(steps)[:-1])

    def action_change(self) -> np.ndarray | None:
        """How far actions change between two steps of the data, float32 [act_dim]; None in an older run."""
        file = self.path / "calibration.safetensors"
        change = self._read(file).get("action_change")
        if change is not None and (change.shape != (self.config.act_dim,) or not (change >= 0).all()):
            raise KdpError(f"{file}: expected action_change [{self.config.act_dim}], 0 or more; train again")
        return change

    def evaluation(self) -> dict[str, Any]:
        """What was measured of these weights: `float` and `integer`, each if it was; nothing of others."""
        file = self.path / EVALUATION
        recorded = read_json(file) if file.is_file() else {}
        if not isinstance(recorded, dict):
            raise KdpError(f"{file}: expected an object, found {type(recorded).__name__}; remove it")
        return recorded if recorded.get("weights") == self._weights() else {}

    def record(self, name: str, measured: dict[str, Any]) -> None:
        """Keep a measurement in evaluation.json, in place of an earlier one of that name.

        A folder that cannot be written to is no reason to lose what was played: it ends in a warning.
        """
        try:
            known = self.evaluation() | {"weights": self._weights(), name: measured}
            write_json(self.path / EVALUATION, known)
        except OSError as error:
            warnings.warn(f"{self.path / EVALUATION} was not written: {error}", stacklevel=2)

    def _weights(self) -> dict[str, str]:
        files = (self.path / f"{name}.safetensors" for name in WEIGHTS)
        return {file.name: sha256_file(file) for file in files if file.is_file()}

    def _read(self, file: Path) -> dict[str, np.ndarray]:
        """A file of the run, held against the hash that training recorded for it."""
        arrays = read_safetensors(file)
        recorded = self.provenance.get("files", {}).get(file.name)
        if recorded is not None and (found := sha256_file(file)) != recorded:
            raise KdpError(
                f"{file}: sha256 is {found}, expected {recorded} as in run.json; restore it or train again"
            )
        return arrays

    def _shapes(self, name: str) -> dict[str, tuple[int, ...]]:
        c = self.config
        if name == "normalizer":
            return {"obs_mean": (c.obs_dim,), "obs_std": (c.obs_dim,)}
        if name == "generator":
            return mlp_shapes(c.obs_dim + c.latent_dim, c.width, c.blocks, c.window_dim)
        return mlp_shapes(c.obs_dim + c.critic_steps * c.act_dim, c.critic_width, c.critic_blocks, 1)


def _finished(file: Path) -> str:
    """When a run finished, ISO 8601 in UTC, which sorts by time; empty if its run.json does not say."""
    value = read_json(file)
    found = value.get("finished_utc") if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def mlp_shapes(inputs: int, width: int, blocks: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the residual MLP's tensors by name."""
    layers = {"first": (width, inputs), "last": (outputs, width)}
    for i in range(blocks):
        layers |= {f"blocks.{i}.0": (width, width), f"blocks.{i}.1": (width, width)}
    return {f"{n}.weight": s for n, s in layers.items()} | {f"{n}.bias": s[:1] for n, s in layers.items()}


def read_safetensors(file: Path) -> dict[str, np.ndarray]:
    """All arrays of a file; a missing or damaged file becomes a `KdpError` that names it."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(file)
    except FileNotFoundError:
        raise KdpError(f"{file}: no such file; the run is incomplete, train again") from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise KdpError(
            f"{file}: not a readable safetensors file ({error}); restore it or train again"
        ) from None


def newest_run(task: str | None = None) -> Run:
    """The complete run that finished last, of `task` if given; raises `KdpError` if there is none.

    By its own `finished_utc`: a file's time says when it was copied.
    """
    finished = {file.parent: _finished(file) for file in runs_folder().glob("*/run.json")}
    for path in sorted(finished, key=lambda path: (finished[path], path.name), reverse=True):
        run = Run.load(path)
        if task is None or run.config.task == task:
            return run
    wanted = f"of task '{task}' " if task else ""
    raise KdpError(
        f"no finished run {wanted}in {runs_folder()}; "
        f"train one: kdp-edge train {task or 'hopper-medium-expert'}"
    )
