# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The firmware as a program, with flash in a file and power that can be cut."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.exporters import firmware
from kdp_edge.exporters.build import BuildOptions, Image, compile_bundle
from kdp_edge.exporters.bundle import write_bundle
from kdp_edge.exporters.model_blob import blob_crc
from kdp_edge.hil.devices.native import SERVING
from kdp_edge.hil.devices.process import Child
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import SerialPipe
from kdp_edge.hil.push import CHUNK
from kdp_edge.quantization.plan import FLOAT_LISTS, IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.wire.numbers import Refusal, Type
from kdp_edge.wire.protocol import Refused

SMALL = dict(
    obs_dim=3, act_dim=1, horizon=2, latent_dim=2, width=8, blocks=1, critic_width=8, critic_blocks=0, k=2
)


def small(seed: int, **overrides: object) -> IntegerPlanner:
    """A planner whose blob is a few kilobytes."""
    return random_planner(**{**SMALL, "seed": seed, **overrides})  # type: ignore[arg-type]


def native_image(planner: IntegerPlanner, folder: Path, board: str = "native", **options: object) -> Image:
    """The native firmware with `planner` compiled in, under sanitizers."""
    bundle = write_bundle(planner, "firmware", folder / "bundle", firmware.write, lambda *_: [], {})
    chosen = BuildOptions(sanitize=True, **options)  # type: ignore[arg-type]
    return compile_bundle(bundle.path, board, folder / "native", chosen)


def refusal(link: Link, blob: bytes) -> Refusal | None:
    """What the device says to a push of `blob`, whatever the host thinks of it; None: taken."""
    link.hello()
    try:
        link.request(Type.PUSH_BEGIN, struct.pack("<II", len(blob), blob_crc(blob)))
        for offset in range(0, len(blob), CHUNK):
            link.request(Type.PUSH_DATA, struct.pack("<I", offset) + blob[offset : offset + CHUNK])
        link.request(Type.PUSH_COMMIT, struct.pack("<I", blob_crc(blob)))
    except Refused as refused:
        return Refusal(refused.code)
    return None


def with_crc(blob: bytes | bytearray) -> bytes:
    """`blob` with the CRC that belongs to it: damage on purpose."""
    changed = bytearray(blob)
    struct.pack_into("<I", changed, 12, zlib.crc32(changed[16:]))
    return bytes(changed)


def with_values(blob: bytes, planner: IntegerPlanner, **arrays: list[float]) -> bytes:
    """`blob` with other values in some of its float arrays, such as act_low."""
    changed, at = bytearray(blob), 160
    for name in FLOAT_LISTS:
        values = np.asarray(arrays.get(name, getattr(planner.spec, name)), "<f4").tobytes()
        changed[at : at + len(values)] = values
        at += -(-len(values) // 16) * 16
    return with_crc(changed)


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
