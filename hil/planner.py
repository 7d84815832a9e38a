# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The planner of a bundle (`export/agent/planner.py`), here of a run as well."""

from __future__ import annotations

import time
from pathlib import Path

from kdp_edge.exporters.agent.planner import Clock
from kdp_edge.exporters.agent.planner import Planner as BundlePlanner
from kdp_edge.exporters.bundle import Bundle, opened
from kdp_edge.quantization.policy import planner_of
from kdp_edge.run import Run


class Planner(BundlePlanner):
    """The policy of a bundle or a run, with its fail-safe; `kdp_agent.Planner` in a bundle is the same."""

    def __init__(
        self,
        source: Run | Bundle | Path | str,
        backend: str | None = None,
        clock: Clock | None = time.perf_counter,
        precision: str = "int8",
    ) -> None:
        """Take the policy of a run, which is quantized if it is not yet, or of a bundle; or of their folder.

        A run is planned by the exact integer reference in NumPy. The rest: `export/agent/planner.py`.

        Raises:
            KdpError: neither, or damaged; what the back end needs is missing.
        """
        policy = opened(source)
        if isinstance(policy, Run):
            self._begin(planner_of(policy), policy.path, clock)
        else:
            super().__init__(policy.path, backend, clock, precision)
