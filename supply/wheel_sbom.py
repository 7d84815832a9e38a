# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Writes sbom.cdx.json beside it, the parts of kdp-edge's own wheel: `make sbom`. setup.py puts it in.

Inside are the behaviour policies; external is what pyproject.toml asks for, each with the releases it allows.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.component import Component, ComponentScope, ComponentType, Pedigree
from packageurl import PackageURL
from packaging.requirements import Requirement

from kdp_edge.base.files import sha256_file, write_json
from kdp_edge.exporters import sbom

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
FILE = FOLDER / sbom.FILE
POLICIES = ROOT / "kdp_edge" / "data" / "making" / "policies"
TESTS = "dev"  # this extra is for a clone only
# of each project's own code; its wheel may carry parts under others
LICENCES = {
    **sbom.LICENCES,
    "cyclonedx-python-lib": "Apache-2.0", "faiss-cpu": "MIT", "filelock": "MIT", "flatbuffers": "Apache-2.0",
    "gymnasium": "MIT", "gymnasium-robotics": "MIT", "jinja2": "BSD-3-Clause",
    "matplotlib": "Matplotlib License (PSF-based)", "mcap": "MIT", "minari": "MIT", "mujoco": "Apache-2.0",
    "pillow": "MIT-CMU",
    "pyarrow": "Apache-2.0", "pymonocypher": "BSD-2-Clause", "pyserial": "BSD-3-Clause", "ray": "Apache-2.0",
    "onnx": "Apache-2.0", "rich": "MIT", "scipy": "BSD-3-Clause", "tensorboard": "Apache-2.0",
    "tensorrt-rtx": "NVIDIA TensorRT for RTX License Agreement", "torch": "BSD-3-Clause", "typer": "MIT",
    "zarr": "MIT",
}  # fmt: skip


def requirements() -> dict[str, tuple[Requirement, list[str]]]:
    """What pyproject.toml asks for: name -> requirement, the extras that bring it (none: always)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked: dict[str, tuple[Requirement, list[str]]] = {}
    for text in project["dependencies"]:
        asked[Requirement(text).name] = Requirement(text), []
    for extra, texts in project["optional-dependencies"].items():
        for one in map(Requirement, texts):
            if extra != TESTS and (one.name not in asked or asked[one.name][1]):
                asked.setdefault(one.name, (one, []))[1].append(extra)
    return asked


def external() -> tuple[list[Component], list[Component]]:
    """What the wheel needs and does not contain: always, and with an extra."""
    required, optional = [], []
    for name, (requirement, extras) in requirements().items():
        properties = {"releases": str(requirement.specifier)}
        if extras:
            properties["extras"] = ",".join(extras)
        scope = ComponentScope.OPTIONAL if extras else ComponentScope.REQUIRED
        part = sbom.external(name, LICENCES[name], scope, **properties)
        (optional if extras else required).append(part)
    return required, optional


def policies() -> list[Component]:
    """The nets in the wheel, each with its hash; what those of hand_dapg taught says so."""
    teacher = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name="hand_dapg policies",
        bom_ref="hand_dapg",
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
        purl=PackageURL("github", "aravindr93", "hand_dapg"),
    )
    parts = []
    for path in sorted(POLICIES.rglob("*.npz")):
        name = path.relative_to(ROOT).as_posix()
        taught = path.parent.name == "adroit"
        parts.append(
            Component(
                bom_ref=name,
                type=ComponentType.MACHINE_LEARNING_MODEL,
                name=name,
                hashes=sbom.sha256(sha256_file(path)),
                licenses=[LicenseFactory().make_from_string(sbom.OWN_LICENCE)],
                pedigree=Pedigree(ancestors=[teacher], notes="distilled with DAgger") if taught else None,
            )
        )
    return parts


def made() -> dict[str, Any]:
    """The SBOM as it should be now."""
    required, optional = external()
    inside = policies()
    return sbom.listing(sbom.own(), [*inside, *required, *optional], [*inside, *required])


if __name__ == "__main__":
    write_json(FILE, made())
