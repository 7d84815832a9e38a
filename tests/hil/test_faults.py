# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Faults are parsed strictly, repeat with their seed and act only where they should."""

from __future__ import annotations

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.hil.faults import Fault, parse
from kdp_edge.hil.faulty_pipe import FaultyPipe
from kdp_edge.hil.faulty_signals import Sensor
from kdp_edge.hil.pipes import MemoryPipe

OBSERVATION = np.arange(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("flip", Fault("flip", 0.02)),
        ("drop=0.1", Fault("drop", 0.1)),
        ("off@5:9", Fault("off", 1.0, 5, 9)),
        ("off@5:", Fault("off", 1.0, 5, None)),
        ("wrong=0.5@5", Fault("wrong", 0.5, 5, 6)),
        ("reboot@50", Fault("reboot", 1.0, 50, 51)),
    ],
)
def test_a_fault_is_read_from_its_text(text: str, fault: Fault) -> None:
    assert parse(text) == fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flop", "unknown fault 'flop': did you mean"),
        ("drop=x", "not of the form"),
        ("drop=0.9", "drop takes 0 to 0.5"),
        ("drop=-1", "out of range"),
        ("off@9:5", "are empty"),
        ("reboot", "needs a step"),
        ("drop@5:9", "in force all the time"),
        ("cut", "fault 'cut' needs a step: cut@50"),
        ("overrun=0.5@3", "overrun takes 1 to 100"),
    ],
)
def test_a_wrong_fault_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(KdpError, match=said):
        parse(text)


def test_link_faults_repeat_with_their_seed_and_differ_without() -> None:
    def sent(seed: int) -> list[bytes]:
        out: list[bytes] = []
        pipe = FaultyPipe(
            MemoryPipe(lambda data: out.append(data) or b""),
            [Fault("flip", 0.3), Fault("noise", 0.3), Fault("drop", 0.3)],
            seed,
        )
        for i in range(50):
            pipe.write(bytes([i + 1] * 9 + [0]))
        return out

    assert sent(1) == sent(1) != sent(2)


def sense(fault: Fault, steps: int = 8) -> list[np.ndarray | None]:
    sensor = Sensor([fault], 0)
    sensor.start_episode()
    return [sensor.sense(step, OBSERVATION + np.float32(step))[0] for step in range(steps)]


@pytest.mark.parametrize("name", ["off", "garbage", "wrong"])
def test_a_sensor_fault_acts_in_its_steps_only(name: str) -> None:
    seen = sense(Fault(name, 1.0, 2, 4))
    untouched = [o is not None and np.array_equal(o, OBSERVATION + step) for step, o in enumerate(seen)]
    assert untouched == [step not in (2, 3) for step in range(8)]


def test_what_each_sensor_fault_delivers() -> None:
    assert sense(Fault("off", 1.0))[0] is None
    assert np.isnan(sense(Fault("garbage", 1.0))[0]).all()
    assert (sense(Fault("outside", 1.0))[0] > 1e29).all()
    assert sense(Fault("wrong", 0.5))[0].tolist() == [0.5, 1.5, 2.5]
    jumped = np.stack(sense(Fault("jump", 0.5))) - np.arange(8)[:, None] - OBSERVATION
    assert (np.count_nonzero(jumped, axis=1) == 1).all() and set(jumped[jumped != 0]) == {0.5}
    assert [o[0] for o in sense(Fault("stuck", 1.0, 2, 5))] == [0, 1, 2, 2, 2, 5, 6, 7]
    assert [o[0] for o in sense(Fault("delayed", 2.0))] == [0, 0, 0, 1, 2, 3, 4, 5]
    missing = sum(o is None for o in sense(Fault("intermittent", 0.5), 400))
    assert 150 < missing < 250
