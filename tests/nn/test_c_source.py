# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the exporter writes for the kernels, and what it refuses to write."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.c_layout import KERNELS
from kdp_edge.exporters.c_source import c_arrays
from kdp_edge.quantization.integer_net import IntegerNet, Linear

from .host import NN
from .nets import plain_net


@pytest.fixture
def net() -> IntegerNet:
    return plain_net(9, 24, 1, 5, seed=1)


def with_first_layer(net: IntegerNet, **fields: object) -> IntegerNet:
    first = net.operations[0]
    assert isinstance(first, Linear)
    return replace(net, operations=(replace(first, **fields), *net.operations[1:]))  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_the_same_net_gives_the_same_text(net: IntegerNet, kernel: str) -> None:
    assert c_arrays(net, "a", 4, kernel) == c_arrays(net, "a", 4, kernel)


def test_a_net_for_another_kernel_does_not_compile(net: IntegerNet, tmp_path: Path) -> None:
    source = c_arrays(net, "model", 4, "mve")
    (tmp_path / "model.h").write_text(source.header)
    (tmp_path / "model.c").write_text(source.source)
    command = ["gcc", "-std=c99", f"-I{NN}", "-fsyntax-only", str(tmp_path / "model.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "model is not laid out for this kernel: export it again" in done.stderr


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_scratch_bytes_are_those_of_the_c_macro(net: IntegerNet, kernel: str, tmp_path: Path) -> None:
    source = c_arrays(net, "model", 4, kernel)
    (tmp_path / "model.h").write_text(source.header)
    checks = [f"int k{k}[MODEL_SCRATCH({k}) == {source.scratch_bytes(k)} ? 1 : -1];" for k in (1, 3, 8, 64)]
    (tmp_path / "check.c").write_text("\n".join(['#include "model.h"', *checks, ""]))
    command = ["gcc", "-std=c99", f"-I{NN}", f"-DKDP_KERNEL={KERNELS[kernel].macro}", "-fsyntax-only"]
    subprocess.run([*command, str(tmp_path / "check.c")], check=True)


def test_names_and_sizes_are_checked(net: IntegerNet) -> None:
    with pytest.raises(KdpError, match="symbol 'Net' is not a lower-case C name"):
        c_arrays(net, "Net", 4, "portable")
    with pytest.raises(KdpError, match=r"shared size 9, expected 0\.\.8"):
        c_arrays(net, "net", 9, "portable")
    with pytest.raises(KdpError, match=r"unknown kernel 'm5': did you mean m4\? known kernels"):
        c_arrays(net, "net", 4, "m5")


def test_another_graph_is_refused(net: IntegerNet) -> None:
    with pytest.raises(KdpError, match="not a ReLU residual MLP"):
        c_arrays(with_first_layer(net, relu=False), "net", 4, "portable")


def test_sums_beyond_a_kernels_range_are_refused(net: IntegerNet) -> None:
    first = net.linears[0]
    bias = np.full_like(first.bias, 2**30 - 1)
    with pytest.raises(KdpError, match=r"first .*output \d+ can sum to .* expected below 1073741824"):
        c_arrays(with_first_layer(net, bias=bias), "net", 4, "portable")
    wide = plain_net(9, 640, 0, 1, seed=1)
    last = wide.operations[-1]
    assert isinstance(last, Linear)
    heavy = replace(last, weight=np.full_like(last.weight, 127))
    with pytest.raises(KdpError, match="make the layer narrower or export for the portable kernel"):
        c_arrays(replace(wide, operations=(*wide.operations[:-1], heavy)), "net", 4, "m4")
    c_arrays(replace(wide, operations=(*wide.operations[:-1], heavy)), "net", 4, "portable")


def test_an_output_that_amplifies_its_sum_is_refused(net: IntegerNet) -> None:
    last = net.operations[-1]
    assert isinstance(last, Linear)
    scale = np.float32(net.scales[last.output] / net.scales[last.input]) * np.float32(0.7)
    steep = replace(last, weight_scale=np.full_like(last.weight_scale, scale))
    with pytest.raises(KdpError, match=r"last .*output 0 multiplies its sum by 0\.5 or more"):
        c_arrays(replace(net, operations=(*net.operations[:-1], steep)), "net", 4, "m4")
