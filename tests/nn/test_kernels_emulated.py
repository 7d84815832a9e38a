# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Every kernel, assembly included, equals the reference on the emulated core it is made for."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdp_edge.bench.firmware.boards import board_named
from kdp_edge.bench.firmware.calls import make_calls
from kdp_edge.bench.firmware.measure import parse
from kdp_edge.bench.firmware.programs import build_net

from .nets import extreme_net, plain_net

TARGETS = [
    ("stm32f405", "m4"),
    ("stm32f405", "portable"),
    ("mps2-an500", "m4"),
    ("mps3-an547", "mve"),
    ("rp2040", "dual"),
]
# inputs, width, blocks, outputs, shared, k: whole tiles and left-over candidates, loops of the
# assembly entered at different steps, odd numbers of outputs
CASES = [
    (plain_net, (19, 136, 2, 55, 11), 6),
    (extreme_net, (43, 40, 1, 9, 30), 7),
    (extreme_net, (12, 21, 3, 2, 0), 9),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}-{case[1]}-k{case[2]}")
@pytest.mark.parametrize("target", TARGETS, ids="-".join)
def test_kernel_equals_the_reference_on_its_core(target, case, tmp_path: Path) -> None:
    (board_name, kernel), (make, (*sizes, shared_size), k) = target, case
    board, net = board_named(board_name), make(*sizes, seed=5)
    calls = make_calls(net, shared_size, k, 30, seed=k)
    program = build_net(board, kernel, net, shared_size, calls, tmp_path, yardsticks=False)
    done = parse(board.run(program.elf), program.elf.name)
    assert {case.name: case.equal for case in done} == {"batch": 30, "one_by_one": 30}
