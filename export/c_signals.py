# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Names, units and indices of a policy's signals as C macros: no program counts them by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence

RESERVED = ("DIM", "NAMES", "UNITS")  # of KDP_MODEL_OBS_...


def signal_macros(macro: str, names: Sequence[str], units: Sequence[str]) -> list[str]:
    """Lines `#define <macro>_<NAME> <index>u`, then all names and all units as initialisers of arrays."""
    shown = [f" /* {_comment(unit)} */" if unit else "" for unit in units]
    indices = [f"#define {macro}_{name} {i}u{shown[i]}" for i, name in enumerate(identifiers(names))]
    return [*indices, _strings(f"{macro}_NAMES", names), _strings(f"{macro}_UNITS", units)]


def identifiers(names: Sequence[str]) -> list[str]:
    """An upper-case C identifier for each name, all different; the index is added where it must be."""
    found: list[str] = []
    for index, name in enumerate(names):
        text = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
        if not text or text in RESERVED or text in found:
            text = f"{text}_{index}".strip("_")
        while text in found:
            text += "_"
        found.append(text)
    return found


def string_literal(text: str) -> str:
    """C string of `text`, its bytes beyond ASCII in octal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
    return '"' + "".join(c if c.isascii() and c.isprintable() else _octal(c) for c in escaped) + '"'


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode())


def _comment(text: str) -> str:
    return text.replace("*/", "* /").replace("/*", "/ *")


def _strings(macro: str, texts: Sequence[str]) -> str:
    lines, line = [f"#define {macro} {{ \\"], "   "
    for text in map(string_literal, texts):
        if len(line) + len(text) > 90:
            lines.append(f"{line} \\")
            line = "   "
        line += f" {text},"
    return "\n".join([*lines, f"{line} }}"])
