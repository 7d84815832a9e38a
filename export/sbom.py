# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""CycloneDX: the list of parts that a scanner reads, of a bundle and of kdp-edge itself.

A part is inside, or external: what a device must have besides. Two exports give the same bytes: no time is
stored, and the serial number is derived from the content.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot7
from packageurl import PackageURL

import kdp_edge

FILE = "sbom.cdx.json"
OWN_LICENCE = "MIT"
# what a device needs besides the bundle, and what only some ways to use it need; nothing of it is in a bundle
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "firmware": (),
    "jetson": ("numpy", "safetensors", "tensorrt"),
    "sbc": ("numpy", "onnxruntime", "safetensors"),
    "tflm": ("tflite-micro",),
}
OPTIONAL: Mapping[str, tuple[str, ...]] = {"jetson": ("onnxruntime",)}
LICENCES = {
    "numpy": "BSD-3-Clause",
    "onnxruntime": "MIT",
    "safetensors": "Apache-2.0",
    "tensorrt": "NVIDIA TensorRT Software License Agreement",
    "tflite-micro": "Apache-2.0",
}


def of_bundle(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of the bundle with this manifest, as JSON for CycloneDX 1.7."""
    target, model = str(manifest["target"]), str(manifest["model_sha256"])
    root = Component(
        bom_ref="bundle",
        type=ComponentType.APPLICATION,
        name=f"{manifest['task']} for {target}",
        version=model[:16],
    )
    required = [external(name, LICENCES[name], ComponentScope.REQUIRED) for name in REQUIRED[target]]
    required += [own(), _model(str(manifest["task"]), model)]
    optional = [external(name, LICENCES[name], ComponentScope.OPTIONAL) for name in OPTIONAL.get(target, ())]
    return listing(root, [*required, *optional, *_data(manifest["provenance"])], required)


def own() -> Component:
    """kdp-edge, of the version that runs."""
    version = kdp_edge.__version__
    return Component(
        bom_ref="kdp-edge",
        type=ComponentType.LIBRARY,
        name="kdp-edge",
        version=version,
        licenses=[LicenseFactory().make_from_string(OWN_LICENCE)],
        purl=PackageURL("pypi", name="kdp-edge", version=version),
    )


def external(name: str, licence: str, scope: ComponentScope, **properties: str) -> Component:
    """A package that is needed and not contained; whoever installs it chooses the release."""
    # TensorRT comes with the device, TFLite-Micro as source
    elsewhere = {"tensorrt": None, "tflite-micro": PackageURL("github", "tensorflow", "tflite-micro")}
    return Component(
        bom_ref=name,
        type=ComponentType.LIBRARY,
        name=name,
        scope=scope,
        is_external=True,
        licenses=[LicenseFactory().make_from_string(licence)],
        purl=elsewhere.get(name, PackageURL("pypi", name=name)),
        properties=[Property(name=f"kdp-edge:{key}", value=value) for key, value in properties.items()],
    )


def sha256(digest: str) -> list[HashType]:
    """A SHA-256 as CycloneDX states it."""
    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)]


def listing(root: Component, parts: Iterable[Component], needed: Iterable[Component]) -> dict[str, Any]:
    """CycloneDX 1.7 as JSON: `root` contains or names `parts` and depends on the `needed` ones of them."""
    bom = Bom(components=parts)
    bom.metadata.component = root
    bom.register_dependency(root, needed)
    value: dict[str, Any] = json.loads(JsonV1Dot7(bom).output_as_string())
    del value["serialNumber"], value["metadata"]["timestamp"]
    value["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(value, sort_keys=True)).urn
    return value


def _model(task: str, digest: str) -> Component:
    rights = Property(name="kdp-edge:rights", value="the user's; kdp-edge's authors claim none")
    return Component(
        bom_ref="model",
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=task,
        version=digest[:16],
        hashes=sha256(digest),
        properties=[rights],
    )


def _data(provenance: Mapping[str, Any]) -> list[Component]:
    """What the model learned from, where that is known; it is no part of the bundle."""
    if "data_sha256" not in provenance:
        return []
    return [
        Component(
            bom_ref="data",
            type=ComponentType.DATA,
            name=str(provenance.get("data", "training data")),
            scope=ComponentScope.EXCLUDED,
            hashes=sha256(str(provenance["data_sha256"])),
        )
    ]
