# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A bundle is whole, verified, the same bytes every time - or not there at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.exporters import golden
from kdp_edge.exporters.bundle import Bundle, load_bundle, write_bundle
from kdp_edge.exporters.targets import TARGETS, target_module
from kdp_edge.exporters.verify import Check
from kdp_edge.quantization import reference
from kdp_edge.quantization.plan import IntegerPlanner

EXPORT = """
import sys
from pathlib import Path
from kdp_edge.exporters.targets import export_planner
from kdp_edge.quantization.synthetic import random_planner
planner = random_planner(width=32, critic_width=24, k=4)
export_planner(planner, sys.argv[1], Path(sys.argv[2]), {"run": "test"})
assert "torch" not in sys.modules
"""


@pytest.fixture
def copy(tflm_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tflm_bundle.path, tmp_path / "copy"))


@pytest.mark.parametrize("target", ["jetson", "sbc", "tflm"])
def test_two_processes_export_the_same_bytes_without_torch(target: str, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        subprocess.run([sys.executable, "-c", EXPORT, target, str(folder)], check=True)
    contents = [{p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in folders]
    assert contents[0] == contents[1]
    assert not any(str(tmp_path).encode() in data for data in contents[0].values())


def test_the_program_sha256sum_accepts_the_list(tflm_bundle: Bundle) -> None:
    listed = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tflm_bundle.path, capture_output=True, text=True, check=True
    )
    files = [p for p in tflm_bundle.path.rglob("*") if p.is_file() and p.name != "SHA256SUMS"]
    assert listed.stdout.count(": OK") == len(files)


def test_every_file_with_one_byte_changed_is_refused_by_name(copy: Path) -> None:
    for path in sorted(p for p in copy.rglob("*") if p.is_file() and p.name != "SHA256SUMS"):
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[len(damaged) // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(
            KdpError, match=r"sha256 is [0-9a-f]{64}, expected [0-9a-f]{64}.*export it anew"
        ) as caught:
            load_bundle(copy)
        assert str(caught.value).startswith(f"{path}: ")
        path.write_bytes(whole)
    assert load_bundle(copy).target == "tflm"


def test_a_changed_list_a_missing_file_and_no_bundle_are_refused(copy: Path) -> None:
    (copy / "golden.safetensors").unlink()
    with pytest.raises(KdpError, match=r"golden\.safetensors: listed in SHA256SUMS but missing"):
        load_bundle(copy)
    (copy / "SHA256SUMS").write_text("nonsense\n")
    with pytest.raises(KdpError, match="line 1 is not"):
        load_bundle(copy)
    (copy / "SHA256SUMS").write_text("0" * 64 + "  ../../etc/passwd\n")
    with pytest.raises(KdpError, match="line 1 is not"):
        load_bundle(copy)
    with pytest.raises(KdpError, match="no such bundle"):
        load_bundle(copy / "nowhere")


def test_a_failed_check_leaves_nothing_and_keeps_the_bundle_before(
    planner: IntegerPlanner, copy: Path
) -> None:
    before = (copy / "SHA256SUMS").read_bytes()
    failed = Check("runtime: differing outputs", 0, 3, 1000, False, "first at [7, 1]: expected 5, found 6")

    def write(_: IntegerPlanner, folder: Path) -> None:
        (folder / "half-written").write_text("x")

    for out in (copy, copy.parent / "new"):
        with pytest.raises(KdpError, match=r"differing outputs is 3 over 1000, limit 0; first at") as caught:
            write_bundle(planner, "tflm", out, write, lambda *_: [failed], {})
        assert caught.value.exit_code == GATE_FAILED
    assert (copy / "SHA256SUMS").read_bytes() == before
    assert [p.name for p in copy.parent.iterdir()] == [copy.name]


def test_a_folder_that_is_no_bundle_is_not_replaced(planner: IntegerPlanner, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(KdpError, match="is not a bundle"):
        write_bundle(planner, "tflm", tmp_path, lambda *_: None, lambda *_: None, {})
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_the_planner_inside_is_the_one_exported(planner: IntegerPlanner, tflm_bundle: Bundle) -> None:
    inside = tflm_bundle.planner()
    assert inside.model_sha256() == planner.model_sha256() == tflm_bundle.manifest["model_sha256"]
    assert tflm_bundle.manifest["schema_sha256"] == planner.spec.schema_sha256()


def test_golden_vectors_are_the_reference_and_reach_both_ends(
    planner: IntegerPlanner, tflm_bundle: Bundle
) -> None:
    vectors = golden.load(tflm_bundle.path)
    for net in (planner.generator, planner.critic):
        inputs = vectors[f"{net.name}.inputs"]
        assert len(inputs) >= 1000
        assert (inputs.min(), inputs.max()) == (-128, 127)
        np.testing.assert_array_equal(vectors[f"{net.name}.outputs"], reference.run(net, inputs))
    assert len(np.unique(vectors["plan.best"])) > 1
    for i in (0, 63):
        plan = planner.plan(
            vectors["plan.observation"][i], int(vectors["plan.episode"][i]), int(vectors["plan.index"][i])
        )
        assert plan.digest == vectors["plan.digest"][i]
        np.testing.assert_array_equal(plan.windows, vectors["plan.windows"][i])


def test_an_unknown_target_lists_the_known_ones() -> None:
    with pytest.raises(KdpError, match="did you mean jetson") as caught:
        target_module("jetsn")
    assert all(name in str(caught.value) for name in TARGETS)
