"""The firmware as a program, with flash in a file and power that can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdp_edge.exporters import firmware
from kdp_edge.exporters.build import BuildOptions, Image, compile_bundle
from kdp_edge.exporters.bundle import write_bundle
from kdp_edge.hil.devices.native import SERVING
from kdp_edge.hil.devices.process import Child
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import SerialPipe
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner

SMALL = dict(
    obs_dim=3, act_dim=1, horizon=2, latent_dim=2, width=8, blocks=1, critic_width=8, critic_blocks=0, k=2
)


def small(seed: int, **overrides: object) -> IntegerPlanner:
    """A planner whose blob is a few kilobytes."""
    return random_planner(**{**SMALL, "seed": seed, **overrides})  # type: ignore[arg-type]


def native_image(planner: IntegerPlanner, folder: Path) -> Image:
    """The native firmware with `planner` compiled in, under sanitizers."""
    bundle = write_bundle(planner, "firmware", folder / "bundle", firmware.write, lambda *_: [], {})
    return compile_bundle(bundle.path, "native", folder / "native", BuildOptions(sanitize=True))


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """small(0), compiled in."""
    return native_image(small(0), tmp_path_factory.mktemp("old"))


@contextmanager
def running(image: Image, flash: Path | None = None, cut_at: int | None = None) -> Iterator[Link]:
    """Power on; the power fails in flash operation number `cut_at`."""
    settings = ["env"]
    if flash is not None:
        settings.append(f"KDP_NATIVE_FLASH={flash}")
    if cut_at is not None:
        settings.append(f"KDP_NATIVE_CUT={cut_at}")
    child = Child([*settings, str(image.elf)])
    try:
        pipe = SerialPipe(child.expect(SERVING))
        try:
            yield Link(pipe, timeout=1.0)
        finally:
            pipe.close()
    finally:
        child.close()
