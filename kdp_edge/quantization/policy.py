# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A trained run -> the integer planner of its task: ranges, scales and limits, all from calibration.

The run's `calibration.safetensors` holds raw observations of the data set, so no data set, no
simulator and no torch is needed here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_object, sha256_file, write_json
from kdp_edge.quantization import plan
from kdp_edge.quantization.actor_policy import actor_planner
from kdp_edge.quantization.equalize import equalize
from kdp_edge.quantization.float_actor import load as load_actor
from kdp_edge.quantization.float_net import FloatNet
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.latents import quantile_table
from kdp_edge.quantization.limits import Limits, Wishes, limits_of
from kdp_edge.quantization.plan import IntegerPlanner, PlanSpec
from kdp_edge.quantization.plan_spec import floats, plan_spec
from kdp_edge.quantization.post_training import activation_scale, quantize_net
from kdp_edge.quantization.spans import signal_spans
from kdp_edge.run import ACTOR_FILE, Run, RunConfig
from kdp_edge.tasks import Task
from kdp_edge.tasks.robot_folder import FILES as ROBOT_FILES
from kdp_edge.window import FEW_LEVELS, Normalizer, WindowShape, int8_levels

INTEGER_FOLDER = "integer"
BOUND = "bound.json"  # what binds the folder: the model's hash, and those of the files it was made from
SOURCES = (
    "config.json", "generator.safetensors", "critic.safetensors", "normalizer.safetensors",
    "calibration.safetensors", *ROBOT_FILES,
)  # fmt: skip
ACTOR_SOURCES = ("config.json", ACTOR_FILE, "calibration.safetensors", *ROBOT_FILES)
LATENT_LIMIT = 2.9  # above the largest of the 256 normal quantiles, 2.885
UNIT_SCALE = activation_scale(np.float32(1))  # of every outer tensor, so critic inputs are copied bytes
LEVELS_A_UNIT = 32  # of a signal's standard deviation, where its largest value is 4 of them


@dataclass(frozen=True)
class FloatPolicy:
    """A run's nets as NumPy: what the integer planner approximates."""

    generator: FloatNet
    critic: FloatNet
    normalizer: Normalizer

    @classmethod
    def from_run(cls, run: Run) -> FloatPolicy:
        """Read the weights of a run."""
        return cls(
            FloatNet.from_tensors(run.tensors("generator"), str(run.path / "generator.safetensors")),
            FloatNet.from_tensors(run.tensors("critic"), str(run.path / "critic.safetensors")),
            run.normalizer(),
        )


def quantize_run(run: Run, per_channel: bool = True, wishes: Wishes | None = None) -> IntegerPlanner:
    """Quantize a run, store the result in its `integer/` folder and return it."""
    wishes = wishes or Wishes()
    planner = integers_of(run, per_channel, wishes)
    store(run, planner, wishes.settings())
    return planner


def store(run: Run, planner: IntegerPlanner, settings: dict[str, Any]) -> None:
    """Make `planner` that of the run: its `integer/` folder, bound to the weights that it was made from.

    Args:
        settings: of the run's configuration, chosen anew for the device.
    """
    plan.check(planner, str(run.path))
    folder = run.path / INTEGER_FOLDER
    (folder / BOUND).unlink(missing_ok=True)  # an interrupted quantization is none
    plan.save(planner, folder)
    write_json(
        folder / BOUND,
        {"model_sha256": planner.model_sha256(), "made_from": _sources(run.path), "settings": settings},
    )


def integers_of(run: Run, per_channel: bool = True, wishes: Wishes | None = None) -> IntegerPlanner:
    """The integer planner of a run, made anew; nothing is stored."""
    task, wishes = run.task(), wishes or Wishes()
    config = replace(run.config, **wishes.settings())
    config.check()
    limits = limits_of(task.robot, run.action_change(), wishes)
    if config.is_actor:
        actor = load_actor(run.path / ACTOR_FILE)
        planner = actor_planner(actor, run.calibration(), run.met(), task, limits, per_channel)
    else:
        policy = FloatPolicy.from_run(run)
        planner = build_planner(policy, config, run.calibration(), task, limits, per_channel)
    plan.check(planner, str(run.path))
    return planner


def quantize(
    run: Run | Path | str, *, per_channel: bool = True, wishes: Wishes | None = None
) -> IntegerPlanner:
    """Quantize generator and critic of a run to int8; stored in the run's `integer/` folder and returned.

    Args:
        run: the run, or its folder.
        per_channel: a weight scale per output channel; False: one per layer, for TFLite-Micro before
            September 2024.
        wishes: limits that shall not follow from the data.
    """
    return quantize_run(run if isinstance(run, Run) else Run.load(Path(run)), per_channel, wishes)


