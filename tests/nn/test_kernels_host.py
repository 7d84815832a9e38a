"""Every kernel, compiled on the host under address and undefined sanitizers, equals the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kdp_edge.export.c_layout import KERNELS

from kdp_edge.quantize.synthetic import random_net

from .host import HostNet
from .nets import batches, expected, extreme_net

SHAPES = [  # inputs, width, blocks, outputs, shared
    (19, 128, 2, 56, 11),
    (14, 64, 1, 1, 11),
    (9, 30, 0, 5, 0),
    (37, 21, 3, 7, 34),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("make", [random_net, extreme_net])
@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_kernel_equals_the_reference_for_every_batch_size(kernel, make, shape, tmp_path: Path) -> None:
    inputs, width, blocks, outputs, shared_size = shape
    args = (inputs, width, blocks, outputs)
    net = make(*args, 3) if make is extreme_net else make("net", *args, seed=3)
    compiled = HostNet(net, shared_size, kernel, tmp_path)
    varied = 0
    for k in (1, 2, 3, 4, 7, 8):
        shared, columns = batches(net, shared_size, k, 40, seed=k)
        want = expected(net, shared, columns)
        got = compiled.run(shared, columns)
        wrong = np.argwhere(want != got)
        assert wrong.size == 0, f"k {k}: {len(wrong)} differ, first at (call, candidate, output) {wrong[0]}"
        varied += len(np.unique(want))
    assert varied > 12, "the net saturates everywhere: this compares nothing"
