# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What to say when a name is not among those that are known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from kdp_edge.base.errors import KdpError


def unknown(kind: str, name: str, known: Iterable[str], plural: str = "") -> KdpError:
    """The error for `name`, which is no `kind`: the closest match first, then all that are known.

    Args:
        plural: of `kind`, where it is not formed with an s.
    """
    names = list(known)
    return KdpError(
        f"unknown {kind} '{name}': {hint(name, names)}known {plural or kind + 's'}: {', '.join(names)}"
    )


def hint(name: str, known: Iterable[str]) -> str:
    """ "did you mean X? " when one of `known` is close to `name`, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"did you mean {close[0]}? " if close else ""
