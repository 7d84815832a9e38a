# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Target firmware: the policy as generated C99, for this project's boards and for your own program.

    kdp_model.h .c            dimensions, plan spec, golden vectors, hashes
    <kernel>/kdp_generator.h .c, kdp_critic.h .c
                              the nets, laid out for one kernel of firmware/nn: portable, m4, mve, dual

`kdp-edge build` compiles them for a board, with the kernel that the board's core runs best.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.exporters import c_model, golden
from kdp_edge.exporters.c_actor import c_actor
from kdp_edge.exporters.c_layout import KERNELS
from kdp_edge.exporters.c_source import CSource, c_arrays
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.exporters.verify import Check, equal
from kdp_edge.quantization.plan import IntegerPlanner


def write(planner: IntegerPlanner, folder: Path) -> dict[str, Any]:
    """Write the generated C into `folder`; returns data and scratch sizes by kernel."""
    c_model.check_deployable(planner)
    (folder / "kdp_model.h").write_text(c_model.header(planner), encoding="utf-8")
    (folder / "kdp_model.c").write_text(c_model.source(planner), encoding="utf-8")
    sizes = {}
    for kernel in KERNELS:
        nets = generate_nets(planner, kernel)
        (folder / kernel).mkdir()
        for net in nets:
            (folder / kernel / f"{net.symbol}.h").write_text(net.header, encoding="utf-8")
            (folder / kernel / f"{net.symbol}.c").write_text(net.source, encoding="utf-8")
        sizes[kernel] = {
            "data_bytes": sum(net.data_bytes for net in nets),
            "scratch_bytes": max(net.scratch_bytes(planner.spec.k) for net in nets),
        }
    return {"kernels": sizes, "golden_vectors": c_model.GOLDEN_VECTORS}


def generate_nets(planner: IntegerPlanner, kernel: str) -> tuple[CSource, ...]:
    """The planner's nets as C for one kernel; candidates share the observation."""
    shared = planner.spec.obs_dim
    if planner.critic is None:
        return (c_actor(planner.generator, "kdp_generator", kernel),)
    return tuple(c_arrays(net, f"kdp_{net.name}", shared, kernel) for net in planner.nets)


def verify(folder: Path, planner: IntegerPlanner) -> Sequence[Check]:
    """Compiled for this computer, the portable sources equal the reference: nets and whole plans."""
    vectors = golden.load(folder)
    library = HostLibrary.compile(folder)
    checks = []
    for net in planner.nets:
        found = library.run_net(net.name, vectors[f"{net.name}.inputs"], net.output_size)
        checks.append(equal(f"generated C, {net.name}", vectors[f"{net.name}.outputs"], found))
    digests = vectors["plan.digest"]
    plans = zip(*(vectors[f"plan.{name}"] for name in ("observation", "episode", "index")), strict=True)
    found = np.array([library.plan_digest(*plan) for plan in plans], np.uint32)
    return [*checks, equal("generated C, digests of whole plans", digests, found)]
