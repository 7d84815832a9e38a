# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A suite so small that it trains in seconds: what the tests of the suite measure."""

from __future__ import annotations

from pathlib import Path

from kdp_edge.base.progress import silent_stages
from kdp_edge.bench.records import Key, Results
from kdp_edge.bench.suite import Suite, parse_settings
from kdp_edge.bench.suite_run import Where, measure

TASK = "maze2d-umaze"
SETTINGS = parse_settings(
    [
        "value_steps=20", "value_warmup=5", "value_width=8", "value_batch=16", "steps=30", "batch=8",
        "anchor_batch=16", "distill_steps=20", "distill_batch=16", "width=16", "critic_width=8",
        "mean_steps=20",
    ]
)  # fmt: skip
SMALL = Suite(
    "small", (TASK,), (3, 4), ("kdp", "kdp-plan", "int8", "behaviour", "diffusion-5", "clone"), episodes=2,
    k=3, latency_rounds=10, fresh=True, perturb=("noise-5",), settings=SETTINGS,
)  # fmt: skip


def measured(suite: Suite, file: Path, where: Where = Where()) -> Results:  # noqa: B008
    """What `bench suite` does; nothing may fail."""
    results, failures = measure(suite, file, where, silent_stages)
    assert failures == []
    return results


def played(results: Results) -> dict[Key, list[float]]:
    """The scores of every record: all of it that does not depend on when it was measured."""
    return {key: record["scores"] for key, record in results.records.items()}
