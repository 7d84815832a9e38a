# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Every kernel, compiled on the host under address and undefined sanitizers, equals the reference.

The assembly tiles are replaced by the same arithmetic in C here; test_kernels_emulated runs them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdp_edge.bench.firmware.calls import make_calls
from kdp_edge.exporters.c_layout import KERNELS
from tests.actors import integer_actor

from .host import HostNet
from .nets import extreme_net, plain_net

SHAPES = [  # inputs, width, blocks, outputs, shared: sizes that no kernel's steps divide
    (19, 128, 2, 56, 11),
    (9, 30, 0, 1, 0),
    (37, 21, 3, 7, 34),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("make", [plain_net, extreme_net])
@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_kernel_equals_the_reference_for_every_batch_size(kernel, make, shape, tmp_path: Path) -> None:
    *sizes, shared_size = shape
    net = make(*sizes, seed=3)
    compiled = HostNet(net, shared_size, kernel, tmp_path)
    values = set()
    for k in (1, 2, 3, 4, 7, 8):
        calls = make_calls(net, shared_size, k, 40, seed=k)
        wrong = np.argwhere(calls.expected != compiled.run(calls))
        assert wrong.size == 0, f"k {k}: {len(wrong)} differ, first at (call, candidate, output) {wrong[0]}"
        values |= set(calls.expected.ravel().tolist())
    assert len(values) > 4, f"the net answers {values} only: this compares nothing"


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_kernel_runs_actors_as_the_reference(kernel, tmp_path: Path) -> None:
    for kind in ("residual", "squashed"):  # sizes that no kernel's steps divide
        net = integer_actor(kind, inputs=13, widths=(45, 22), outputs=5)
        folder = tmp_path / kind
        folder.mkdir()
        compiled = HostNet(net, net.input_size, kernel, folder)
        calls = make_calls(net, net.input_size, 1, 60, seed=1)
        wrong = np.argwhere(calls.expected != compiled.run(calls))
        assert wrong.size == 0, f"{kind}: {len(wrong)} differ, first at (call, candidate, output) {wrong[0]}"
        assert len(np.unique(calls.expected)) > 100
