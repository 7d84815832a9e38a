# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the shell offers when a user presses Tab: boards, targets, tasks, devices."""

from __future__ import annotations

from collections.abc import Iterable


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def boards(incomplete: str) -> list[str]:
    """Boards of the package."""
    from kdp_edge.exporters.boards import board_names

    return _beginning(incomplete, board_names())


def targets(incomplete: str) -> list[str]:
    """Targets of `export`."""
    from kdp_edge.exporters.targets import TARGETS

    return _beginning(incomplete, TARGETS)


def tasks(incomplete: str) -> list[str]:
    """Built-in tasks, and robots whose data were imported."""
    from kdp_edge.tasks.registry import task_names

    return _beginning(incomplete, task_names())


def data_sets(incomplete: str) -> list[str]:
    """Local data sets."""
    from kdp_edge.data import store

    return _beginning(incomplete, store.names())


def devices(incomplete: str) -> list[str]:
    """Devices of `hil`; serial ports that are plugged in."""
    from kdp_edge.exporters.boards import board_names, load_board
    from kdp_edge.hil.ports import found_ports

    emulated = [f"qemu:{name}" for name in board_names() if load_board(name).machine]
    serial = [f"serial:{port.device}" for port in found_ports()]
    return _beginning(incomplete, ["reference", "native", *emulated, *serial])
