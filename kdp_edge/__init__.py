# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Keyed Drifting Policies, from a data set of trajectories to a board that plans in one forward pass.

The names of docs/library.md are looked up when they are first used, so that importing the package costs
nothing, and a computer without torch or a simulator has those that need neither. Their types: __init__.pyi.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "Task": "tasks",
    "get_task": "tasks",
    "load_data": "data.store",
    "open_plant": "tasks.environments",
    "Run": "run",
    "train": "learn.train",
    "evaluate": "play.evaluate",
    "quantize": "quantization.policy",
    "export": "exporters.targets",
    "build": "exporters.build",
    "closed_loop": "hil.closed_loop",
    "Planner": "hil.planner",
    "connect": "hil.remote",
    "Pace": "wire.numbers",
    "State": "wire.numbers",
    "Flag": "wire.numbers",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
