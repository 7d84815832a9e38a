# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The bundle: the folder that `export` writes, complete and verified, or not at all.

    manifest.json         what it is: hashes, shapes, names, units, rates, versions, verification
    SHA256SUMS            binds every file; `sha256sum -c SHA256SUMS`
    SHA256SUMS.sig        where a key was given: signs that list
    robot.toml            the robot that it is for; with plant.zip where that has a MuJoCo model
    golden.safetensors    inputs with the exact outputs of the integer reference
    integer/              the integer nets and the plan spec: the host's twin reads them
    sbom.cdx.json         its parts, and what a device needs besides, for scanners
    LICENSE NOTICE        of kdp-edge's text and code; the model is the user's
    README.md             what to do with it on this target
    MODEL_CARD.md         what the model is, was trained on and was measured to do
    ...                   the target's own artefacts

The same run exported twice gives the same bytes: no time, no path and no host name is stored.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kdp_edge
from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, read_object, write_json
from kdp_edge.base.folders import Purpose, written_folder
from kdp_edge.base.provenance import versions
from kdp_edge.exporters import checksums, golden, licence, sbom
from kdp_edge.exporters.bundle_signing import sign_bundle
from kdp_edge.exporters.rendering import rendered
from kdp_edge.exporters.signing import SigningKey
from kdp_edge.exporters.verify import Check, require
from kdp_edge.quantization import plan
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.run import Run
from kdp_edge.tasks import Robot
from kdp_edge.tasks.robot_folder import write_robot

SCHEMA = 1
MANIFEST = checksums.MANIFEST
INTEGER = "integer"
PACKAGES = ("numpy", "safetensors", "onnx", "onnxruntime", "flatbuffers", "tflite-micro")

WriteTarget = Callable[[IntegerPlanner, Path], Mapping[str, Any] | None]
VerifyTarget = Callable[[Path, IntegerPlanner], Sequence[Check] | None]


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every file has the hash that SHA256SUMS lists."""

    path: Path
    manifest: dict[str, Any]
    hashes: dict[str, str]

    @property
    def target(self) -> str:
        """What it was exported for: firmware, jetson, sbc or tflm."""
        return str(self.manifest["target"])

    def planner(self) -> IntegerPlanner:
        """The integer planner inside: what every device reply is compared with.

        Raises:
            KdpError: it is not the model that the manifest names.
        """
        planner = plan.load(self.path / INTEGER)
        found, expected = planner.model_sha256(), self.manifest.get("model_sha256")
        if found != expected:
            raise KdpError(
                f"{self.path / INTEGER}: the model's sha256 is {found}, {MANIFEST} says {expected}; export "
                "the bundle anew"
            )
        return planner


def _written(folder: Path) -> set[str] | None:
    """The files of a bundle by its manifest, None if it has none."""
    try:
        manifest = read_json(folder / MANIFEST)
    except KdpError:
        return None
    if not isinstance(manifest, dict) or not {"schema", "target", "model_sha256"} <= set(manifest):
        return None
    files = manifest.get("files")
    return {MANIFEST, checksums.FILE, checksums.SIGNATURE, *files} if isinstance(files, dict) else None


BUNDLE = Purpose("bundle", _written, "not a bundle")


def write_bundle(
    planner: IntegerPlanner,
    target: str,
    out: Path,
    write_target: WriteTarget,
    verify_target: VerifyTarget,
    provenance: Mapping[str, Any],
    key: SigningKey | None = None,
    robot: Robot | None = None,
) -> Bundle:
    """Write, verify and only then publish the bundle at `out`; an older one there is replaced.

    Args:
        planner: what to export.
        target: its name, for manifest and README.
        write_target: writes the target's artefacts into a folder; returns details for the manifest.
        verify_target: compares those artefacts with the reference; returns the checks made.
        provenance: where the model comes from (run id, data hash, scores); JSON values, no paths.
        key: signs the list of files.
        robot: what it is for: its file goes along, and a copy of the bundle plays anywhere.
    Raises:
        KdpError: (a gate failed) when a check does not pass; nothing is left behind.
    """
    out = Path(out)
    with written_folder(out, BUNDLE) as folder:
        details = dict(write_target(planner, folder) or {})
        plan.save(planner, folder / INTEGER)
        golden.save(golden.golden_vectors(planner), folder)
        if robot is not None:
            write_robot(folder, robot)
        checks = list(verify_target(folder, planner) or [])
        require(checks, target)
        manifest = _manifest(planner, target, details, checks, provenance)
        if robot is not None:
            manifest["robot_sha256"] = robot.sha256()
        _write_documents(planner, folder, manifest)
        write_json(folder / sbom.FILE, sbom.of_bundle(manifest))
        manifest["files"] = _files(folder)
        write_json(folder / MANIFEST, manifest)
        checksums.write(folder)
        if key is not None:
            sign_bundle(folder, key)
    return load_bundle(out)


def load_bundle(path: Path) -> Bundle:
    """Open a bundle after verifying every file; damage becomes a `KdpError` that names the file."""
    path = Path(path)
    hashes = checksums.check(path)
    manifest = read_object(path / MANIFEST)
    if manifest.get("schema") != SCHEMA:
        raise KdpError(
            f"{path / MANIFEST}: schema is {manifest.get('schema')!r}, expected {SCHEMA}; "
            "export the bundle anew"
        )
    return Bundle(path, manifest, hashes)


def opened(source: Run | Bundle | Path | str) -> Run | Bundle:
    """A run or a verified bundle, as it is or from its folder; raises `KdpError` for anything else."""
    if isinstance(source, Run | Bundle):
        return source
    path = Path(source)
    return load_bundle(path) if (path / MANIFEST).is_file() else Run.load(path)


def wrong_vectors(bundle: Bundle, planner: IntegerPlanner) -> list[str]:
    """Names of the golden vectors that are not what `planner` answers."""
    stored, made = golden.load(bundle.path), golden.golden_vectors(planner)
    return sorted(
        name
        for name in stored.keys() | made.keys()
        if name not in stored or name not in made or not np.array_equal(stored[name], made[name])
    )


def model_score(source: Run | Bundle) -> float | None:
    """The score that was measured of a run's model, of its integers if they were played; None if neither."""
    known = (
        source.evaluation()
        if isinstance(source, Run)
        else source.manifest["provenance"].get("evaluation", {})
    )
    for name, field in (("integer", "integer_score"), ("float", "score_mean")):
        score = known.get(name, {}).get(field)
        if isinstance(score, int | float):
            return float(score)
    return None


