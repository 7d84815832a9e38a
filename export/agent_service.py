# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The agent as a service of the computer that it runs on: a systemd unit, and a Dockerfile for CPUs."""

from __future__ import annotations

import platform
from importlib.resources import files
from pathlib import Path

from kdp_edge.base.provenance import versions

UNIT = "kdp-agent.service"
DOCKERFILE = "Dockerfile"
PACKAGES = ("numpy", "onnxruntime", "safetensors")
NO_DEVICES = "DevicePolicy=closed\nPrivateDevices=yes"
GPU = "SupplementaryGroups=video render"  # whom JetPack lets use the GPU


def write_unit(folder: Path, gpu: bool) -> None:
    """Write the unit; with a GPU its devices must be within reach."""
    text = _template(UNIT).replace("@DEVICES@", GPU if gpu else NO_DEVICES)
    (folder / UNIT).write_text(text, encoding="utf-8")


def write_dockerfile(folder: Path) -> None:
    """Write the Dockerfile: the Python and the packages with which the bundle was verified."""
    pinned = " ".join(f"{name}=={version}" for name, version in versions(PACKAGES).items())
    python = ".".join(platform.python_version_tuple()[:2])
    text = _template(DOCKERFILE).replace("@PYTHON@", python).replace("@PACKAGES@", pinned)
    (folder / DOCKERFILE).write_text(text, encoding="utf-8")


def _template(name: str) -> str:
    return files("kdp_edge.exporters").joinpath("templates", name).read_text(encoding="utf-8")
