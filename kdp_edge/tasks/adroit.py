# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Adroit's door and relocate: our own twins of D4RL's data; the hand is in adroit_hand.py."""

from __future__ import annotations

from kdp_edge.tasks.robots import built_in
from kdp_edge.tasks.task import Part, Task

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


def _adroit(name: str) -> Task:
    """24-joint hand on an arm; the environment is D4RL's, with the reward's sign as D4RL has it."""
    return Task(f"{name}-cloned", built_in(name), _CLONED[name], 400_000)


ADROIT = tuple(_adroit(name) for name in _CLONED)
