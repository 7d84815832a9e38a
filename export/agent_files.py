# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Copies the agent into a bundle: its modules and all they import of kdp_edge, as package `kdp_agent`.

The package has its own name, so an installed kdp-edge never mixes with it.
"""

from __future__ import annotations

import ast
import sys
from importlib.util import find_spec
from pathlib import Path

import kdp_edge
from kdp_edge.exporters.verify import Check

ENTRIES = ("kdp_edge.exporters.agent.main", "kdp_edge.exporters.agent.planner")
PACKAGE = "kdp_agent"
ALLOWED = frozenset({"numpy", "safetensors", "onnxruntime", "tensorrt"})  # on the device
_LAUNCHER = '''# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Start with `python3 agent.py --help`."""

import os  # loaded before this file is looked for, so it is Python's own
import sys

# the bundle comes last: a file in it never stands in for one of Python's own or of a library's
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here] + [here]

from pathlib import Path

if sys.version_info < (3, 10):
    print(f"agent: needs Python 3.10 or newer, this is {sys.version.split()[0]}", file=sys.stderr)
    sys.exit(3)
try:
    from kdp_agent.exporters.agent.main import main
except ModuleNotFoundError as error:
    name = (error.name or "").partition(".")[0]
    print(f"agent: the package {name} is missing here: pip install {name}", file=sys.stderr)
    sys.exit(3)

sys.exit(main(Path(__file__).resolve().parent))
'''
_PACKAGE_FILE = f'''# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What serves this bundle: `agent.py`, and `from kdp_agent import Planner` for a program of your own."""

from importlib import import_module

__version__ = "{kdp_edge.__version__}"

_HOMES = {{
    "Planner": "exporters.agent.planner",
    "Pace": "wire.numbers",
    "State": "wire.numbers",
    "Flag": "wire.numbers",
}}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    return getattr(import_module(f"{{__name__}}.{{_HOMES[name]}}"), name)
'''


def write_agent(folder: Path) -> None:
    """Write `agent.py` and `kdp_agent/` into `folder`."""
    for module in modules():
        relative = Path(*module.split(".")[1:])
        source = _PACKAGE_FILE if module == kdp_edge.__name__ else _source(module)
        path = folder / PACKAGE / (relative / "__init__.py" if _is_package(module) else f"{relative}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.replace("kdp_edge", PACKAGE), encoding="utf-8")
    (folder / "agent.py").write_text(_LAUNCHER, encoding="utf-8")


def check_imports(folder: Path) -> Check:
    """Nothing in the agent imports what the device does not have."""
    foreign = set()
    for path in sorted((folder / PACKAGE).rglob("*.py")):
        for name in _imports(path.read_text(encoding="utf-8")):
            top = name.split(".")[0]
            if top not in ALLOWED | sys.stdlib_module_names | {PACKAGE}:
                foreign.add(f"{path.relative_to(folder)} imports {name}")
    note = "; ".join(sorted(foreign))
    return Check("agent: imports that the device lacks", 0, len(foreign), len(modules()), not foreign, note)


def modules() -> list[str]:
    """The entry modules and everything of kdp_edge that it imports, packages included."""
    found: set[str] = set()
    waiting = list(ENTRIES)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if "." in name:
            waiting.append(name.rpartition(".")[0])
        waiting += [n for n in _imports(_source(name)) if n.split(".")[0] == kdp_edge.__name__]
    return sorted(found)


def _imports(source: str) -> list[str]:
    """Every module that `source` imports, inside functions too; `from a import b` gives a.b if a module."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            if node.module.startswith(kdp_edge.__name__):
                names += [f"{node.module}.{a.name}" for a in node.names if _is_module(node.module, a.name)]
    return names


def _is_module(package: str, name: str) -> bool:
    return _is_package(package) and find_spec(f"{package}.{name}") is not None


def _is_package(module: str) -> bool:
    spec = find_spec(module)
    return spec is not None and spec.submodule_search_locations is not None


def _source(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    return Path(spec.origin).read_text(encoding="utf-8")
