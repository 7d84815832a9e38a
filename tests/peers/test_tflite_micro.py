# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""TensorFlow Lite for Microcontrollers' interpreter computes what the integer reference computes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tflite_micro import runtime

from kdp_edge.exporters.arena import arena_bytes
from kdp_edge.exporters.golden import adversarial_inputs, random_inputs
from kdp_edge.exporters.tflite import to_tflite
from kdp_edge.exporters.tflm import interpret
from kdp_edge.quantization import reference
from kdp_edge.quantization.synthetic import random_net


@pytest.mark.parametrize(
    ("inputs", "width", "blocks", "outputs"), [(19, 128, 2, 56), (1, 8, 0, 1), (43, 96, 3, 32), (7, 33, 1, 5)]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_interpreter_equals_the_reference_on_every_output(
    inputs: int, width: int, blocks: int, outputs: int, seed: int
) -> None:
    net = random_net("net", inputs, width, blocks, outputs, seed)
    vectors = np.concatenate([random_inputs(inputs, 1024, seed), adversarial_inputs(net, seed)])
    np.testing.assert_array_equal(interpret(to_tflite(net), vectors), reference.run(net, vectors))


def test_the_arena_is_the_smallest_that_runs(tmp_path: Path) -> None:
    model = to_tflite(random_net("net", 19, 64, 2, 56))
    file = tmp_path / "net.tflite"
    file.write_bytes(model)
    (arena,) = arena_bytes([file])
    runtime.Interpreter.from_bytes(model, arena_size=arena).invoke()
    smaller = f"""
from tflite_micro import runtime
runtime.Interpreter.from_bytes(open({str(file)!r}, "rb").read(), arena_size={arena - 16}).invoke()
"""
    result = subprocess.run([sys.executable, "-c", smaller], capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "failed to allocate" in result.stderr


def test_the_same_net_gives_the_same_bytes() -> None:
    assert to_tflite(random_net("net", 9, 16, 1, 4)) == to_tflite(random_net("net", 9, 16, 1, 4))
