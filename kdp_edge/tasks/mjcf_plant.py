# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A MuJoCo model as a plant: sensors and actuators by name, without a line of Python of its user's."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.spaces import Box

from kdp_edge.base.errors import KdpError, reason
from kdp_edge.base.lookup import unknown
from kdp_edge.tasks.mjcf import Model
from kdp_edge.tasks.robot import IS_SUCCESS, Robot, Within

RATE_SLACK = 1e-3  # of the rate
FREE, BALL = int(mujoco.mjtJoint.mjJNT_FREE), int(mujoco.mjtJoint.mjJNT_BALL)
POSITIONS, VELOCITIES = {FREE: 7, BALL: 4}, {FREE: 6, BALL: 3}  # numbers of a joint; of others 1
MOVED = {FREE: 3, BALL: 0}  # of its positions, by noise: no quaternion
SENSOR, QPOS, QVEL = "sensor", "qpos", "qvel"


@dataclass(frozen=True)
class Reading:
    """Where numbers of the observation come from: `what` is sensor, qpos or qvel, `number` whose."""

    what: str
    number: int  # of the sensor or joint
    begin: int  # in sensordata, qpos or qvel
    count: int


@lru_cache(maxsize=4)
def compiled(model: Model) -> mujoco.MjModel:
    """The model as MuJoCo compiles it; shared, so nobody may change it.

    Raises:
        KdpError: MuJoCo does not take it.
    """
    with tempfile.TemporaryDirectory() as folder, quiet():
        try:
            return mujoco.MjModel.from_xml_path(str(model.unpack(Path(folder))))
        except (ValueError, RuntimeError, mujoco.FatalError) as error:
            said = reason(error).replace(f"{folder}/", "")
            raise KdpError(
                f"{model.main}: MuJoCo {mujoco.__version__} does not take this model ({said})"
            ) from None


class quiet:
    """MuJoCo's warnings unheard: they go to a log file in the working directory otherwise."""

    def __enter__(self) -> None:
        self._earlier = mujoco.get_mju_user_warning()
        mujoco.set_mju_user_warning(_unheard)

    def __exit__(self, *_: object) -> None:
        mujoco.set_mju_user_warning(self._earlier)


def _unheard(message: str) -> None:
    pass


def name_of(mj: mujoco.MjModel, kind: mujoco.mjtObj, number: int) -> str:
    """The name of a model's element; "#0" is the first one where it has none."""
    return mujoco.mj_id2name(mj, kind, number) or f"#{number}"


def number_of(mj: mujoco.MjModel, kind: mujoco.mjtObj, name: str, count: int, what: str) -> int:
    """The inverse of `name_of`; raises `KdpError` for a name that the model has not."""
    names = [name_of(mj, kind, number) for number in range(count)]
    if name not in names:
        raise unknown(what, name, names)
    return names.index(name)


def reading_of(mj: mujoco.MjModel, source: str) -> Reading:
    """What `source` names: a sensor, "qpos:JOINT" or "qvel:JOINT"."""
    what, colon, name = source.partition(":")
    if not colon or what not in (QPOS, QVEL):
        number = number_of(mj, mujoco.mjtObj.mjOBJ_SENSOR, source, mj.nsensor, "sensor")
        return Reading(SENSOR, number, int(mj.sensor_adr[number]), int(mj.sensor_dim[number]))
    number = number_of(mj, mujoco.mjtObj.mjOBJ_JOINT, name, mj.njnt, "joint")
    kind = int(mj.jnt_type[number])
    if what == QPOS:
        return Reading(QPOS, number, int(mj.jnt_qposadr[number]), POSITIONS.get(kind, 1))
    return Reading(QVEL, number, int(mj.jnt_dofadr[number]), VELOCITIES.get(kind, 1))


def frame_skip(timestep: float, rate_hz: float, where: str) -> int:
    """Steps of the model in a control period of `rate_hz`.

    Raises:
        KdpError: they do not come out even.
    """
    exact = 1 / (rate_hz * timestep)
    skip = max(1, round(exact))
    if abs(skip / exact - 1) > RATE_SLACK:
        below, above = max(1, int(exact)), max(1, int(exact)) + 1
        raise KdpError(
            f"{where}: rate_hz is {rate_hz:g}, but the model steps every {timestep:g} s, so a control period "
            f"would be {exact:.4g} steps; give {1 / (below * timestep):.6g} or {1 / (above * timestep):.6g}, "
            "or the model another timestep"
        )
    return skip


