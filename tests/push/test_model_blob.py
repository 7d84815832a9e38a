# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The blob: the numbers that the generated C has, and nothing but a whole one is accepted."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.c_layout import kernel_named
from kdp_edge.exporters.c_source import c_arrays
from kdp_edge.exporters.model_blob import KERNEL_IDS, MAX_BLOCKS, WORD, model_blob
from kdp_edge.exporters.net_layout import NetArrays, lay_out
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.synthetic import random_planner
from tests.push.conftest import small


@pytest.mark.parametrize("kernel", KERNEL_IDS)
def test_arrays_are_those_of_the_generated_c(kernel: str) -> None:
    planner = random_planner(width=40, blocks=2, critic_width=20)
    for net in (planner.generator, planner.critic):
        written = _arrays_of_c(net, planner.spec.obs_dim, kernel)
        found = _named(lay_out(net, planner.spec.obs_dim, kernel_named(kernel)))
        assert written.keys() == found.keys()
        for name, values in found.items():
            np.testing.assert_array_equal(values, written[name], err_msg=f"{net.name} {name}")


def _arrays_of_c(net: IntegerNet, shared: int, kernel: str) -> dict[str, np.ndarray]:
    source = c_arrays(net, "net", shared, kernel).source
    initialisers = re.finditer(r"int(?:8|32)_t net_(\w+)\[\d+\] = \{([-\d,\s]+)\}", source)
    return {m[1]: np.array(re.findall(r"-?\d+", m[2]), np.int64) for m in initialisers}


def _named(net: NetArrays) -> dict[str, np.ndarray]:
    layers = {"shared": net.shared, "first": net.first, "last": net.last}
    named: dict[str, np.ndarray] = {}
    for index, block in enumerate(net.blocks):
        layers |= {f"block{index}_inner": block.inner, f"block{index}_branch": block.branch}
        named[f"block{index}_add"] = block.add.tables
    for name, layer in layers.items():
        named |= {f"{name}_weights": layer.weights, f"{name}_rows": layer.rows}
    return named


def test_the_same_planner_gives_the_same_bytes() -> None:
    for kernel in KERNEL_IDS:
        blob = model_blob(small(0), kernel)
        assert blob == model_blob(small(0), kernel)
        assert blob != model_blob(small(1), kernel)
        assert len(blob) % WORD == 0


def test_every_changed_bit_and_every_cut_is_refused(tmp_path: Path) -> None:
    core, program, file = FIRMWARE / "core", tmp_path / "flip", tmp_path / "blob"
    sources = [core / f"kdp_{name}.c" for name in ("blob", "frame", "sha256", "planner", "latents")]
    sources += [*sorted((FIRMWARE / "nn").glob("*.c")), Path(__file__).with_name("flip_blob.c")]
    flags = ["-O2", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-DKDP_KERNEL=KDP_KERNEL_PORTABLE"]
    includes = [f"-I{core}", f"-I{FIRMWARE / 'nn'}"]
    subprocess.run(["gcc", *flags, *includes, *map(str, sources), "-o", str(program)], check=True)
    tiny = small(0, width=4, blocks=0, critic_width=4)
    file.write_bytes(model_blob(tiny, "portable"))
    done = subprocess.run([program, file], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0\n")


def test_what_no_slot_takes_is_refused_with_what_to_do() -> None:
    with pytest.raises(KdpError, match=rf"{MAX_BLOCKS + 1} blocks .* flash it instead"):
        model_blob(small(0, blocks=MAX_BLOCKS + 1), "portable")
    with pytest.raises(KdpError, match="unknown kernel 'avx'"):
        model_blob(small(0), "avx")
