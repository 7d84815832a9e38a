# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge push` from the command line to a device on a serial port."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, USAGE
from kdp_edge.exporters import firmware
from kdp_edge.exporters.build import Image, load_image
from kdp_edge.exporters.bundle import write_bundle
from kdp_edge.hil.devices.native import SERVING
from kdp_edge.hil.devices.process import Child
from tests.push.conftest import small

PROGRAM = (
    "import kdp_edge.cli as cli, kdp_edge.cli.push as push\n"
    "'push' in cli.COMMANDS or push.register(cli.app)\n"
    "cli.main()"
)


def kdp_push(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, "push", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@contextmanager
def port_of(image: Image) -> Iterator[str]:
    child = Child([str(image.elf)])
    try:
        yield child.expect(SERVING)
    finally:
        child.close()


def bundle_of(seed: int, folder: Path) -> str:
    return str(write_bundle(small(seed), "firmware", folder, firmware.write, lambda *_: [], {}).path)


def test_a_bundle_becomes_the_model_of_the_device(old: Image, tmp_path: Path) -> None:
    bundle = bundle_of(1, tmp_path / "bundle")
    with port_of(old) as port:
        done = kdp_push("--device", f"serial:{port}", "--bundle", bundle, "--json")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert (result["model_sha256"], result["slot"]) == (small(1).model_sha256(), 0)
        again = kdp_push("--device", f"serial:{port}", "--bundle", bundle)
        assert again.returncode == 0
        assert "already" in again.stdout
        assert f"gets task {small(1).spec.task}, score not known" in again.stderr
        assert small(1).model_sha256()[:16] in again.stderr


def test_a_damaged_bundle_reaches_no_device(old: Image, tmp_path: Path) -> None:
    bundle = bundle_of(1, tmp_path / "bundle")
    weights = tmp_path / "bundle" / "integer" / "generator.integer.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with port_of(old) as port:
        done = kdp_push("--device", f"serial:{port}", "--bundle", bundle)
    assert done.returncode == USAGE
    assert "generator.integer.safetensors: sha256 is" in done.stderr


def test_a_signed_image_and_a_signed_push_from_the_command_line(tmp_path: Path) -> None:
    bundle, new = bundle_of(0, tmp_path / "old"), bundle_of(1, tmp_path / "new")
    key = str(tmp_path / "robot.key")

    def kdp(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kdp_edge", *words], capture_output=True, text=True, timeout=120
        )

    assert kdp("keys", "new", key).returncode == 0
    out = str(tmp_path / "image")
    options = ("--board", "native", "--bundle", bundle, "--out", out)
    built = kdp("build", *options, "--signed", f"{key}.pub", "--sequence", "6")
    assert built.returncode == 0, built.stderr
    wrong = kdp("build", *options, "--signed", key)
    assert (wrong.returncode, "it is a private key" in wrong.stderr) == (USAGE, True)
    with port_of(load_image(tmp_path / "image")) as port:
        device = ("--device", f"serial:{port}")
        refused = kdp_push(*device, "--bundle", new)
        assert refused.returncode == USAGE
        assert "takes signed models only; give --key FILE and --sequence 7" in refused.stderr
        done = kdp_push(*device, "--bundle", new, "--key", key, "--sequence", "7", "--json")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert (result["sequence"], result["narrowed"]) == (7, False)
        back = kdp_push(*device, "--bundle", bundle, "--key", key, "--sequence", "6")
        assert (back.returncode, "has sequence 7, this one 6" in back.stderr) == (USAGE, True)


def test_wider_limits_than_the_image_has_are_a_warning(old: Image, tmp_path: Path) -> None:
    wide = small(1, act_low=[-1000.0], act_high=[1000.0])
    bundle = write_bundle(wide, "firmware", tmp_path / "wide", firmware.write, lambda *_: [], {}).path
    with port_of(old) as port:
        done = kdp_push("--device", f"serial:{port}", "--bundle", str(bundle))
    assert done.returncode == 0, done.stderr
    assert "warning: this model's limits are wider than those compiled into the image" in done.stderr


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    bundle = bundle_of(1, tmp_path / "bundle")
    for options, code, words in (
        (("--device", "serial:/dev/ttyNONE", "--bundle", bundle), DEVICE_MISSING, "no such port"),
        (("--device", "reference", "--bundle", bundle), USAGE, "takes no models over the link"),
        (("--device", "radio:1", "--bundle", bundle), USAGE, "unknown device 'radio:1'"),
        (("--device", "reference", "--bundle", bundle, "--run", "x"), USAGE, "--bundle or --run, not both"),
    ):
        done = kdp_push(*options)
        assert (done.returncode, done.stdout) == (code, "")
        assert words in done.stderr
        assert sum(line.startswith("kdp-edge: ") for line in done.stderr.splitlines()) == 1