class MjcfPlant(gymnasium.Env):
    """The plant of a robot whose file names a model; observations and actions in the robot's units, float32.

    Reward 1 for each step in which every target holds (`info["is_success"]`), 0 without targets. An episode
    is terminated where a signal leaves its `end`, or the simulation is no number any more.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # the type that gymnasium declares

    def __init__(self, robot: Robot) -> None:
        assert robot.model is not None
        plant, where = robot.plant, f"robot '{robot.name}', {robot.plant.mjcf}"
        self.robot, self.model = robot, compiled(robot.model)
        self.data = mujoco.MjData(self.model)
        self.frame_skip = frame_skip(self.model.opt.timestep, robot.rate_hz, where)
        try:
            self.readings = [
                reading_of(self.model, source) for source in plant.sensors or self._all_sensors()
            ]
            self.actuators = [
                number_of(self.model, mujoco.mjtObj.mjOBJ_ACTUATOR, name, self.model.nu, "actuator")
                for name in plant.actuators or self._all_actuators()
            ]
            self.keyframe = -1
            if plant.keyframe:
                kind = mujoco.mjtObj.mjOBJ_KEY
                self.keyframe = number_of(self.model, kind, plant.keyframe, self.model.nkey, "keyframe")
        except KdpError as error:
            raise KdpError(f"{where}: {error}") from None
        self._check(where)
        names = [one.name for one in robot.observations]
        self._targets = [(names.index(one.signal), one) for one in plant.target]
        self._ends = [(names.index(one.signal), one) for one in plant.end]
        self._sensed = any(reading.what == SENSOR for reading in self.readings)
        self.observation_space = Box(-np.inf, np.inf, (len(names),), np.float32)
        self.action_space = Box(robot.low, robot.high, dtype=np.float32)

    @property
    def dt(self) -> float:
        """Seconds of a control period."""
        return float(self.frame_skip * self.model.opt.timestep)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        with quiet():
            if self.keyframe >= 0:
                mujoco.mj_resetDataKeyframe(self.model, self.data, self.keyframe)
            else:
                mujoco.mj_resetData(self.model, self.data)
            self._disturb()
            mujoco.mj_forward(self.model, self.data)
        self._seen = self._observation()
        return self._seen, {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.do_simulation(np.clip(action, self.robot.low, self.robot.high), self.frame_skip)
        if self._sensed:  # a step leaves the sensors of the state before it
            with quiet():
                mujoco.mj_forward(self.model, self.data)
        diverged = any(
            warning.number for warning in self.data.warning[int(mujoco.mjtWarning.mjWARN_BADQPOS) :]
        )
        observation = self._observation()
        if diverged or not np.isfinite(observation).all():
            return self._seen, 0.0, True, False, {IS_SUCCESS: False} if self._targets else {}
        self._seen = observation
        ended = not all(_holds(observation[i], one) for i, one in self._ends)
        if not self._targets:
            return observation, 0.0, ended, False, {}
        reached = all(_holds(observation[i], one) for i, one in self._targets)
        return observation, float(reached), ended, False, {IS_SUCCESS: reached}

    def do_simulation(self, ctrl: np.ndarray, n_frames: int) -> None:
        """Hold a control for some of the model's steps, as Gymnasium's MuJoCo environments do."""
        self.data.ctrl[self.actuators] = ctrl
        with quiet():
            mujoco.mj_step(self.model, self.data, n_frames)

    def _all_sensors(self) -> list[str]:
        return [name_of(self.model, mujoco.mjtObj.mjOBJ_SENSOR, i) for i in range(self.model.nsensor)]

    def _all_actuators(self) -> list[str]:
        return [name_of(self.model, mujoco.mjtObj.mjOBJ_ACTUATOR, i) for i in range(self.model.nu)]

    def _check(self, where: str) -> None:
        robot, count = self.robot, sum(reading.count for reading in self.readings)
        if count != len(robot.observations) or len(self.actuators) != len(robot.actions):
            raise KdpError(
                f"{where}: its sensors give {count} numbers, expected one for each of "
                f"{len(robot.observations)} [[observation]]; it has {len(self.actuators)} actuators, "
                f"expected one for each of {len(robot.actions)} [[action]]"
            )
        for action, number in zip(robot.actions, self.actuators, strict=True):
            low, high = self.model.actuator_ctrlrange[number]
            if self.model.actuator_ctrllimited[number] and (
                action.low < low - 1e-6 or action.high > high + 1e-6
            ):
                raise KdpError(
                    f"{where}: action {action.name} goes from {action.low:g} to {action.high:g}, the model's "
                    f"ctrlrange is {low:g} to {high:g}; declare a range within it"
                )

    def _observation(self) -> np.ndarray:
        arrays = {SENSOR: self.data.sensordata, QPOS: self.data.qpos, QVEL: self.data.qvel}
        parts = [arrays[one.what][one.begin : one.begin + one.count] for one in self.readings]
        return np.concatenate(parts).astype(np.float32)

    def _disturb(self) -> None:
        plant, mj, rng = self.robot.plant, self.model, self.np_random
        for joint in range(mj.njnt):
            begin = mj.jnt_qposadr[joint]
            moved = slice(begin, begin + MOVED.get(int(mj.jnt_type[joint]), 1))
            noise = rng.uniform(-plant.position_noise, plant.position_noise, moved.stop - moved.start)
            self.data.qpos[moved] += noise
            if mj.jnt_limited[joint] and int(mj.jnt_type[joint]) not in MOVED:
                self.data.qpos[moved] = np.clip(self.data.qpos[moved], *mj.jnt_range[joint])
        self.data.qvel[:] += rng.normal(0, plant.velocity_noise, mj.nv)


def _holds(value: float, within: Within) -> bool:
    return (within.low is None or value >= within.low) and (within.high is None or value <= within.high)
