# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The integer planner: how a device turns one observation into K candidate windows and picks one.

Everything a device needs besides the two integer nets is in `PlanSpec`; everything it computes is
in `IntegerPlanner.plan`, which firmware/core/kdp_planner.c repeats bit for bit (float32 with one
rounding per operation, no fused multiply-add).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, write_json
from kdp_edge.base.typed import typed
from kdp_edge.quantization import integer_net, reference
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.latents import latents_of
from kdp_edge.window import WindowShape

GENERATOR_FILE = "generator.integer.safetensors"
CRITIC_FILE = "critic.integer.safetensors"
SPEC_FILE = "plan.json"
FLOAT_LISTS = (
    "obs_offset", "obs_gain", "obs_low", "obs_high", "act_gain", "act_offset", "act_low", "act_high",
    "act_rate", "safe_action",
)  # fmt: skip


@dataclass(frozen=True)
class PlanSpec:
    """Plan shapes, number formats, limits and rates of one deployable policy.

    An actor of somebody else has one answer: no latent, no critic, K and H are 1, its window is the action.
    Lists are float32 values unless said otherwise; `act_*` are in the task's action units.
    """

    task: str
    obs_names: list[str]
    act_names: list[str]
    obs_units: list[str]
    act_units: list[str]
    horizon: int  # H, steps of a window
    chunk: int  # steps of a plan that are played before the next plan
    k: int  # candidates; candidate 0 has latent 0
    latent_dim: int  # 0: an actor
    critic_steps: int  # how many steps' actions the critic reads; 0 of an actor, which has none
    margin: int  # critic output units by which a candidate must beat candidate 0
    seed: int  # uint32, first half of the latents' key
    obs_offset: list[float]  # q = clamp(floor((obs - offset) * gain + 0.5), -128, 127)
    obs_gain: list[float]
    obs_low: list[float]  # observations outside [low, high] are rejected by the fail-safe
    obs_high: list[float]
    act_gain: list[float]  # [horizon * act_dim], action = q * gain + offset
    act_offset: list[float]  # [act_dim]
    act_low: list[float]
    act_high: list[float]
    act_rate: list[float]  # largest change between two control steps
    safe_action: list[float]
    safe_hold: list[bool]  # where true, a stop plays the value played last instead
    safe_steps: int  # control steps that no plan made in time covers before the stop is latched
    silent_steps: int  # periods without a control step before the device plays by its own clock
    rate_hz: float  # control rate
    deadline_us: int  # for one plan, by the device's own clock
    latent_table: list[int]  # int8 [256]
    ahead: bool = False  # the next plan is made in a chunk's last step, of its observation

    def float32(self, name: str) -> np.ndarray:
        """A list of numbers as float32 [length], read-only; made once, as a loop asks in every step."""
        if name not in self._float32:
            array = np.array(getattr(self, name), np.float32)
            array.flags.writeable = False
            self._float32[name] = array
        return self._float32[name]

    @cached_property
    def _float32(self) -> dict[str, np.ndarray]:
        return {}

    def latents(self, episode: int, indices: Sequence[int]) -> np.ndarray:
        """The latents of an episode's plans with these numbers, int8 [n, k, latent_dim]."""
        return latents_of(self._table, self.seed, episode, indices, self.k, self.latent_dim)

    @cached_property
    def _table(self) -> np.ndarray:
        return np.array(self.latent_table, np.int8)

    @property
    def obs_dim(self) -> int:
        """Length of an observation."""
        return len(self.obs_names)

    @property
    def act_dim(self) -> int:
        """Length of an action."""
        return len(self.act_names)

    @property
    def is_actor(self) -> bool:
        """Whether this is an actor: a net that answers an observation with an action, and nothing else."""
        return self.latent_dim == 0

    @property
    def shape(self) -> WindowShape:
        """Of the windows that the generator makes."""
        return WindowShape(self.horizon, 0 if self.is_actor else self.obs_dim, self.act_dim)

    @property
    def window_size(self) -> int:
        """Length of a window: horizon * (obs_dim + act_dim), of an actor act_dim."""
        return self.shape.size

    @property
    def rate_mhz(self) -> int:
        """Control rate in millihertz, as the device knows it."""
        return round(self.rate_hz * 1000)

    def periods(self, ticks: int, tick_hz: int) -> int:
        """Whole control periods that a plan of `ticks` took, in the device's integers; 1 to 255."""
        period = self.period(tick_hz)
        return max(1, min((ticks + period - 1) // period, 255))

    def period(self, tick_hz: int) -> int:
        """Ticks of one control period, 1 at least."""
        return max(tick_hz * 1000 // self.rate_mhz, 1)

    def schema_sha256(self) -> str:
        """Hash of what the numbers on the link mean: names, units, order, rate."""
        meaning = [self.obs_names, self.act_names, self.obs_units, self.act_units, self.rate_hz]
        return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """One plan: windows int8 [k, window_size], scores int8 [k], the chosen index, actions float32 [H, A]."""

    windows: np.ndarray
    scores: np.ndarray
    best: int
    actions: np.ndarray

    @property
    def digest(self) -> int:
        """CRC-32 of all windows, then all scores: one number that proves every candidate byte."""
        return zlib.crc32(self.scores.tobytes(), zlib.crc32(self.windows.tobytes()))


@dataclass(frozen=True)
class IntegerPlanner:
    """Generator, critic and spec of one policy; an actor has no critic."""

    generator: IntegerNet
    critic: IntegerNet | None
    spec: PlanSpec

    @property
    def nets(self) -> tuple[IntegerNet, ...]:
        """The generator, and the critic if there is one."""
        return (self.generator,) if self.critic is None else (self.generator, self.critic)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one plan, all candidates."""
        ranked = self.critic.macs if self.critic is not None and self.spec.k > 1 else 0
        return self.spec.k * (self.generator.macs + ranked)

    def model_sha256(self) -> str:
        """Hash of nets and spec: two devices with the same hash answer alike."""
        spec = asdict(self.spec)
        if not spec["ahead"]:
            del spec["ahead"]  # what was quantized before there was such a choice keeps its hash
        parts = [*(net.sha256() for net in self.nets), json.dumps(spec, sort_keys=True)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def scale_observation(self, observation: np.ndarray) -> np.ndarray:
        """float32 [..., obs_dim] -> float32 in int8 steps, clipped to the int8 span, not yet rounded."""
        return self._in_steps(observation).clip(-128, 127)

    def saturates(self, observation: np.ndarray) -> bool:
        """Whether a signal of float32 [obs_dim] lies beyond what its int8 can tell apart."""
        scaled = self._in_steps(observation)
        return bool(((scaled < -128.5) | (scaled >= 127.5)).any())

    def _in_steps(self, observation: np.ndarray) -> np.ndarray:
        offset, gain = self.spec.float32("obs_offset"), self.spec.float32("obs_gain")
        with np.errstate(over="ignore"):  # what no float32 holds is beyond the int8 span, too
            steps: np.ndarray = (np.asarray(observation, np.float32) - offset) * gain
        return steps

    def quantize_observation(self, observation: np.ndarray) -> np.ndarray:
        """float32 [..., obs_dim] -> int8, rounding half up in float32; NaN becomes -128, as in C."""
        rounded = np.floor(self.scale_observation(observation) + np.float32(0.5))
        return np.asarray(np.where(np.isnan(rounded), -128, rounded.clip(-128, 127)), np.int8)

    def plan(self, observation: np.ndarray, episode: int, index: int) -> Plan:
        """The plan number `index` of an episode, for a finite observation float32 [obs_dim]."""
        noise = self.spec.latents(episode, [index])[0]
        return self.plan_from_latents(self.quantize_observation(observation), noise)

    def plans(self, observations: np.ndarray, episode: int, indices: Sequence[int]) -> list[Plan]:
        """The plans with these numbers, for finite observations float32 [n, obs_dim]."""
        states = np.repeat(self.quantize_observation(observations)[:, None], self.spec.k, 1)
        windows, scores = self.candidates(states, self.spec.latents(episode, indices))
        best = self.choose(scores)
        actions = self.actions(windows[np.arange(len(best)), best])
        return [Plan(*one) for one in zip(windows, scores, best.tolist(), actions, strict=True)]

    def plan_from_latents(self, observation: np.ndarray, noise: np.ndarray) -> Plan:
        """The plan for int8 observation [obs_dim] and int8 latents [k, latent_dim]."""
        windows, scores = self.candidates(np.repeat(observation[None], len(noise), 0), noise)
        best = int(self.choose(scores[None])[0])
        return Plan(windows, scores, best, self.actions(windows[best]))

    def candidates(self, observation: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """int8 observations [..., obs_dim], latents [..., latent] -> windows [..., size], scores [...]."""
        windows = self.run_generator(np.concatenate([observation, noise], -1))
        if self.critic is None or self.spec.k == 1:  # nothing to choose: no time for a score
            return windows, np.zeros(windows.shape[:-1], np.int8)
        scores = self.run_critic(np.concatenate([observation, self.judged(windows)], -1))[..., 0]
        return windows, scores

    def run_generator(self, inputs: np.ndarray) -> np.ndarray:
        """int8 [..., n, obs_dim + latent_dim] -> windows int8 [..., n, window_size]."""
        return reference.run(self.generator, inputs)

    def run_critic(self, inputs: np.ndarray) -> np.ndarray:
        """int8 [..., n, obs_dim + critic_steps * act_dim] -> scores int8 [..., n, 1]."""
        assert self.critic is not None, "an actor ranks nothing"
        return reference.run(self.critic, inputs)

    def judged(self, windows: np.ndarray) -> np.ndarray:
        """The actions that the critic reads: int8 [..., size] -> int8 [..., critic_steps * act_dim]."""
        return self.spec.shape.actions(windows, self.spec.critic_steps).reshape(*windows.shape[:-1], -1)

    def choose(self, scores: np.ndarray) -> np.ndarray:
        """int8 scores [n, k] -> chosen index [n]; see `choose`."""
        return choose(scores.astype(np.int32), self.spec.margin)

    def actions(self, windows: np.ndarray) -> np.ndarray:
        """int8 windows [..., window_size] -> float32 actions [..., horizon, act_dim], before limits."""
        gain = self.spec.float32("act_gain").reshape(self.spec.horizon, self.spec.act_dim)
        offset = self.spec.float32("act_offset")
        actions: np.ndarray = self.spec.shape.actions(windows).astype(np.float32) * gain + offset
        return actions


def choose(scores: np.ndarray, margin: float) -> np.ndarray:
    """The candidate of each state that wins: the best score, the lowest number where several have it.

    Args:
        scores: [n, k], signed and wide enough for the margin; those of candidate 0 are raised in place.
        margin: by which another candidate must beat candidate 0.

    Returns:
        index int64 [n].
    """
    scores[:, 0] += margin
    winner: np.ndarray = np.argmax(scores, 1)
    return winner


def save(planner: IntegerPlanner, folder: Path) -> None:
    """Write the three files of a quantized policy into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for net, name in zip(planner.nets, (GENERATOR_FILE, CRITIC_FILE), strict=False):  # an actor has one
        integer_net.save(net, folder / name)
    write_json(folder / SPEC_FILE, asdict(planner.spec))


def load(folder: Path) -> IntegerPlanner:
    """Read a quantized policy; anything missing, damaged or inconsistent becomes a `KdpError`."""
    spec = typed(PlanSpec, read_json(folder / SPEC_FILE), folder / SPEC_FILE, "quantize again")
    generator = integer_net.load(folder / GENERATOR_FILE)
    critic = None if spec.is_actor else integer_net.load(folder / CRITIC_FILE)
    planner = IntegerPlanner(generator, critic, spec)
    check(planner, str(folder))
    return planner


def check(planner: IntegerPlanner, where: str) -> None:
    """Raise `KdpError` unless nets and spec fit each other."""
    spec = planner.spec
    expected = {
        "generator inputs": (planner.generator.input_size, spec.obs_dim + spec.latent_dim),
        "generator outputs": (planner.generator.output_size, spec.window_size),
        "obs_offset": (len(spec.obs_offset), spec.obs_dim),
        "obs_gain": (len(spec.obs_gain), spec.obs_dim),
        "obs_low": (len(spec.obs_low), spec.obs_dim),
        "obs_high": (len(spec.obs_high), spec.obs_dim),
        "act_gain": (len(spec.act_gain), spec.horizon * spec.act_dim),
        "act_offset": (len(spec.act_offset), spec.act_dim),
        "act_low": (len(spec.act_low), spec.act_dim),
        "act_high": (len(spec.act_high), spec.act_dim),
        "act_rate": (len(spec.act_rate), spec.act_dim),
        "safe_action": (len(spec.safe_action), spec.act_dim),
        "safe_hold": (len(spec.safe_hold), spec.act_dim),
        "latent_table": (len(spec.latent_table), 256),
    }
    if planner.critic is not None:
        wanted_inputs = spec.obs_dim + spec.critic_steps * spec.act_dim
        expected["critic inputs"] = (planner.critic.input_size, wanted_inputs)
        expected["critic outputs"] = (planner.critic.output_size, 1)
    for field, (found, wanted) in expected.items():
        if found != wanted:
            raise KdpError(f"{where}: {field} has {found} values, expected {wanted}; quantize again")
    if spec.is_actor != (planner.critic is None):
        raise KdpError(f"{where}: an actor has latent_dim 0 and no critic, others have both; quantize again")
    if spec.is_actor and (spec.k, spec.horizon, spec.critic_steps, spec.margin) != (1, 1, 0, 0):
        raise KdpError(
            f"{where}: k, horizon, critic_steps and margin are {spec.k}, {spec.horizon}, "
            f"{spec.critic_steps} and {spec.margin}; an actor has 1, 1, 0 and 0; quantize again"
        )
    least = 0 if spec.is_actor else 1
    if not 1 <= spec.chunk <= spec.horizon or not least <= spec.critic_steps <= spec.horizon:
        raise KdpError(f"{where}: chunk {spec.chunk} and critic_steps must be in 1..{spec.horizon}")
    if spec.ahead and spec.chunk == 1:
        raise KdpError(f"{where}: plans are made ahead while a chunk of 2 steps or more plays, chunk is 1")
    for name, low, high in (
        ("k", 1, 64),
        ("margin", -(2**30), 2**30),
        ("seed", 0, 2**32 - 1),
        ("safe_steps", 0, 2**32 - 1),
        ("silent_steps", 1, 2**16 - 1),
        ("deadline_us", 1, 2**32 - 1),
        ("rate_hz", 1e-3, 4e6),  # HELLO carries it as millihertz, uint32
    ):
        if not low <= getattr(spec, name) <= high:
            raise KdpError(f"{where}: {name} is {getattr(spec, name)}, expected {low:g} to {high:g}")
    _check_values(spec, where)


def _check_values(spec: PlanSpec, where: str) -> None:
    """Every number finite as float32 and none -0.0, limits in order, gains and rates of the right sign."""
    arrays = {name: np.asarray(getattr(spec, name), np.float64) for name in FLOAT_LISTS}
    for name, values in arrays.items():
        largest = np.finfo(np.float32).max
        if not (np.abs(values) <= largest).all() or (np.signbit(values) & (values == 0)).any():
            raise KdpError(f"{where}: {name} holds NaN, infinity or -0.0; quantize again")
    for lower, upper in (("obs_low", "obs_high"), ("act_low", "safe_action"), ("safe_action", "act_high")):
        if not (arrays[lower] <= arrays[upper]).all():
            raise KdpError(f"{where}: {lower} must not be above {upper}; quantize again")
    if min(spec.act_rate) < 0:
        raise KdpError(f"{where}: act_rate must not be negative; quantize again")
    if min(spec.act_gain) <= 0:
        raise KdpError(f"{where}: act_gain must be above 0 everywhere; quantize again")
    if not all(-128 <= value <= 127 for value in spec.latent_table):
        raise KdpError(f"{where}: latent_table holds values outside int8; quantize again")
