# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What bounds an action: from the data, or from the owner of the robot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.limits import Limits, Wishes, limits_of
from kdp_edge.tasks import Robot, get_task
from kdp_edge.tasks.robot import Safety

ROBOT = get_task("hopper-medium-expert").robot
CHANGE = np.array([0.1, 0.0, 5.0], np.float32)


def limits(change: np.ndarray | None = CHANGE, **wishes: object) -> Limits:
    return limits_of(ROBOT, change, Wishes(**wishes))  # type: ignore[arg-type]


def test_the_rate_is_what_the_data_show_widened_within_the_range() -> None:
    np.testing.assert_allclose(limits().rate, [0.15, 0.02, 2.0], rtol=1e-6)
    np.testing.assert_allclose(limits(None).rate, [2.0, 2.0, 2.0])


def test_the_owner_has_the_last_word_for_all_actuators_or_one() -> None:
    name = ROBOT.actions[1].name
    wished = limits(
        max_change=["0.5", f"{name}=0.25"], safe_action=[f"{name}=-1"], safe_steps=3, silent_steps=1
    )
    np.testing.assert_allclose(wished.rate, [0.5, 0.25, 0.5])
    np.testing.assert_allclose(wished.safe_action, [0, -1, 0])
    assert (wished.safe_steps, wished.silent_steps) == (3, 1)
    assert not np.signbit(limits(safe_action=["-0"]).safe_action).any()


def lifted(**declared: object) -> Robot:
    """Hopper with thrusters instead of motors: 1 to 3 N."""
    actions = (replace(ROBOT.actions[0], low=1.0, high=3.0, **declared), *ROBOT.actions[1:])  # type: ignore[arg-type]
    return replace(ROBOT, actions=actions)


def test_what_the_robot_file_declares_goes_before_the_data() -> None:
    found = limits_of(lifted(max_change=0.25, safe=1.5), CHANGE, Wishes())
    np.testing.assert_allclose(found.rate, [0.25, 0.02, 2.0])
    np.testing.assert_allclose(found.safe_action, [1.5, 0, 0])
    np.testing.assert_allclose([found.middle[0], found.half[0]], [2.0, 1.0])
    held = limits_of(lifted(safe="hold"), CHANGE, Wishes())
    assert held.safe_hold.tolist() == [True, False, False]
    wish = Wishes(safe_action=[f"{ROBOT.actions[0].name}=2"])
    assert limits_of(lifted(safe="hold"), CHANGE, wish).safe_hold.tolist() == [False] * 3
    safety = replace(ROBOT, safety=Safety(7, 3, 4.5))
    declared = limits_of(safety, CHANGE, Wishes())
    assert (declared.safe_steps, declared.silent_steps, declared.deadline_us) == (7, 3, 4500)


@pytest.mark.parametrize(
    ("wishes", "names"),
    [
        ({"max_change": ["elbow=1"]}, "unknown actuator 'elbow'"),
        ({"max_change": ["fast"]}, "'fast' is no number"),
        ({"max_change": ["nan"]}, "'nan' is no number"),
        ({"max_change": ["0"]}, "expected more than 0"),
        ({"safe_action": ["1.5"]}, "expected -1 to 1"),
        ({"safe_action": ["fast"]}, "'fast' is neither a number nor hold"),
        ({"safe_steps": -1}, "steps before the stop is -1, expected 0 to"),
        ({"deadline_ms": 0.0}, "--deadline-ms 0: expected"),
        ({"silent_steps": 0}, "silent steps is 0, expected 1 to"),
    ],
)
def test_a_wish_that_no_limit_can_be_is_refused(wishes: dict[str, object], names: str) -> None:
    with pytest.raises(KdpError, match=names):
        limits(**wishes)
