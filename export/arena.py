# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How much memory TensorFlow Lite for Microcontrollers needs for a model: the smallest arena that works.

    python -m kdp_edge.exporters.arena MODEL.tflite ...

Measured by bisection in processes of their own, because the interpreter complains on stderr about an
arena that is too small, and aborts when it is far too small.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import KdpError

ALIGNMENT = 16
LARGEST = 1 << 24
LONGEST_S = 300


def arena_bytes(models: list[Path]) -> list[int]:
    """Smallest arena in bytes, a multiple of 16, in which each model allocates and runs on this host."""
    command = [sys.executable, "-m", "kdp_edge.exporters.arena", *map(str, models)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        raise KdpError(f"measuring the arena took over {LONGEST_S} s; try again on an idle machine") from None
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no output"])[-1]
        raise KdpError(f"measuring the arena failed: {last}; check the tflite-micro package")
    return [int(line) for line in result.stdout.split()]


def _runs(model: bytes, arena: int) -> bool:
    """Whether a forked child allocates and invokes the model in `arena` bytes."""
    child = os.fork()
    if child == 0:
        try:
            _invoke(model, arena)
        except RuntimeError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _invoke(model: bytes, arena: int) -> None:
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena)
    shape = interpreter.get_input_details(0)["shape"]
    interpreter.set_input(np.zeros(shape, np.int8), 0)
    interpreter.invoke()


def _smallest(model: bytes) -> int:
    low, high = 0, LARGEST // ALIGNMENT
    if not _runs(model, LARGEST):
        raise SystemExit("the interpreter does not run this model at all")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _runs(model, middle * ALIGNMENT) else (middle, high)
    return high * ALIGNMENT


if __name__ == "__main__":
    from tflite_micro import runtime  # noqa: F401 - loaded once, before forking

    for argument in sys.argv[1:]:
        print(_smallest(Path(argument).read_bytes()))
