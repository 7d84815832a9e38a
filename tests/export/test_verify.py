# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Nothing unlisted, nothing unbound: bundles and a run's integers are whole, or refused by name."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import checksums
from kdp_edge.exporters.build import compile_bundle
from kdp_edge.exporters.bundle import load_bundle
from kdp_edge.exporters.targets import export
from kdp_edge.quantization.policy import is_quantized, load_planner, planner_of, quantize_run
from kdp_edge.run import Run
from tests.export.runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run.load(write_run(tmp_path_factory.mktemp("bound") / "runs" / "one"))


@pytest.fixture(scope="module")
def exported(run: Run) -> dict[str, Path]:
    return {target: export(run, target).path for target in ("firmware", "sbc")}


@pytest.fixture
def firmware(exported: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported["firmware"], tmp_path / "firmware"))


@pytest.fixture
def sbc(exported: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported["sbc"], tmp_path / "sbc"))


@pytest.mark.parametrize(
    "name", ["portable/extra.c", "extra.h", "json.py", "kdp_agent/extra.py", "notes.txt", "deep/er/x.so"]
)
def test_a_file_that_nobody_listed_is_refused_and_not_compiled(
    firmware: Path, tmp_path: Path, name: str
) -> None:
    (firmware / name).parent.mkdir(parents=True, exist_ok=True)
    (firmware / name).write_text("#error compiled in")
    for call in (
        lambda: load_bundle(firmware),
        lambda: compile_bundle(firmware, "native", tmp_path / "image"),
    ):
        with pytest.raises(KdpError, match="not listed in SHA256SUMS") as caught:
            call()
        assert str(firmware / name) in str(caught.value)


def test_a_link_in_the_place_of_a_file_is_refused(firmware: Path, tmp_path: Path) -> None:
    outside = tmp_path / "same.c"
    shutil.copy(firmware / "src" / "kdp_model.c", outside)
    (firmware / "src" / "kdp_model.c").unlink()
    (firmware / "src" / "kdp_model.c").symlink_to(outside)  # equal content, today
    with pytest.raises(KdpError, match=r"kdp_model\.c: is a link"):
        load_bundle(firmware)


def test_a_list_that_is_cut_at_any_line_is_refused(firmware: Path) -> None:
    listing = firmware / "SHA256SUMS"
    lines = listing.read_text().splitlines(keepends=True)
    for count in range(len(lines)):
        listing.write_text("".join(lines[:count]))
        with pytest.raises(KdpError):
            load_bundle(firmware)
    listing.write_text("".join(lines))
    assert load_bundle(firmware).target == "firmware"


def test_a_list_that_is_not_the_manifests_is_refused(firmware: Path) -> None:
    (firmware / "README.md").write_text("other instructions")
    checksums.write(firmware)  # made to fit; the manifest was not
    with pytest.raises(KdpError, match=r"README\.md: manifest\.json does not list it as the other does"):
        load_bundle(firmware)


def test_integers_of_another_model_are_refused(firmware: Path) -> None:
    spec = json.loads((firmware / "integer" / "plan.json").read_text())
    (firmware / "integer" / "plan.json").write_text(
        json.dumps(spec | {"act_gain": [100.0 * v for v in spec["act_gain"]]})
    )
    manifest = json.loads((firmware / "manifest.json").read_text())
    entry = manifest["files"]["integer/plan.json"]
    entry["sha256"] = checksums.sha256(firmware / "integer" / "plan.json")
    (firmware / "manifest.json").write_text(json.dumps(manifest))
    checksums.write(firmware)  # list and manifest agree
    with pytest.raises(KdpError, match=r"the model's sha256 is .* manifest\.json says"):
        load_bundle(firmware).planner()


def agent(bundle: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(bundle / "agent.py"), "--backend", "reference", "--self-test"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/")


def test_the_agent_checks_the_same(sbc: Path) -> None:
    whole = agent(sbc)
    assert whole.returncode == 0 and "passed" in whole.stderr
    listing = sbc / "SHA256SUMS"
    lines = listing.read_text()
    listing.write_text("")
    emptied = agent(sbc)
    assert emptied.returncode == 2 and "manifest.json is not listed" in emptied.stderr
    listing.write_text(lines)
    (sbc / "json.py").write_text("raise SystemExit('this is not the standard library')")
    (sbc / "numpy.py").write_text("raise SystemExit('this is not NumPy')")
    shadowed = agent(sbc)
    assert shadowed.returncode == 2 and "not listed in SHA256SUMS" in shadowed.stderr
    assert "this is not" not in shadowed.stderr


def test_the_agents_self_test_makes_whole_plans(sbc: Path) -> None:
    spec = json.loads((sbc / "integer" / "plan.json").read_text())
    done = agent(sbc)
    vectors = int(done.stderr.split("self-test on ")[1].split()[0])
    assert vectors > 2 * 1024 + 64 and spec["k"] == 4  # the nets' vectors, and 64 plans


@pytest.mark.parametrize("target", ["firmware", "sbc"])
def test_verify_says_what_a_bundle_is(exported: dict[str, Path], target: str, tmp_path: Path) -> None:
    def verify(folder: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kdp_edge", "verify", str(folder), "--json"]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    done = verify(exported[target])
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["passed"] is True and found["target"] == target
    copy = Path(shutil.copytree(exported[target], tmp_path / "copy"))
    (copy / "extra.py").touch()
    damaged = verify(copy)
    assert damaged.returncode == 2 and "extra.py" in damaged.stderr and "Traceback" not in damaged.stderr


def test_a_bit_anywhere_in_a_runs_integers_is_noticed(run: Run, tmp_path: Path) -> None:
    planner_of(run)
    copy = Path(shutil.copytree(run.path, tmp_path / "run"))
    rng = random.Random(0)
    for file in sorted((copy / "integer").iterdir()):
        whole = file.read_bytes()
        for _ in range(12):
            damaged, at = bytearray(whole), rng.randrange(len(whole))
            damaged[at] ^= 1 << rng.randrange(8)
            file.write_bytes(damaged)
            if file.suffix == ".json" and _same_json(whole, damaged):
                continue
            with pytest.raises(KdpError):
                load_planner(copy)
        file.write_bytes(whole)
    assert load_planner(copy).spec.k == 4


def _same_json(one: bytes, other: bytearray) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def test_integers_of_weights_that_changed_are_not_used(run: Run, tmp_path: Path) -> None:
    planner_of(run)
    copy = Path(shutil.copytree(run.path, tmp_path / "run"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"margin": 0.5}))
    with pytest.raises(KdpError, match=r"config\.json is not what .* was made from; quantize again"):
        load_planner(copy)
    quantize_run(Run.load(copy))
    assert load_planner(copy).spec.margin != load_planner(run.path).spec.margin
    os.unlink(copy / "integer" / "bound.json")
    assert not is_quantized(Run.load(copy))  # made again rather than believed