def planner_of(run: Run) -> IntegerPlanner:
    """The integer planner of a run, quantized now if it was not yet."""
    return load_planner(run.path) if is_quantized(run) else quantize_run(run)


def is_quantized(run: Run) -> bool:
    """Whether the run has an `integer/` folder."""
    return (run.path / INTEGER_FOLDER / BOUND).is_file()


def load_planner(run_path: Path) -> IntegerPlanner:
    """The stored integer planner of a run.

    Raises:
        KdpError: damaged, or made from other weights or another configuration than the run has now.
    """
    folder = run_path / INTEGER_FOLDER
    planner, bound = plan.load(folder), read_object(folder / BOUND)
    found, expected = planner.model_sha256(), bound.get("model_sha256")
    if found != expected:
        raise KdpError(
            f"{folder}: the model's sha256 is {found}, {BOUND} says {expected}: a file there is damaged; "
            f"quantize again: kdp-edge quantize --run {run_path}"
        )
    made_from = bound.get("made_from")
    for name, digest in _sources(run_path).items():
        if not isinstance(made_from, dict) or made_from.get(name) != digest:
            raise KdpError(
                f"{run_path / name} is not what {folder} was made from; quantize again: "
                f"kdp-edge quantize --run {run_path}"
            )
    return planner


def _sources(run_path: Path) -> dict[str, str]:
    """Hashes of the files that quantization reads; an older run has no robot file, and few have a model."""
    sources = ACTOR_SOURCES if (run_path / ACTOR_FILE).is_file() else SOURCES
    files = {name: run_path / name for name in sources}
    return {
        name: sha256_file(file) for name, file in files.items() if name not in ROBOT_FILES or file.is_file()
    }


def stored_settings(run: Run) -> dict[str, Any]:
    """What was chosen anew when the run was quantized; empty where it was not."""
    bound = run.path / INTEGER_FOLDER / BOUND
    found: dict[str, Any] = read_object(bound).get("settings", {}) if bound.is_file() else {}
    return found


def deployed_config(run: Run) -> RunConfig:
    """The run's configuration with what was chosen anew when it was quantized."""
    chosen = stored_settings(run)
    config = replace(
        run.config, **{name: chosen[name] for name in ("k", "margin", "chunk") if name in chosen}
    )
    config.check()
    return config


def build_planner(
    policy: FloatPolicy,
    config: RunConfig,
    observations: np.ndarray,
    task: Task,
    limits: Limits,
    per_channel: bool = True,
) -> IntegerPlanner:
    """Quantize `policy`.

    Args:
        observations: raw observations for calibration, float32 [n, obs_dim].
        per_channel: see `post_training.quantize`.
    """
    if config.obs_dim != task.obs_dim or config.act_dim != task.act_dim:
        raise KdpError(
            f"run has {config.obs_dim} observations and {config.act_dim} actions, task {task.name} has "
            f"{task.obs_dim} and {task.act_dim}; was it trained for another task?"
        )
    units = unit_nets(policy, config, observations)
    generator = _quantize_unit(units.generator, units.generator_inputs, "generator", per_channel)
    critic = _quantize_unit(units.critic, units.critic_inputs, "critic", per_channel)
    spec = _spec(policy, config, task, limits, observations, units)
    return IntegerPlanner(generator, critic, spec)


@dataclass(frozen=True)
class UnitNets:
    """The trained nets between units: what is quantized, with the inputs that calibrate it.

    Ranges are float32: of each signal, of each number of a window, of the score.
    """

    generator: FloatNet
    critic: FloatNet
    generator_inputs: np.ndarray
    critic_inputs: np.ndarray
    state_range: np.ndarray
    window_range: np.ndarray
    score_range: np.ndarray


