# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The pages: what README and --help name is there, is installed, and can be read without a clone."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import app, docs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
PAGE_LIBRARY = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def installed() -> set[str]:
    """The files of docs/ that the packaging configuration carries."""
    assert "kdp_edge.docs" in SETUPTOOLS["packages"]
    folder = ROOT / SETUPTOOLS["package-dir"]["kdp_edge.docs"]
    patterns = SETUPTOOLS["package-data"]["kdp_edge.docs"]
    return {path.relative_to(folder).as_posix() for pattern in patterns for path in folder.glob(pattern)}


def helps(command: typer.core.TyperGroup | None = None) -> str:
    """Every help text of the command line, as written."""
    one = command or typer.main.get_command(app)
    texts = [one.help or "", *(getattr(option, "help", None) or "" for option in one.params)]
    return "\n".join([*texts, *(helps(child) for child in getattr(one, "commands", {}).values())])


def test_every_file_of_the_docs_is_installed() -> None:
    assert installed() == {path.name for path in (ROOT / "docs").iterdir() if path.is_file()}


def test_every_page_that_readme_or_help_names_is_installed() -> None:
    named = set(re.findall(r"\(docs/([\w.-]+)\)", README))
    named |= set(re.findall(r"docs/([\w-]+\.\w+)", helps()))
    named |= {f"{name}.md" for name in re.findall(r"kdp-edge docs ([a-z-]+)", README + helps())}
    assert len(named) >= 8
    assert named <= installed()


@pytest.mark.parametrize("page", ["../README.md", "../DESIGN.md", *PAGES])
def test_every_link_in_a_page_leads_somewhere(page: str) -> None:
    file = ROOT / "docs" / page
    text = file.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)\s]*)\)", text):
        path, _, anchor = target.partition("#")
        aim = file.parent / path if path else file
        assert aim.exists(), f"{page}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.*)$", aim.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in heads], target


def test_readme_lists_every_extra_and_installs_no_other() -> None:
    extras = set(PROJECT["project"]["optional-dependencies"])
    assert set(re.findall(r"^\| `\[([\w-]+)\]` \|", README, re.MULTILINE)) == extras
    for text in [README, *((ROOT / "docs" / page).read_text(encoding="utf-8") for page in PAGES)]:
        for found in re.findall(r"\[([\w,-]+)\]'", text):
            assert set(found.split(",")) <= extras, found


def test_the_command_lists_the_pages_and_prints_one() -> None:
    listed = CliRunner().invoke(app, ["docs"])
    assert listed.exit_code == 0
    assert [line.split()[0] + ".md" for line in listed.stdout.splitlines()[:-1]] == PAGES
    value = json.loads(CliRunner().invoke(app, ["docs", "--json"]).stdout)
    assert value["pages"]["first-board"] == "Your first board"
    printed = CliRunner().invoke(app, ["docs", "first-board"])
    assert printed.stdout == (ROOT / "docs" / "first-board.md").read_text(encoding="utf-8")
    with pytest.raises(KdpError, match="did you mean first-board"):
        docs.docs("first-bord")


def test_an_installed_package_reads_its_own_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "kdp_edge"
    shutil.copytree(ROOT / "docs", package / "docs")
    monkeypatch.setattr(docs.kdp_edge, "__file__", str(package / "__init__.py"))
    assert docs.folder() == package / "docs"


def test_every_command_in_readme_and_pages_is_one_with_these_options() -> None:
    texts = [README, *((ROOT / "docs" / page).read_text(encoding="utf-8") for page in PAGES)]
    lines = [line for text in texts for line in re.findall(r"^    kdp-edge (.*)$", text, re.MULTILINE)]
    assert len(lines) > 20
    for line in lines:
        command: typer.core.TyperGroup = typer.main.get_command(app)
        words = line.partition(" #")[0].split()
        while words and hasattr(command, "commands") and not words[0].startswith("--"):
            assert words[0] in command.commands, f"kdp-edge {line}"
            command = command.commands[words.pop(0)]
        known = {name for option in command.params for name in option.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= known, f"kdp-edge {line}"


def test_readme_names_the_version_that_is_built() -> None:
    import kdp_edge

    named = {
        *re.findall(r"kdp_edge-([\d.]+)-py3", README),
        *re.findall(r"kdp_edge-([\d.]+)-py3", PAGE_LIBRARY),
    }
    assert named == {kdp_edge.__version__}
