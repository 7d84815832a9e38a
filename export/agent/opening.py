# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A bundle on this device: every file checked, its nets on a back end, tested on the golden vectors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import checksums
from kdp_edge.exporters.agent import backends
from kdp_edge.exporters.agent.backends import DevicePlanner
from kdp_edge.exporters.agent.selftest import PRECISIONS, self_test
from kdp_edge.quantization import plan
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.protocol import SelfTest

WARM_UP = 50  # plans; the first ones are slower


@dataclass(frozen=True)
class Opened:
    """A bundle whose back end has been tested; whether it passed, `result` says."""

    manifest: dict[str, Any]
    backend: str
    precision: str
    planner: DevicePlanner
    result: SelfTest


def checked(folder: Path) -> tuple[dict[str, Any], IntegerPlanner]:
    """Manifest and integer planner of a bundle whose every file is as it was written.

    Raises:
        KdpError: no bundle, or damaged.
    """
    checksums.check(folder)
    manifest: dict[str, Any] = json.loads((folder / checksums.MANIFEST).read_text(encoding="utf-8"))
    planner = plan.load(folder / "integer")
    if (found := planner.model_sha256()) != manifest["model_sha256"]:
        raise KdpError(
            f"integer/ holds model {found[:16]}, manifest.json says {manifest['model_sha256'][:16]}; "
            f"{checksums.REMEDY}"
        )
    return manifest, planner


def opened(folder: Path, backend: str | None = None, precision: str = "int8") -> Opened:
    """Open a bundle on a back end, by default the one that it was exported for.

    Args:
        folder: of the bundle.
        backend: one of `backends.NAMES`.
        precision: of the layers, one of `PRECISIONS`: fp16 and fp32 in jetson bundles.

    Raises:
        KdpError: no bundle, damaged, no such back end (2), or what the back end needs is missing (3).
    """
    manifest, planner = checked(folder)
    name = backend or manifest["details"].get("backend", "reference")
    exact = name == "reference" or manifest["target"] != "jetson"
    if precision not in PRECISIONS:
        raise KdpError(f"unknown precision '{precision}'; known: {', '.join(PRECISIONS)}")
    if precision != "int8" and exact:
        raise KdpError(
            f"{folder}: {precision} on {name}: only a jetson bundle holds float models, for tensorrt and "
            "onnxruntime; leave the precision out"
        )
    device = backends.open_planner(name, folder, planner, manifest["target"] != "jetson", precision)
    return Opened(manifest, name, precision, device, self_test(device, folder, exact, precision))


def warm_up(planner: DevicePlanner) -> None:
    """Make plans until they are as fast as they will be."""
    observation = np.asarray(planner.spec.obs_offset, np.float32)
    for index in range(WARM_UP):
        planner.plan(observation, 0, index)
