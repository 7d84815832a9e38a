"""docs/library.md: the code of the page runs, in its order, in a workspace of its own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import kdp_edge

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


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = kdp_edge.trian
