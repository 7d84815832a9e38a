"""What the tests of the closed loop share: a random policy that fits Hopper, and its server."""

from __future__ import annotations

import pytest

from kdp_edge.hil.float_planner import FloatPlanner
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import MemoryPipe
from kdp_edge.hil.server import Server
from kdp_edge.quantize.plan import IntegerPlanner
from kdp_edge.quantize.synthetic import random_planner
from kdp_edge.tasks import get_task

TASK = "hopper-medium-expert"


@pytest.fixture(scope="session")
def planner() -> IntegerPlanner:
    """Random weights, Hopper's signals, limits that are often met."""
    task = get_task(TASK)
    return random_planner(
        task=TASK,
        obs_names=list(task.obs_names),
        act_names=list(task.act_names),
        act_rate=[0.3, 0.4, 0.5],
        safe_steps=3,
    )


@pytest.fixture(scope="session")
def float_planner(planner: IntegerPlanner) -> FloatPlanner:
    return FloatPlanner.from_integer(planner)


@pytest.fixture
def link(planner: IntegerPlanner) -> Link:
    """A link to a fresh reference server, greeted."""
    link = Link(MemoryPipe(Server(planner).feed), timeout=0.02)
    link.hello()
    return link
