# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A robot as the text of its file, every table with a comment; reading it back gives the same robot."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kdp_edge.tasks.robot import HOLD, Action, Observation, Plant, Robot

_HEAD = """\
# A robot: what it senses, what moves it, where it is simulated and when it stops. docs/your-robot.md explains
# each line; `kdp-edge robot check` holds this file against data and plant.
"""
_OBSERVATIONS = """
# The signals of an observation, in the order in which the controller gets them. A device takes a value from
# low to high; without them it takes what the data show, and twice their span beyond.
"""
_ACTIONS = """
# The actuators, in order. low, high: their range. safe: what a stop plays, a value or "hold" (the value
# played last). max_change: between two control steps; without it 1.5 times what 99.9 % of the data's steps
# stay below.
"""
_PLANT = """
# Where it is simulated: a Gymnasium environment, "module:Name-v0" where importing the module registers it.
# Empty: nowhere; then `hil --replay` and `eval` use recorded data. meanwhile: what its actuators do until a
# late action comes: "hold" the one before it (without this line), "zero", or the "safe" values of a stop.
"""
_MODEL = """
# A model of MuJoCo (MJCF). sensors: its sensors, "qpos:JOINT" and "qvel:JOINT", in the order of the
# observation; actuators: in the order of the actions; "#0" is the first one where it has no name. Episodes
# begin at keyframe (without it the model's own state), joints moved by up to position_noise (m, rad),
# velocities by velocity_noise (standard deviation). A step earns 1 where every [[plant.target]] (signal, low,
# high) holds, and the episode has then succeeded; it ends where a signal leaves its [[plant.end]] (the same).
"""
_SAFETY = """
# steps_before_stop: control steps without a plan made in time before the stop is latched (0.1 s of them).
# silent_steps: periods of silence before the device plays by its own clock (2). deadline_ms: for one plan (a
# period).
"""
_SCORE = """
# The returns that are 0 and 100 points (the worst and the best episode of the data), and the key of the
# environment's info that says an episode succeeded.
"""


def robot_text(robot: Robot) -> str:
    """The text of a robot file."""
    plant, safety, score = robot.plant, robot.safety, robot.score
    lines = [_HEAD, "[robot]", f"name = {_value(robot.name)}", f"rate_hz = {_value(robot.rate_hz)}"]
    lines += _plant(plant)
    lines += [_OBSERVATIONS.rstrip("\n")]
    lines += [line for one in robot.observations for line in _observation(one)]
    lines += [_ACTIONS.rstrip("\n")]
    lines += [line for one in robot.actions for line in _action(one)]
    lines += _table(
        "safety", _SAFETY, steps_before_stop=safety.steps_before_stop, silent_steps=safety.silent_steps,
        deadline_ms=safety.deadline_ms,
    )  # fmt: skip
    lines += _table("score", _SCORE, low=score.low, high=score.high, success=score.success or None)
    return "\n".join(lines) + "\n"


def _table(name: str, comment: str, **values: object) -> list[str]:
    return [comment.rstrip("\n"), f"[{name}]", *_lines(values)]


def _plant(plant: Plant) -> list[str]:
    steps, meanwhile = plant.max_episode_steps, None if plant.meanwhile == HOLD else plant.meanwhile
    if not plant.mjcf:
        return _table(
            "plant", _PLANT, gymnasium=plant.gymnasium, max_episode_steps=steps, meanwhile=meanwhile
        )
    lines = _table(
        "plant", _MODEL, mjcf=plant.mjcf, max_episode_steps=steps, meanwhile=meanwhile,
        sensors=plant.sensors or None, actuators=plant.actuators or None, keyframe=plant.keyframe or None,
        position_noise=plant.position_noise, velocity_noise=plant.velocity_noise,
    )  # fmt: skip
    for name, ranges in (("target", plant.target), ("end", plant.end)):
        for one in ranges:
            lines += [f"[[plant.{name}]]", *_lines(vars(one))]
    return lines


def _observation(one: Observation) -> list[str]:
    return [
        "[[observation]]",
        *_lines({"name": one.name, "unit": one.unit, "low": one.low, "high": one.high}),
    ]


def _action(one: Action) -> list[str]:
    values = {"name": one.name, "unit": one.unit, "low": one.low, "high": one.high, "safe": one.safe}
    return ["[[action]]", *_lines({**values, "max_change": one.max_change})]


def _lines(values: Mapping[str, object]) -> list[str]:
    return [f"{name} = {_value(value)}" for name, value in values.items() if value is not None]


def _value(value: object) -> str:
    """A TOML value: JSON's strings and numbers are TOML's, too."""
    return json.dumps(value, ensure_ascii=False)