def unit_nets(policy: FloatPolicy, config: RunConfig, observations: np.ndarray) -> UnitNets:
    """Fold the range of every input and output into the outer layers, as `observations` show them."""
    states = policy.normalizer(observations)
    state_range = signal_spans(states, lambda seen: _played(policy, config, seen))
    states = states.clip(-state_range, state_range)
    latent_range = np.full(config.latent_dim, LATENT_LIMIT * config.latent_scale, np.float32)
    input_range = np.concatenate([state_range, latent_range])
    inputs = np.concatenate([states, _calibration_latents(len(states), config)], 1)
    windows = policy.generator(inputs)
    window_range = _window_range(windows, config.shape)
    played = config.shape.action_columns(config.critic_steps)
    critic_range = np.concatenate([state_range, window_range[played]])
    actions = np.clip(windows[:, played], -window_range[played], window_range[played])
    critic_inputs = np.concatenate([states, actions], 1)
    score_range = _range(policy.critic(critic_inputs))
    return UnitNets(
        policy.generator.with_unit_ranges(input_range, window_range),
        policy.critic.with_unit_ranges(critic_range, score_range),
        inputs / input_range,
        critic_inputs / critic_range,
        state_range,
        window_range,
        score_range,
    )


def _played(policy: FloatPolicy, config: RunConfig, states: np.ndarray) -> np.ndarray:
    """The first action of latent 0's plan at normalised states [n, obs]: shares [n, act].

    Of the first step alone: how many steps are played is chosen for a device, and units are the run's.
    """
    latent = np.zeros((len(states), config.latent_dim), np.float32)
    windows = policy.generator(np.concatenate([states, latent], 1))
    return windows[:, config.shape.action_columns(1)].clip(-1, 1)


def coarse_signals(run: Run, planner: IntegerPlanner) -> dict[str, int]:
    """Observations that few rows of the data leave with few int8 levels: name -> levels of 255.

    The levels are those that 98 % of the run's calibration states use. A glitch row that is not among
    these states shows in the normalizer: its spread is then far above theirs, and the nets barely see the
    signal, however many levels it has.
    """
    states, normalizer, spec = run.calibration(), run.normalizer(), planner.spec
    centre, reach = spec.float32("obs_offset"), 127 / spec.float32("obs_gain")
    states = states.clip(centre - reach, centre + reach)  # what lies beyond takes no levels: see spans.py
    used = int8_levels(states)
    low, high = np.percentile(normalizer(states), (1, 99), axis=0)
    in_units = np.maximum(np.rint((high - low) * LEVELS_A_UNIT), 1).astype(int)
    moves = states.min(0) != states.max(0)
    levels = np.where(moves & (used < 255), np.minimum(used, in_units), used)
    return {spec.obs_names[i]: int(levels[i]) for i in np.flatnonzero(levels < FEW_LEVELS)}


def _quantize_unit(net: FloatNet, inputs: np.ndarray, name: str, per_channel: bool) -> IntegerNet:
    return quantize_net(equalize(net, inputs), inputs, name, per_channel)


def _spec(
    policy: FloatPolicy,
    config: RunConfig,
    task: Task,
    limits: Limits,
    observations: np.ndarray,
    units: UnitNets,
) -> PlanSpec:
    score_step = float(units.score_range[0] * UNIT_SCALE)
    columns = config.shape.action_columns()
    latent_step = LATENT_LIMIT * float(UNIT_SCALE)  # the latent's scale cancels: its range holds it too
    return plan_spec(
        task,
        limits,
        observations,
        policy.normalizer,
        horizon=config.horizon,
        chunk=config.chunk,
        k=config.k,
        latent_dim=config.latent_dim,
        critic_steps=config.critic_steps,
        margin=int(np.rint(config.margin / score_step)),
        seed=config.seed & 0xFFFFFFFF,
        obs_offset=floats(policy.normalizer.mean),
        obs_gain=floats(1 / (policy.normalizer.std * units.state_range * UNIT_SCALE)),
        act_gain=floats(units.window_range[columns] * UNIT_SCALE * np.tile(limits.half, config.horizon)),
        act_offset=floats(limits.middle),
        latent_table=quantile_table(latent_step).tolist(),
    )


def _range(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(np.abs(values).max(0), 1e-4), np.float32)


def _window_range(windows: np.ndarray, shape: WindowShape) -> np.ndarray:
    """Largest value of each output; an action needs no span beyond its limit."""
    result = _range(windows)
    columns = shape.action_columns()
    result[columns] = np.minimum(result[columns], 1)  # actions are shares of their ranges here
    return result


def _calibration_latents(n: int, config: RunConfig) -> np.ndarray:
    """Normal latents as the device draws them, every eighth zero like candidate 0."""
    rng = np.random.default_rng(config.seed)
    noise = np.clip(rng.standard_normal((n, config.latent_dim)), -LATENT_LIMIT, LATENT_LIMIT)
    noise[::8] = 0
    return (noise * config.latent_scale).astype(np.float32)
