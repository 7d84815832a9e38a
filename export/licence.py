# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Whose a generated file is: the lines at its head, and the texts that every bundle carries."""

from __future__ import annotations

from importlib.resources import files

FILE = "LICENSE"
SPDX = ("SPDX-FileCopyrightText: 2026 the kdp-edge authors", "SPDX-License-Identifier: MIT")
CONSTANTS = "The generated constants are yours: kdp-edge's authors claim no rights in them."


def c_head(*sentences: str) -> list[str]:
    """First lines of generated C or C++: licence, what the file is, whose the numbers are."""
    return [f"/* {line} */" for line in (*SPDX, *sentences, CONSTANTS)]


def text() -> str:
    """The licence of kdp-edge itself."""
    return files("kdp_edge.exporters").joinpath("templates", FILE).read_text(encoding="utf-8")
