# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The rooms of DESIGN.md: every import of the source against the table, read from both."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
FOLDERS = {"kdp_edge.exporters": "export", "kdp_edge.hil": "hil", "kdp_edge.firmware": "firmware"}
TORCH = (
    "kdp_edge/learn/",
    "kdp_edge/play/",
    "kdp_edge/bench/",
    "kdp_edge/data/making/sac.py",
    "kdp_edge/actors/torch_file.py",
)


@dataclass(frozen=True)
class Import:
    """`file` imports `module` (of ours: a file; of others: a top-level name) in `line`."""

    file: str
    line: int
    module: str


def sources() -> list[Path]:
    tops = ("kdp_edge", "export", "hil", "firmware")
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    names = {folder: module for module, folder in FOLDERS.items()}
    dotted = ".".join([names.get(parts[0], parts[0]), *parts[1:]])
    return dotted.removesuffix(".__init__")


FILES = {module_of(path): path.relative_to(ROOT).as_posix() for path in sources()}


def imports() -> Iterator[Import]:
    """Every import, inside functions and for type checking too; of our packages, the file behind it."""
    for path in sources():
        file = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0 and node.module, f"{file}:{node.lineno}: relative import"
                names = [
                    full if (full := f"{node.module}.{alias.name}") in FILES else node.module
                    for alias in node.names
                ]
            else:
                continue
            for name in names:
                yield Import(file, node.lineno, FILES.get(name, name.split(".")[0]))


IMPORTS = list(imports())
OURS = [one for one in IMPORTS if one.module in FILES.values()]


def table() -> dict[str, set[str]]:
    """Path of each room -> the paths that it may import."""
    rows = re.findall(r"^\| `([\w/.]+)` \| .+? \| (.+?) \|$", DESIGN, re.MULTILINE)
    short = {path.removeprefix("kdp_edge/").removesuffix("/").removesuffix(".py"): path for path, _ in rows}
    allowed = {}
    for path, text in rows:
        names = [] if text == "nothing of ours" else text.split(", ")
        allowed[path] = set(short.values()) if text == "everything" else {short[name] for name in names}
    return allowed


ROOMS = table()


def room(file: str) -> str | None:
    """The room of a file; the package's own `__init__` and `__main__` stand before all of them."""
    return next((path for path in ROOMS if file.startswith(path)), None)


def test_every_file_has_a_room() -> None:
    assert len(ROOMS) == 16
    outside = {file for file in FILES.values() if room(file) is None}
    assert outside == {"kdp_edge/__init__.py", "kdp_edge/__main__.py"}


def test_every_import_keeps_the_rule_of_its_room() -> None:
    broken = []
    for one in OURS:
        here, there = room(one.file), room(one.module)
        if here is not None and there is not None and there not in ROOMS[here] | {here}:
            broken.append(
                f"{one.file}:{one.line} imports {one.module}: {here} may import {sorted(ROOMS[here])}"
            )
    assert not broken, "\n".join(broken)


def test_rooms_and_files_form_no_circle() -> None:
    pairs = [(room(one.file), room(one.module)) for one in OURS]
    rooms = networkx.DiGraph(pair for pair in pairs if pair[0] != pair[1] and None not in pair)
    assert list(networkx.simple_cycles(rooms)) == []
    files = networkx.DiGraph((one.file, one.module) for one in OURS if one.file != one.module)
    assert list(networkx.simple_cycles(files)) == []


def test_only_learning_knows_torch() -> None:
    known = [one for one in IMPORTS if one.module == "torch"]
    assert known
    assert [f"{one.file}:{one.line}" for one in known if not one.file.startswith(TORCH)] == []


SIMULATORS = ("gymnasium", "gymnasium_robotics", "mujoco")
WITH_SIMULATOR = ("kdp_edge/tasks/", "kdp_edge/envs.py", "kdp_edge/data/")
PORTS = ("serial", "socket", "termios", "pty")
WITH_PORTS = ("hil/devices/", "hil/flash/", "hil/pipes.py", "hil/ports.py", "export/agent/")


@pytest.mark.parametrize("names, places", [(SIMULATORS, WITH_SIMULATOR), (PORTS, WITH_PORTS)])
def test_only_their_places_know_simulators_and_ports(names: tuple[str, ...], places: tuple[str, ...]) -> None:
    known = [one for one in IMPORTS if one.module in names]
    assert known
    assert [f"{one.file}:{one.line}" for one in known if not one.file.startswith(places)] == []


def test_no_room_uses_the_library() -> None:
    """`kdp_edge/__init__.py` reaches every room; the rooms take its version and nothing else."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "kdp_edge":
                names = {alias.name for alias in node.names if f"kdp_edge.{alias.name}" not in FILES}
                assert names <= {"__version__"}, f"{path}:{node.lineno}: {names}"


def test_the_table_is_in_the_order_of_imports() -> None:
    order = list(ROOMS)
    for path, allowed in ROOMS.items():
        if path != "kdp_edge/cli/":
            assert all(order.index(other) < order.index(path) for other in allowed), path


def test_only_its_commands_know_the_bench() -> None:
    for one in OURS:
        if one.module.startswith("kdp_edge/bench/") and not one.file.startswith("kdp_edge/bench/"):
            assert one.file.startswith("kdp_edge/cli/bench"), f"{one.file}:{one.line}"


def test_the_agent_knows_the_wire_and_not_the_loop() -> None:
    used = {room(one.module) for one in OURS if one.file.startswith("export/agent/")}
    assert "kdp_edge/wire/" in used and "hil/" not in used


@pytest.mark.parametrize("path", sorted((ROOT / "firmware").rglob("*.[chS]")), ids=lambda path: path.name)
def test_firmware_includes_itself_and_what_is_generated(path: Path) -> None:
    own = {path.name for path in (ROOT / "firmware").rglob("*.[ch]")}
    generated = {"kdp_model.h", "kdp_generator.h", "kdp_critic.h", "net.h", "bench_net.h"}
    fetched = {"monocypher.h"}  # by export/monocypher_source.py, where an image is signed
    for name in re.findall(r'^#include "([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE):
        assert Path(name).name in own | generated | fetched, f"{path}: {name}"


def test_the_product_works_without_the_bench(tmp_path: Path) -> None:
    for top, target in {
        "kdp_edge": "kdp_edge",
        **{v: k.replace(".", "/") for k, v in FOLDERS.items()},
    }.items():
        ignore = shutil.ignore_patterns("bench*", "__pycache__", "*.npz") if top == "kdp_edge" else None
        shutil.copytree(ROOT / top, tmp_path / target, ignore=ignore, dirs_exist_ok=True)
    assert not (tmp_path / "kdp_edge" / "bench").exists()
    modules = [m for m, file in FILES.items() if "/bench" not in file and not m.endswith("__main__")]
    program = f"""
import importlib, sys
sys.path.insert(0, {str(tmp_path)!r})
for name in {modules!r}:
    module = importlib.import_module(name)
    assert module.__file__.startswith({str(tmp_path)!r}), module.__file__
import kdp_edge.cli
from typer.main import get_command
from typer.testing import CliRunner
names = list(get_command(kdp_edge.cli.app).commands)
assert "train" in names and "bench" not in names, names
for name in names:
    done = CliRunner().invoke(kdp_edge.cli.app, [name, "--help"])
    assert done.exit_code == 0, (name, done.output)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
