# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A firmware bundle as a package: the few files that an ecosystem's own tools look for.

The bundle's folder is the package. Packages do not get into each other's way: one bundle can be all of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kdp_edge
from kdp_edge.base.lookup import unknown
from kdp_edge.exporters.c_model import PREFIX
from kdp_edge.exporters.rendering import rendered
from kdp_edge.quantization.plan import IntegerPlanner

PACKAGES = {  # file in the bundle: template
    "zephyr": {
        "zephyr/module.yml": "packages/zephyr_module.yml",
        "zephyr/CMakeLists.txt": "packages/zephyr_CMakeLists.txt",
        "zephyr/Kconfig": "packages/zephyr_Kconfig",
    },
    "arduino": {
        "library.properties": "packages/library.properties",
        "examples/Plan/Plan.ino": "packages/Plan.ino",
    },
    "esp-idf": {"idf_component.yml": "packages/idf_component.yml"},
    "platformio": {"library.json": "packages/library.json"},
    "cmsis-pack": {"kdp-edge.{name}.pdsc": "packages/name.pdsc"},
}


def check(name: str) -> None:
    """Raise `KdpError` for a package that is unknown."""
    if name not in PACKAGES:
        raise unknown("package", name, PACKAGES)


def facts(planner: IntegerPlanner, prefix: str, core: list[str], generated: list[str]) -> dict[str, Any]:
    """What the templates say about a policy; core and generated are names of its sources."""
    digest = planner.model_sha256()
    return {
        "spec": planner.spec,
        "prefix": prefix,
        "macro": f"{prefix.upper()}_MODEL",
        "name": prefix if prefix != PREFIX else f"{PREFIX}_{_identifier(planner.spec.task)}",
        "model": digest[:16],
        # semantic versioning: the exporter's, and as build metadata which model it is
        "version": f"{kdp_edge.__version__}+{digest[:12]}",
        "core": core,
        "generated": generated,
    }


def write(name: str, folder: Path, values: dict[str, Any]) -> None:
    """Write the files of package `name` into the bundle `folder`."""
    for path, template in PACKAGES[name].items():
        target = folder / path.format(**values)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(rendered(template, **values), encoding="utf-8")


def _identifier(task: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", task.lower()).strip("_")