def _manifest(
    planner: IntegerPlanner,
    target: str,
    details: Mapping[str, Any],
    checks: Sequence[Check],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    spec = planner.spec
    return {
        "schema": SCHEMA,
        "target": target,
        "task": spec.task,
        "model_sha256": planner.model_sha256(),
        "schema_sha256": spec.schema_sha256(),
        "nets": {net.name: describe_net(net) for net in planner.nets},
        "observation": [{"name": n, "unit": u} for n, u in zip(spec.obs_names, spec.obs_units, strict=True)],
        "action": [{"name": n, "unit": u} for n, u in zip(spec.act_names, spec.act_units, strict=True)],
        "rate_hz": spec.rate_hz,
        "deadline_us": spec.deadline_us,
        "plan": asdict(spec),
        "details": dict(details),
        "verification": [asdict(check) for check in checks],
        "provenance": dict(provenance),
        "packages": package_versions(),
    }


def describe_net(net: IntegerNet) -> dict[str, Any]:
    """Shape, scales and hash of one net, as the manifest states them."""
    return {
        "sha256": net.sha256(),
        "input_size": net.input_size,
        "output_size": net.output_size,
        "input_scale": float(net.scales[net.input_name]),
        "output_scale": float(net.scales[net.output_name]),
        "macs": net.macs,
        "parameters": sum(op.weight.size + op.bias.size for op in net.linears),
    }


def package_versions() -> dict[str, str]:
    """Versions of what wrote and verified a bundle; packages that are absent are left out."""
    own = {"kdp-edge": kdp_edge.__version__, "python": platform.python_version()}
    return own | versions(PACKAGES)


def model_card(planner: IntegerPlanner, provenance: Mapping[str, Any]) -> str:
    """The model card of a policy that is in no bundle: without what a target's verification found."""
    manifest = _manifest(planner, "", {}, [], provenance)
    return rendered("MODEL_CARD.md", planner=planner, spec=planner.spec, **manifest)


def _write_documents(planner: IntegerPlanner, folder: Path, manifest: Mapping[str, Any]) -> None:
    (folder / licence.FILE).write_text(licence.text(), encoding="utf-8")
    for name in ("README.md", "MODEL_CARD.md", "NOTICE"):
        text = rendered(name, planner=planner, spec=planner.spec, **manifest)
        (folder / name).write_text(text, encoding="utf-8")


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and hash of every file but the manifest and SHA256SUMS, which come last."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder).as_posix(): {"bytes": p.stat().st_size, "sha256": checksums.sha256(p)}
        for p in paths
    }
