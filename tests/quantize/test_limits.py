# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What bounds an action: from the data, or from the owner of the robot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.limits import Limits, Wishes, limits_of
from kdp_edge.tasks import get_task

TASK = get_task("hopper-medium-expert")
CHANGE = np.array([0.1, 0.0, 5.0], np.float32)


def limits(change: np.ndarray | None = CHANGE, **wishes: object) -> Limits:
    return limits_of(TASK, change, Wishes(**wishes))  # type: ignore[arg-type]


def test_the_rate_is_what_the_data_show_widened_within_the_range() -> None:
    np.testing.assert_allclose(limits().rate, [0.15, 0.02, 2.0], rtol=1e-6)
    np.testing.assert_allclose(limits(None).rate, [2.0, 2.0, 2.0])


def test_the_owner_has_the_last_word_for_all_actuators_or_one() -> None:
    name = TASK.act_names[1]
    wished = limits(
        max_change=["0.5", f"{name}=0.25"], safe_action=[f"{name}=-1"], safe_steps=3, silent_steps=1
    )
    np.testing.assert_allclose(wished.rate, [0.5, 0.25, 0.5])
    np.testing.assert_allclose(wished.safe_action, [0, -1, 0])
    assert (wished.safe_steps, wished.silent_steps) == (3, 1)
    assert not np.signbit(limits(safe_action=["-0"]).safe_action).any()


def test_zero_is_the_safe_action_where_it_is_in_the_range() -> None:
    lifted = replace(TASK, act_low=0.5, act_high=2.0)
    np.testing.assert_allclose(limits_of(lifted, None, Wishes()).safe_action, [0.5, 0.5, 0.5])


@pytest.mark.parametrize(
    ("wishes", "names"),
    [
        ({"max_change": ["elbow=1"]}, "unknown actuator 'elbow'"),
        ({"max_change": ["fast"]}, "'fast' is no number"),
        ({"max_change": ["nan"]}, "'nan' is no number"),
        ({"max_change": ["0"]}, "expected more than 0"),
        ({"safe_action": ["1.5"]}, "expected -1 to 1"),
        ({"safe_action": ["1e39"]}, "'1e39' is no number"),
        ({"safe_steps": -1}, "--safe-steps -1: expected 0 to"),
        ({"silent_steps": 0}, "--silent-steps 0: expected 1 to"),
    ],
)
def test_a_wish_that_no_limit_can_be_is_refused(wishes: dict[str, object], names: str) -> None:
    with pytest.raises(KdpError, match=names):
        limits(**wishes)
