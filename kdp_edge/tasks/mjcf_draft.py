# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A robot drafted from a MuJoCo model: every sensor, or every joint where it has none, and every actuator."""

from __future__ import annotations

from collections.abc import Iterator

import mujoco

from kdp_edge.base.errors import KdpError
from kdp_edge.tasks.mjcf import Model
from kdp_edge.tasks.mjcf_plant import (
    BALL,
    FREE,
    QPOS,
    QVEL,
    SENSOR,
    Reading,
    compiled,
    frame_skip,
    name_of,
    reading_of,
)
from kdp_edge.tasks.robot import Action, Observation, Plant, Robot

USUAL_STEPS = 1000  # of an episode
XYZ, WXYZ = ("x", "y", "z"), ("w", "x", "y", "z")
_S = mujoco.mjtSensor
HINGE, SLIDE = int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)
_UNITS = {
    _S.mjSENS_ACCELEROMETER: "m/s^2", _S.mjSENS_VELOCIMETER: "m/s", _S.mjSENS_GYRO: "rad/s",
    _S.mjSENS_FORCE: "N", _S.mjSENS_TORQUE: "N m", _S.mjSENS_MAGNETOMETER: "T", _S.mjSENS_RANGEFINDER: "m",
    _S.mjSENS_FRAMEPOS: "m", _S.mjSENS_FRAMELINVEL: "m/s", _S.mjSENS_FRAMEANGVEL: "rad/s",
    _S.mjSENS_FRAMELINACC: "m/s^2", _S.mjSENS_FRAMEANGACC: "rad/s^2", _S.mjSENS_BALLANGVEL: "rad/s",
    _S.mjSENS_SUBTREECOM: "m", _S.mjSENS_SUBTREELINVEL: "m/s", _S.mjSENS_CLOCK: "s", _S.mjSENS_TOUCH: "N",
}  # fmt: skip
UNITS = {int(kind): unit for kind, unit in _UNITS.items()}
OF_JOINT = {int(_S.mjSENS_JOINTPOS): ("m", "rad"), int(_S.mjSENS_JOINTVEL): ("m/s", "rad/s")}  # slide, hinge


def drafted_from_model(name: str, model: Model, rate_hz: float | None) -> Robot:
    """The robot of a model; what a stop plays is left to its owner.

    Raises:
        KdpError: MuJoCo does not take it, it has no actuator or one without a range, or its timestep and
            `rate_hz` do not come out even; nothing says the rate.
    """
    mj = compiled(model)
    if rate_hz is None:
        dt = mj.opt.timestep
        some = ", ".join(f"{1 / (dt * steps):.6g}" for steps in (1, 2, 5, 10))
        raise KdpError(f"nothing says the control rate; give --rate-hz, with {model.main} for example {some}")
    frame_skip(mj.opt.timestep, rate_hz, model.main)
    if mj.nu == 0:
        raise KdpError(f"{model.main}: no actuator, nothing to control")
    sensors = [name_of(mj, mujoco.mjtObj.mjOBJ_SENSOR, i) for i in range(mj.nsensor)]
    if not sensors:
        joints = [name_of(mj, mujoco.mjtObj.mjOBJ_JOINT, i) for i in range(mj.njnt)]
        sensors = [f"{what}:{joint}" for what in (QPOS, QVEL) for joint in joints]
    signals = [signal for source in sensors for signal in _signals(mj, source)]
    actuators = [name_of(mj, mujoco.mjtObj.mjOBJ_ACTUATOR, i) for i in range(mj.nu)]
    actions = tuple(_action(mj, number, one, model.main) for number, one in enumerate(actuators))
    keyframe = name_of(mj, mujoco.mjtObj.mjOBJ_KEY, 0) if mj.nkey else ""
    plant = Plant(
        mjcf=model.main, max_episode_steps=USUAL_STEPS, sensors=tuple(sensors), actuators=tuple(actuators),
        keyframe=keyframe,
    )  # fmt: skip
    return Robot(name, rate_hz, _distinct(signals), actions, plant, model=model)


