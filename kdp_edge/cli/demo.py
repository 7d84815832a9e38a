# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge demo`: the whole line once, each step the command that a user would type."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.base.errors import KdpError

TASK = "hopper-medium-expert"
# small enough for minutes, large enough that the policy walks; `kdp-edge train` has the full recipe
DATA = ["data", "make", TASK, "--steps", "160000", "--name", f"{TASK}-demo"]
TRAIN = ["train", TASK, "--data", f"{TASK}-demo"]
FAST = ["--steps", "3000", "--value-steps", "4000", "--distill-steps", "2000", "--set", "plant_steps=2500"]
DEVICES = ["reference", "native", "qemu:stm32f405"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    episodes: Annotated[int, typer.Option(min=1, help="Episodes per device.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
) -> None:
    """Data, training, int8, four bundles, firmware, emulated board, closed loop, report - in minutes.

    Example: `kdp-edge demo`
    """
    started = time.monotonic()
    _run(DATA)
    _run([*TRAIN, *FAST, "--seed", str(seed)])
    run = str(_newest_run())
    # ranked, so that the whole firmware works; float plays beside the devices below
    _run(["quantize", "--run", run, "--k", "8", "--margin", "0.3", "--check-episodes", "0"])
    for target in _targets():
        _run(["export", "--target", target, "--run", run])
    _run(["build", "--board", "stm32f405", "--run", run])
    devices = [word for name in DEVICES for word in ("--device", name)]
    _run(["hil", *devices, "--episodes", str(episodes), "--run", run])
    typer.echo(f"\nThe whole line took {time.monotonic() - started:.0f} s.")


def _targets() -> list[str]:
    """Every target; where TFLite-Micro is not installed, the others, and a line that says so."""
    if find_spec("tflite_micro"):
        return ["jetson", "sbc", "tflm", "firmware"]
    typer.echo(
        "\nLeft out: the bundle for tflm, which needs pip install 'kdp-edge[tflm]' (x86-64 Linux only)."
    )
    return ["jetson", "sbc", "firmware"]


def _newest_run() -> Path:
    from kdp_edge.run import newest_run

    return newest_run(TASK).path


def _run(words: list[str]) -> None:
    """One command in a process of its own, shown as it would be typed."""
    typer.secho(f"\n$ kdp-edge {' '.join(words)}", bold=True)
    code = subprocess.run([sys.executable, "-m", "kdp_edge", *words], check=False).returncode
    if code:
        raise KdpError(f"the demo stopped: `kdp-edge {' '.join(words)}` ended with exit code {code}", code)
