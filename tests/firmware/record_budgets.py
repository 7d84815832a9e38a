# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Write budgets.json anew: what each board's image needs today, and a little room to move.

    python -m tests.firmware.record_budgets

Growth beyond a budget fails the tests; recording it again is a decision, so that it shows in a diff.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from kdp_edge.exporters import targets
from kdp_edge.exporters.boards import board_names
from kdp_edge.exporters.build import compile_bundle
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner

BUDGETS = Path(__file__).with_name("budgets.json")
ROOM = 1.03
STEP = {"flash_bytes": 512, "ram_bytes": 128, "stack_bound_bytes": 8}


def budget_planner() -> IntegerPlanner:
    """The policy that budgets are recorded for: Hopper's shape."""
    return random_planner(margin=3, critic_steps=2)


def main() -> None:
    budgets = {}
    with tempfile.TemporaryDirectory() as temporary:
        bundle = targets.export_planner(budget_planner(), "firmware", Path(temporary) / "bundle", {})
        for board in board_names():
            if board == "native":
                continue
            image = compile_bundle(bundle.path, board, Path(temporary) / board)
            needs = {name: getattr(image, name) for name in STEP}
            budgets[board] = {n: -(-int(needs[n] * ROOM) // STEP[n]) * STEP[n] for n in STEP}
            print(board, image.kernel, needs)
    BUDGETS.write_text(json.dumps(budgets, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