def _action(mj: mujoco.MjModel, number: int, name: str, where: str) -> Action:
    low, high = (float(bound) for bound in mj.actuator_ctrlrange[number])
    if not mj.actuator_ctrllimited[number] or not low < high:
        raise KdpError(f'{where}: actuator {name} has no range; give it one in the XML: ctrlrange="LOW HIGH"')
    unit = _joint_unit(mj, number) if _is_position_servo(mj, number) else "1"
    return Action(_of_joint_named(mj, number) or _plain(name, "actuator"), unit, low=low, high=high)


def _of_joint_named(mj: mujoco.MjModel, number: int) -> str:
    """What an actuator without a name is called: after the named joint that it alone moves; else nothing."""
    moved = [int(joint) for joint, _ in mj.actuator_trnid]
    joint = moved[number]
    named = mj.names[mj.name_actuatoradr[number]] != 0
    if named or not _moves_joint(mj, number) or moved.count(joint) > 1:
        return ""
    called = mujoco.mj_id2name(mj, mujoco.mjtObj.mjOBJ_JOINT, joint)
    return f"{called}_command" if called else ""


def _moves_joint(mj: mujoco.MjModel, number: int) -> bool:
    return int(mj.actuator_trntype[number]) == int(mujoco.mjtTrn.mjTRN_JOINT)


def _is_position_servo(mj: mujoco.MjModel, number: int) -> bool:
    """Whether an actuator's command is where its joint shall be (MJCF's <position> with a gear of 1)."""
    gain, gear = mj.actuator_gainprm[number, 0], mj.actuator_gear[number, 0]
    return bool(_moves_joint(mj, number) and gear == 1 and 0 < gain == -mj.actuator_biasprm[number, 1])


def _joint_unit(mj: mujoco.MjModel, number: int) -> str:
    kind = int(mj.jnt_type[mj.actuator_trnid[number, 0]])
    return {HINGE: "rad", SLIDE: "m"}.get(kind, "1")


def _plain(name: str, what: str) -> str:
    """ "#0" as a name."""
    return name.replace("#", f"{what}_") if name.startswith("#") else name


def _signals(mj: mujoco.MjModel, source: str) -> Iterator[Observation]:
    reading = reading_of(mj, source)
    if reading.what == SENSOR:
        units, parts = _of_sensor(mj, reading.number, reading.count)
    else:
        units, parts = _of_joint(int(mj.jnt_type[reading.number]), reading)
    stem = _plain(source.rpartition(":")[2], "sensor" if reading.what == SENSOR else "joint")
    for unit, part in zip(units, parts, strict=True):
        yield Observation(f"{stem}_{part}" if part else stem, unit)


def _of_sensor(mj: mujoco.MjModel, number: int, count: int) -> tuple[list[str], list[str]]:
    kind = int(mj.sensor_type[number])
    unit = UNITS.get(kind, "1")
    if kind in OF_JOINT:
        unit = OF_JOINT[kind][int(mj.jnt_type[mj.sensor_objid[number]] == HINGE)]
    quaternion = kind in (int(_S.mjSENS_FRAMEQUAT), int(_S.mjSENS_BALLQUAT))
    names = (
        [""] if count == 1 else list(WXYZ if quaternion else XYZ if count == 3 else map(str, range(count)))
    )
    return [unit] * count, names


def _of_joint(kind: int, reading: Reading) -> tuple[list[str], list[str]]:
    still = reading.what == QPOS
    if kind in (FREE, BALL):
        turned = [f"q{one}" for one in WXYZ] if still else [f"w{one}" for one in XYZ]
        turn_unit = "1" if still else "rad/s"
        if kind == BALL:
            return [turn_unit] * len(turned), turned
        moved = list(XYZ) if still else [f"v{one}" for one in XYZ]
        return ["m" if still else "m/s"] * 3 + [turn_unit] * len(turned), moved + turned
    unit = "rad" if kind == HINGE else "m"
    return ([unit], [""]) if still else ([f"{unit}/s"], ["velocity"])


def _distinct(signals: list[Observation]) -> tuple[Observation, ...]:
    names = [signal.name for signal in signals]
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise KdpError(
            f"two signals would be called {doubled[0]}; give sensors and joints other names in the XML"
        )
    return tuple(signals)
