# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What comes in is pinned by hash, and what goes out says whose it is: locks, licences, the wheel's SBOM."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.export.cyclonedx_schema import check_cyclonedx

ROOT = Path(__file__).parents[1]
SUPPLY = ROOT / "supply"
LOCKS = {path.name: path.read_text(encoding="utf-8") for path in SUPPLY.glob("*.txt")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HEAD = ("SPDX-FileCopyrightText: 2026 the kdp-edge authors", "SPDX-License-Identifier: MIT")
# no sources: pages, data, pictures, what is locked, and files without room for a comment
NO_SOURCE = (
    ".md",
    ".svg",
    ".json",
    ".jsonl",
    ".parquet",
    ".npz",
    ".png",
    ".txt",
    ".typed",
    "LICENSE",
    "NOTICE",
    ".gitignore",
)


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def locked(names: list[str]) -> dict[str, str]:
    """Package -> version over some locks."""
    found = [re.findall(r"^([\w.-]+)==(\S+)", LOCKS[name], re.MULTILINE) for name in names]
    return {canonicalize_name(package): version for pairs in found for package, version in pairs}


def test_every_source_says_whose_it_is_and_under_which_licence() -> None:
    sources = [name for name in tracked() if not name.endswith(NO_SOURCE)]
    assert len(sources) > 400
    missing = []
    for name in sources:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()[:3]
        lines = lines[1:] if lines and lines[0].startswith("#!") else lines
        if len(lines) < 2 or any(said not in line for said, line in zip(HEAD, lines, strict=False)):
            missing.append(name)
    assert not missing


def test_the_lines_are_what_the_licence_says() -> None:
    from kdp_edge.exporters import licence

    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License") and "Copyright (c) 2026 the kdp-edge authors" in text
    assert licence.SPDX == HEAD and licence.text() == text
    assert PROJECT["project"]["license"] == "MIT"


def test_locks_pin_every_package_once_by_hash_and_name_no_registry() -> None:
    assert set(LOCKS) == {"demo.txt", "test.txt", "torch.txt", "torch-cpu.txt", "trt-check.txt"}
    seen: list[str] = []
    for name, text in LOCKS.items():
        assert not re.search(r"://|^\s*-(?!-hash)|@ ", text, re.MULTILINE), name
        blocks = re.findall(r"^[^#\s].*(?:\n    .*)*\n", text, re.MULTILINE)
        assert "".join(blocks).count("\n") == len([x for x in text.splitlines() if not x.startswith("#")])
        for block in blocks:
            assert re.match(r"[\w.-]+==[\w.+]+ ", block), block
            assert re.fullmatch(r".*\\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", block), block
        if name != "torch-cpu.txt":  # the same release of torch, another build
            seen += locked([name])
    assert len(seen) == len(set(seen)) > 100
    assert locked(["torch-cpu.txt"]) == {"torch": locked(["torch.txt"])["torch"] + "+cpu"}


@pytest.mark.parametrize(
    ("locks", "extras"),
    [
        (["demo.txt", "torch.txt"], ["train", "hil", "tflm"]),
        (["demo.txt", "torch-cpu.txt", "test.txt"], ["train", "hil", "tflm", "dev"]),
        (["demo.txt", "trt-check.txt"], ["trt-check"]),
    ],
)
def test_locks_hold_what_the_project_asks_for(locks: list[str], extras: list[str]) -> None:
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    for extra in extras:
        asked += PROJECT["project"]["optional-dependencies"][extra]
    pinned = locked(locks)
    for requirement in map(Requirement, asked):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement}: {version}; make lock"
        )
    assert PROJECT["dependency-groups"]["build"] == PROJECT["build-system"]["requires"]


def test_make_installs_by_hash_or_without_looking_anything_up() -> None:
    text = re.sub(r"\\\n", " ", (ROOT / "Makefile").read_text(encoding="utf-8"))
    rules = [line for line in text.splitlines() if re.search(r"\bpip\b.* install\b|\$\(PIP\) install", line)]
    assert len(rules) >= 5
    for rule in rules:
        by_hash = "--require-hashes" in rule
        assert by_hash or "--no-deps --no-build-isolation" in rule or rule.strip() == "$(PIP) install uv", (
            rule
        )


def test_only_its_extra_brings_the_nightly_of_tflite_micro() -> None:
    core = [Requirement(text).name for text in PROJECT["project"]["dependencies"]]
    assert not {"tflite-micro", "flatbuffers"} & set(core)
    extras = PROJECT["project"]["optional-dependencies"]
    brings = {name for name, texts in extras.items() if any(t.startswith("tflite-micro") for t in texts)}
    assert brings == {"tflm"}


def test_the_wheels_sbom_is_what_the_project_asks_for_and_carries() -> None:
    made = runpy.run_path(str(SUPPLY / "wheel_sbom.py"))
    stored = json.loads((SUPPLY / "sbom.cdx.json").read_text(encoding="utf-8"))
    assert stored == made["made"](), "make sbom"
    check_cyclonedx(stored)
    names = {part["name"] for part in stored["components"] if part.get("isExternal")}
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *(t for e in extras if e != "dev" for t in extras[e])]
    assert names == {Requirement(text).name for text in asked}


@pytest.mark.parametrize(
    "file, table", [("supply/wheel_sbom.py", "LICENCES"), ("export/sbom.py", "LICENCES")]
)
def test_licences_are_those_that_the_packages_declare(file: str, table: str) -> None:
    compared = 0
    for name, licence in runpy.run_path(str(ROOT / file))[table].items():
        try:
            known = metadata(name)
        except PackageNotFoundError:
            continue
        declared = " ".join([known.get("License-Expression") or "", *(known.get_all("Classifier") or [])])
        words = {"BSD-3-Clause": "BSD", "Apache-2.0": "Apache", "MIT": "MIT"}
        if licence in words and ("License ::" in declared or known.get("License-Expression")):
            compared += 1
            assert words[licence] in declared, name
    assert compared >= 2


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    clone, out = (tmp_path_factory.mktemp(name) for name in ("clone", "wheel"))
    for name in tracked():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name, follow_symlinks=False)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(out), str(clone)], check=True)
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_carries_licence_notice_and_sbom(wheel: zipfile.ZipFile) -> None:
    (info,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    carried = {
        f"{info}/licenses/LICENSE": ROOT / "LICENSE",
        f"{info}/licenses/NOTICE": ROOT / "NOTICE",
        f"{info}/sboms/kdp-edge.cdx.json": SUPPLY / "sbom.cdx.json",
        "kdp_edge/exporters/templates/LICENSE": ROOT / "LICENSE",
    }
    for name, path in carried.items():
        assert wheel.read(name) == path.read_bytes(), name
    assert "hand_dapg" in wheel.read(f"{info}/licenses/NOTICE").decode()
    assert "kdp_edge/data/making/policies/NOTICE" in wheel.namelist()


def test_the_wheel_carries_every_module(wheel: zipfile.ZipFile) -> None:
    """An editable install finds packages that the wheel's list lacks."""
    names = {"kdp_edge": "kdp_edge", **PROJECT["tool"]["setuptools"]["package-dir"]}
    places = {folder: package.replace(".", "/") for package, folder in names.items()}
    expected = {
        "/".join([places[top], rest])
        for name in tracked()
        if name.endswith(".py") and (top := name.partition("/")[0]) in ("kdp_edge", "export", "hil")
        for rest in [name.partition("/")[2]]
    }
    found = {name for name in wheel.namelist() if name.endswith(".py")}
    assert len(expected) > 300
    assert sorted(expected - found) == []
