# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The pytest plugin as its page shows it: a test case for each device; a wrong reply fails with its field."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from contextlib import closing, nullcontext
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.bundle import load_bundle
from kdp_edge.hil import under_test
from kdp_edge.hil.under_test import DeviceUnderTest
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.protocol import Hello
from kdp_edge.wire.server import Server
from tests.hil.test_loop import altered, served_by

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
PLUGIN = "kdp_edge.hil.pytest_plugin"


def run_pytest(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """pytest as a user runs it, in a project of her own, with the plugin as it is installed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        [*command, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
    )  # fmt: skip


def test_the_example_of_the_page_passes_with_a_test_case_for_each_device(sbc: Path, tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "test_policy.py").write_text(example, encoding="utf-8")
    devices = ("--kdp-device", "reference", "--kdp-device", "native")
    done = run_pytest(tmp_path, "--kdp-policy", sbc, *devices, "--junitxml", "junit.xml")
    assert done.returncode == 0, done.stdout
    cases = list(ET.parse(tmp_path / "junit.xml").getroot().iter("testcase"))
    tests = re.findall(r"^def (test_\w+)", example, re.MULTILINE)
    assert {c.get("name") for c in cases} == {f"{t}[{d}]" for t in tests for d in ("reference", "native")}
    for case in cases:
        named = [p.get("value") for p in case.iter("property") if p.get("name") == "kdp_device"]
        assert named and f"[{named[0]}]" in str(case.get("name"))


def test_what_is_missing_is_one_line_and_no_skipped_test(sbc: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_it(kdp_device):\n    kdp_device.reset()\n", encoding="utf-8"
    )
    wrong = run_pytest(tmp_path, "--kdp-policy", sbc, "--kdp-device", "qemu:stm32f40")
    assert wrong.returncode == pytest.ExitCode.USAGE_ERROR and "did you mean stm32f405" in wrong.stderr
    gone = ("serial:/dev/ttyNONE", "reference")
    done = run_pytest(tmp_path, *(x for name in gone for x in ("--kdp-device", name)), "--kdp-policy", sbc)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 passed, 1 error" in done.stdout and "/dev/ttyNONE: no such port" in done.stdout
    assert "Traceback" not in done.stdout and "pytest_plugin.py" not in done.stdout
    nothing = run_pytest(tmp_path)
    assert "which policy? give --kdp-policy FOLDER" in nothing.stdout and "1 error" in nothing.stdout


def test_pytest_finds_the_plugin_and_loading_it_imports_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"kdp_edge": PLUGIN}
    assert import_module(PLUGIN).kdp_device
    program = (
        f"import pytest, sys; before = set(sys.modules); import {PLUGIN}; print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert set(done.stdout.split()) == {"kdp_edge", "kdp_edge.hil", PLUGIN}


def test_a_reply_that_is_not_the_predicted_one_fails_with_its_field(
    sbc: Path, planner: IntegerPlanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a device that lies about its model: only its replies can give it away
    hello = Hello.of(planner, state=0, flags=1, clock_source=3, clock_hz=1, tick_hz=1, board="b", version="v")
    monkeypatch.setattr(Hello, "of", classmethod(lambda cls, *_, **__: hello))
    liar = nullcontext(served_by(Server(altered(planner))))
    monkeypatch.setattr(under_test, "open_device", lambda name, planner: liar)
    with closing(DeviceUnderTest("reference", load_bundle(sbc), tmp_path)) as device:
        device.reset(3)
        with pytest.raises(
            AssertionError, match=r"episode 3, step 0: .* not the predicted one: digest: expected"
        ):
            device.step(np.zeros(device.spec.obs_dim))


def test_a_step_before_reset_and_a_wrong_shape_say_what_to_do(sbc: Path, tmp_path: Path) -> None:
    with closing(DeviceUnderTest("reference", load_bundle(sbc), tmp_path)) as device:
        with pytest.raises(KdpError, match=r"call reset\(\) before"):
            device.step(None)
        device.reset()
        with pytest.raises(KdpError, match=r"shape \(3,\), expected \(11,\)"):
            device.step(np.zeros(3))
