# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A bundle says whose it is and of what it is made: licence, notice, SBOM, the lines in generated files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kdp_edge
from kdp_edge.base.errors import USAGE, KdpError
from kdp_edge.exporters import agent_files, licence, sbom
from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.bundle import Bundle, load_bundle
from kdp_edge.exporters.targets import TARGETS, export_planner
from kdp_edge.quantization.plan import IntegerPlanner
from tests.export.cyclonedx_schema import check_cyclonedx
from tests.export.runs import write_run

SOURCES = (".c", ".h", ".cc", ".py", ".sh")
PROVENANCE = {"run": "test", "data": "hopper-medium", "data_sha256": "5" * 64}


@pytest.fixture(scope="module", params=sorted(TARGETS))
def bundle(
    request: pytest.FixtureRequest, planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    out = tmp_path_factory.mktemp("rights") / "bundle"
    return export_planner(planner, request.param, out, PROVENANCE)


def test_every_bundle_lists_licence_notice_and_sbom(bundle: Bundle) -> None:
    assert {"LICENSE", "NOTICE", sbom.FILE} <= set(bundle.hashes) & set(bundle.manifest["files"])
    assert (bundle.path / "LICENSE").read_text() == licence.text()
    for name in ("NOTICE", "README.md", "MODEL_CARD.md"):
        text = " ".join((bundle.path / name).read_text().split())
        assert "constants" in text and ("belong to you" in text or "are yours" in text), name


def test_every_generated_source_has_its_line_at_the_top(bundle: Bundle) -> None:
    sources = [bundle.path / name for name in bundle.hashes if name.endswith(SOURCES)]
    assert sources
    # the package's own C comes along, and an example of a program; neither holds constants of a policy
    own = {path.read_bytes() for path in FIRMWARE.rglob("*.[ch]")}
    for path in sources:
        lines = path.read_text(encoding="utf-8").splitlines()[:4]
        lines = lines[1:] if lines[0].startswith("#!") else lines
        assert all(said in line for said, line in zip(licence.SPDX, lines, strict=False)), path
        if path.suffix in (".c", ".h", ".cc") and path.stem != "main" and path.read_bytes() not in own:
            assert licence.CONSTANTS in lines[-1], path


def test_the_sbom_keeps_the_schema_and_names_model_software_and_needs(bundle: Bundle) -> None:
    value = json.loads((bundle.path / sbom.FILE).read_text(encoding="utf-8"))
    check_cyclonedx(value)
    parts = {part["bom-ref"]: part for part in value["components"]}
    assert parts["kdp-edge"]["version"] == kdp_edge.__version__
    model = parts["model"]
    assert model["type"] == "machine-learning-model"
    assert model["hashes"] == [{"alg": "SHA-256", "content": bundle.planner().model_sha256()}]
    assert parts["data"]["hashes"][0]["content"] == "5" * 64
    external = {name for name, part in parts.items() if part.get("isExternal")}
    assert all(part["licenses"] for name, part in parts.items() if name in external | {"kdp-edge"})
    needed = {
        "firmware": set(),
        "tflm": {"tflite-micro"},
        "sbc": {"numpy", "safetensors", "onnxruntime"},
        "jetson": {"numpy", "safetensors", "tensorrt", "onnxruntime"},
    }
    assert external == needed[bundle.target]


def test_what_an_agent_imports_is_in_the_sbom() -> None:
    listed = {*sbom.REQUIRED["sbc"], *sbom.REQUIRED["jetson"]}
    assert listed == agent_files.ALLOWED


def test_the_sbom_has_no_time_and_its_number_follows_its_content(bundle: Bundle) -> None:
    value = json.loads((bundle.path / sbom.FILE).read_text(encoding="utf-8"))
    assert "timestamp" not in value["metadata"]
    assert sbom.of_bundle(bundle.manifest) == value
    other = sbom.of_bundle(bundle.manifest | {"model_sha256": "0" * 64})
    assert other["serialNumber"] != value["serialNumber"]


WITHOUT = """
import sys
for name in ("tflite_micro", "flatbuffers"):
    sys.modules[name] = None
from kdp_edge.cli import main
main()
"""


def without_tflite_micro(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KDP_EDGE_HOME": str(home), "COLUMNS": "200"}
    command = [sys.executable, "-c", WITHOUT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_without_tflite_micro_only_its_own_target_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs" / "hopper-test")
    refused = without_tflite_micro(tmp_path, "export", "--target", "tflm")
    assert refused.returncode == USAGE and "Traceback" not in refused.stderr
    assert "pip install 'kdp-edge[tflm]'" in refused.stderr and len(refused.stderr.splitlines()) == 1
    assert not (run / "integer").exists()  # said before the run is quantized for it
    for target in ("firmware", "jetson", "sbc"):
        done = without_tflite_micro(tmp_path, "export", "--target", target)
        assert done.returncode == 0, done.stderr
        assert load_bundle(run / "bundles" / target).target == target
    assert without_tflite_micro(tmp_path, "build", "--board", "native").returncode == 0
    assert without_tflite_micro(tmp_path, "verify", str(run / "bundles" / "sbc")).returncode == 0


def test_the_library_says_how_to_get_tflite_micro_too(
    planner: IntegerPlanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tflite_micro", "tflite_micro.tensorflow.lite.micro.python"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("tflm", "tflite"):
        monkeypatch.delitem(sys.modules, f"kdp_edge.exporters.{name}", raising=False)
    with pytest.raises(KdpError, match=r"pip install 'kdp-edge\[tflm\]'"):
        export_planner(planner, "tflm", tmp_path / "bundle", {})


def test_the_demo_leaves_tflm_out_where_it_cannot_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kdp_edge.cli import demo

    assert sorted(demo._targets()) == sorted(TARGETS)
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert sorted(demo._targets()) == sorted(set(TARGETS) - {"tflm"})
    assert "kdp-edge[tflm]" in capsys.readouterr().out
