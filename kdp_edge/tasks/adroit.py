# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Adroit's door and relocate: D4RL's reference scores, our own twins; the hand is in adroit_hand.py."""

from __future__ import annotations

from kdp_edge.tasks.task import Part, Task

# Joints of the Adroit hand in MuJoCo's names: arm, wrist, fingers from first to little, thumb.
_HAND = (
    *("ARRx", "ARRy", "ARRz", "WRJ1", "WRJ0"),
    *(f"{finger}FJ{joint}" for finger in "FMR" for joint in (3, 2, 1, 0)),
    *(f"LFJ{joint}" for joint in (4, 3, 2, 1, 0)),
    *(f"THJ{joint}" for joint in (4, 3, 2, 1, 0)),
)


def _axes(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}_{axis}" for name in names for axis in "xyz")


# A quarter of good episodes among poor ones: action noise makes the shipped students fail.
_CLONED = {
    "door": (
        Part("adroit/door_student", 0.2, 0.1),
        Part("adroit/door_student", 0.3, 0.2),
        Part("adroit/door_student", 0.3, 0.3),
        Part("adroit/door_student_early", 0.2, 0.3),
    ),
    "relocate": (
        Part("adroit/relocate_student", 0.3, 0.1),
        Part("adroit/relocate_student", 0.3, 0.15),
        Part("adroit/relocate_student", 0.2, 0.2),
        Part("adroit/relocate_student_early", 0.2, 0.3),
    ),
}
_ADROIT_REFERENCE = {
    "door": (-56.512833, 2880.5693087298737),
    "relocate": (-6.425911, 4233.877797728884),
}


def _adroit(name: str) -> Task:
    """24-joint hand on an arm; the environment is D4RL's, with the reward's sign as D4RL has it."""
    arm = ("ARTz",) if name == "door" else ("ARTx", "ARTy", "ARTz")
    if name == "door":
        joints = tuple((joint, "rad") for joint in (*_HAND, "latch", "door_hinge"))
        rest = (*((n, "m") for n in _axes("palm", "handle", "palm_to_handle")), ("door_open", "1"))
    else:
        joints = (*((joint, "m") for joint in arm), *((joint, "rad") for joint in _HAND))
        rest = tuple((n, "m") for n in _axes("palm_to_ball", "palm_to_target", "ball_to_target"))
    signals = (*joints, *rest)
    actuators = (*arm, *_HAND)
    return Task(
        name=f"{name}-cloned",
        env_id=f"kdp_edge.envs:kdp-edge/Adroit{name.capitalize()}-v0",
        obs_names=tuple(name for name, _ in signals),
        obs_units=tuple(unit for _, unit in signals),
        act_names=tuple(f"{joint}_position" for joint in actuators),
        act_units=("1",) * len(actuators),  # share of the actuator's range around its middle
        act_low=-1.0,
        act_high=1.0,
        rate_hz=100.0,
        max_episode_steps=200,
        ref_min=_ADROIT_REFERENCE[name][0],
        ref_max=_ADROIT_REFERENCE[name][1],
        recipe=_CLONED[name],
        default_steps=400_000,
    )


ADROIT = tuple(_adroit(name) for name in _CLONED)
