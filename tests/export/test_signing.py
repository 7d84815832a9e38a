# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Keys and signatures: files that say what is wrong with them, bundles that say who made them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kdp_edge.base.errors import GATE_FAILED, USAGE, KdpError
from kdp_edge.exporters import checksums, monocypher_source, targets
from kdp_edge.exporters.bundle import load_bundle
from kdp_edge.exporters.bundle_signing import check_signed_by
from kdp_edge.exporters.signing import load_either, load_private, load_public, new_key
from kdp_edge.quantization.synthetic import random_planner

SMALL = random_planner(3, 1, 2, 2, 8, 1, 8, 0, 2)


def kdp(*words: str, block: bool = False) -> subprocess.CompletedProcess[str]:
    start = "import sys; sys.modules['monocypher'] = None; " if block else ""
    program = f"{start}from kdp_edge.cli import main; main()"
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_new_key_is_private_and_nothing_is_overwritten(tmp_path: Path) -> None:
    key = tmp_path / "robot.key"
    done = kdp("keys", "new", str(key))
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    text = (tmp_path / "robot.key.pub").read_text()
    assert text.startswith("kdp-edge-public-key-1 ") and text.count("\n") == 1
    assert key.read_text().split()[1] not in done.stdout + done.stderr
    for taken in (key, tmp_path / "robot.key.pub"):
        before = taken.read_bytes()
        again = kdp("keys", "new", str(key))
        assert (again.returncode, taken.read_bytes()) == (USAGE, before)
        assert "is there already and is not overwritten" in again.stderr
        key.unlink(missing_ok=True)


def test_show_prints_the_public_half_of_either_file(tmp_path: Path) -> None:
    public = new_key(tmp_path / "key")
    for name in ("key", "key.pub"):
        done = kdp("keys", "show", str(tmp_path / name))
        assert done.stdout == f"{public.text()}\n" == (tmp_path / "key.pub").read_text()
        assert json.loads(kdp("keys", "show", str(tmp_path / name), "--json").stdout) == {
            "public_key": public.data.hex()
        }


def test_a_wrong_file_is_one_line_that_says_what_it_is(tmp_path: Path) -> None:
    key, other = tmp_path / "key", tmp_path / "other"
    new_key(key)
    new_key(other)
    halves = load_private(key).data[:32] + load_private(other).data[32:]
    mixed = tmp_path / "mixed"
    mixed.write_text(f"kdp-edge-private-key-1 {halves.hex()}\n")
    mixed.chmod(0o600)
    for path, read, words in (
        (key, load_public, "expected a public key.*it is a private key"),
        (tmp_path / "key.pub", load_private, "expected a private key.*it is a public key"),
        (Path(__file__), load_public, "it is none, or damaged"),
        (tmp_path / "nothing", load_either, "no such file; kdp-edge keys new"),
        (tmp_path, load_public, "no such file"),
        (mixed, load_private, "two halves of the private key do not belong together"),
    ):
        with pytest.raises(KdpError, match=words):
            read(path)
    for mode in (0o640, 0o604, 0o660):
        key.chmod(mode)
        with pytest.raises(KdpError, match=rf"others may read .* \(mode 0{mode:o}\); chmod 600"):
            load_private(key)


def test_without_the_package_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = kdp("keys", "new", str(tmp_path / "key"), block=True)
    assert done.returncode == USAGE
    assert done.stderr.strip() == (
        "kdp-edge: signatures need the package pymonocypher; pip install 'kdp-edge[signed]'"
    )
    assert not (tmp_path / "key").exists()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    new_key(folder / "mine")
    new_key(folder / "theirs")
    return folder


@pytest.fixture
def bundle(keys: Path, tmp_path: Path) -> Path:
    """Signed by `mine`."""
    key = load_private(keys / "mine")
    return targets.export_planner(SMALL, "firmware", tmp_path / "bundle", {}, key).path


def test_a_signed_bundle_verifies_by_its_key_alone(bundle: Path, keys: Path) -> None:
    load_bundle(bundle)
    done = kdp("verify", str(bundle), "--signed-by", str(keys / "mine.pub"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["signed_by"] == load_public(keys / "mine.pub").data.hex()
    wrong = kdp("verify", str(bundle), "--signed-by", str(keys / "theirs.pub"))
    assert wrong.returncode == GATE_FAILED
    assert "not the signature of this SHA256SUMS by key" in wrong.stderr
    (bundle / checksums.SIGNATURE).unlink()
    unsigned = kdp("verify", str(bundle), "--signed-by", str(keys / "mine.pub"))
    assert unsigned.returncode == GATE_FAILED
    assert "the bundle is not signed" in unsigned.stderr


def test_a_bundle_that_was_listed_anew_is_sound_but_not_signed(bundle: Path, keys: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["provenance"]["run"] = "another"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    signature = (bundle / checksums.SIGNATURE).read_bytes()
    (bundle / checksums.SIGNATURE).unlink()
    checksums.write(bundle)
    (bundle / checksums.SIGNATURE).write_bytes(signature)
    load_bundle(bundle)
    with pytest.raises(KdpError, match="the bundle was changed, or another key signed it"):
        check_signed_by(bundle, load_public(keys / "mine.pub"))
    (bundle / checksums.SIGNATURE).write_text("nonsense")
    with pytest.raises(KdpError, match="expected a signature"):
        check_signed_by(bundle, load_public(keys / "mine.pub"))


def test_a_signed_bundle_is_repeatable_and_replaced_as_a_whole(bundle: Path, keys: Path) -> None:
    files = {p.name: p.read_bytes() for p in bundle.iterdir() if p.is_file()}
    key = load_private(keys / "mine")
    targets.export_planner(SMALL, "firmware", bundle, {}, key)
    assert {p.name: p.read_bytes() for p in bundle.iterdir() if p.is_file()} == files
    targets.export_planner(SMALL, "firmware", bundle, {})
    assert not (bundle / checksums.SIGNATURE).exists()


def test_monocypher_is_unpacked_from_the_cache_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monocypher_source.unpack(tmp_path)  # fills the cache of this workspace
    archive = monocypher_source.cached_archive()
    monkeypatch.setenv("KDP_EDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(KdpError, match=r"could not be fetched \(ERROR.*put the file into .*home/cache"):
        monocypher_source.unpack(tmp_path)
    elsewhere = monocypher_source.cached_archive()
    elsewhere.parent.mkdir(parents=True, exist_ok=True)
    elsewhere.write_bytes(archive.read_bytes())
    monocypher_source.unpack(tmp_path)
    assert (tmp_path / "monocypher.c").read_text().startswith("// Monocypher version 4")


def test_another_archive_under_the_right_name_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDP_EDGE_HOME", str(tmp_path / "home"))
    archive = monocypher_source.cached_archive()
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"something else")
    with pytest.raises(KdpError, match=r"pymonocypher-4\.0\.3\.2\.tar\.gz: SHA-256 is .*, expected 02e9e5d7"):
        monocypher_source.unpack(tmp_path)
    assert not (tmp_path / "monocypher.c").exists()
