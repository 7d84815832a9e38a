# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""docs/library.md: the code of the page runs, in its order, in a workspace of its own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import kdp_edge
from kdp_edge.base.errors import KdpError

PAGE = Path(__file__).parents[1] / "docs" / "library.md"
STUB = Path(kdp_edge.__file__).with_suffix(".pyi")


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KDP_EDGE_HOME", raising=False)
    for line in "".join(blocks("console")).splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        assert words[0] == "kdp-edge"
        subprocess.run([sys.executable, "-m", "kdp_edge", *words[1:]], check=True, timeout=300)
    program = tmp_path / "page.py"
    program.write_text("\n".join(blocks("python")), encoding="utf-8")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_is_there_and_on_the_page() -> None:
    names = [name for name in kdp_edge.__all__ if name != "__version__"]
    text = PAGE.read_text(encoding="utf-8")
    for name in names:
        assert callable(getattr(kdp_edge, name)), name
        assert re.search(rf"`{name}\b", text), f"docs/library.md does not say what {name} is"
    assert set(re.findall(r"as (\w+)$", STUB.read_text(encoding="utf-8"), re.MULTILINE)) == set(names)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import kdp_edge, sys; print(sorted(m for m in ('numpy', 'torch', 'mujoco') if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_the_help_answers_without_anything_heavy() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from kdp_edge.cli import app; "
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0; "
        "print(sorted(m for m in ('torch', 'mujoco', 'scipy', 'onnx', 'matplotlib') if m in sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("setting", ["obs_dim", "stepz"])
def test_a_setting_that_training_does_not_take_is_one_line(setting: str) -> None:
    with pytest.raises(KdpError, match=f"unknown setting '{setting}'"):
        kdp_edge.train("hopper-medium-expert", **{setting: 5})


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = kdp_edge.trian
