# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Target firmware: the policy as C99 that builds where it lands, with nothing but a compiler.

    src/<prefix>_model.h .c     dimensions, signals, plan spec, golden vectors, hashes
    src/<prefix>_generator.h, <prefix>_generator_<kernel>.c, ..._critic...
                                the nets, laid out for each kernel of firmware/nn: portable, m4, mve, dual
    src/kdp_*                   what a program needs to plan with them: kdp_policy.h
    link/                       what a device needs besides that answers the link protocol
    examples/main.c, CMakeLists.txt
    ...                         of --package: what one ecosystem's own tools want (packages.py)

All of src/ is compiled, whatever the core: the sources for other kernels than the compiler's are empty.
`kdp-edge build` compiles the policy for a board, with the kernel that the board's core runs best.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import c_files, c_model, golden, packages
from kdp_edge.exporters.c_actor import c_actor
from kdp_edge.exporters.c_layout import KERNELS
from kdp_edge.exporters.c_source import CSource, c_arrays, header_of
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.exporters.rendering import rendered
from kdp_edge.exporters.verify import Check, equal
from kdp_edge.quantization.plan import IntegerPlanner


@dataclass(frozen=True)
class Form:
    """How the C of a policy is written.

    prefix: begins every generated name, in capitals those of macros: several policies fit into one program.
    packages: names of `packages.PACKAGES` whose files go along.
    """

    prefix: str = c_model.PREFIX
    packages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", self.prefix) or self.prefix.startswith("kdp_"):
            raise KdpError(
                f"prefix {self.prefix!r} cannot begin C names; take up to 31 lower-case letters, digits "
                "and _, a letter first, and nothing that begins with kdp_"
            )
        for name in self.packages:
            packages.check(name)


def write(planner: IntegerPlanner, folder: Path, form: Form | None = None) -> dict[str, Any]:
    """Write the C into `folder`; returns data and scratch sizes by kernel, prefix and packages."""
    form = form or Form()
    c_model.check_deployable(planner)
    source = folder / c_files.SRC
    for room, paths in ((source, c_files.policy_sources()), (folder / c_files.LINK, c_files.link_sources())):
        room.mkdir()
        for path in paths:
            shutil.copyfile(path, room / path.name)
    _write(source / f"{form.prefix}_model.h", c_model.header(planner, form.prefix))
    _write(source / f"{form.prefix}_model.c", c_model.source(planner, form.prefix))
    by_kernel = {kernel: generate_nets(planner, kernel, form.prefix) for kernel in KERNELS}
    sizes, generated = {}, [f"{form.prefix}_model.c"]
    for kernel, nets in by_kernel.items():
        for net in nets:
            _write(source / f"{net.symbol}_{kernel}.c", net.source)
            generated.append(f"{net.symbol}_{kernel}.c")
        sizes[kernel] = {
            "data_bytes": sum(net.data_bytes for net in nets),
            "scratch_bytes": max(net.scratch_bytes(planner.spec.k) for net in nets),
        }
    for layouts in zip(*by_kernel.values(), strict=True):
        _write(source / f"{layouts[0].symbol}.h", header_of(layouts))
    core = [path.name for path in c_files.policy_sources() if path.suffix == ".c"]
    facts = packages.facts(planner, form.prefix, core, generated)
    (folder / "examples").mkdir()
    _write(folder / "examples" / "main.c", rendered("firmware/main.c", **facts))
    _write(folder / "CMakeLists.txt", rendered("firmware/CMakeLists.txt", **facts))
    for name in form.packages:
        packages.write(name, folder, facts)
    return {
        "kernels": sizes,
        "golden_vectors": c_model.GOLDEN_VECTORS,
        "prefix": form.prefix,
        "packages": list(form.packages),
    }


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def generate_nets(planner: IntegerPlanner, kernel: str, prefix: str = c_model.PREFIX) -> tuple[CSource, ...]:
    """The planner's nets as C for one kernel; candidates share the observation."""
    shared = planner.spec.obs_dim
    if planner.critic is None:
        return (c_actor(planner.generator, f"{prefix}_generator", kernel),)
    return tuple(c_arrays(net, f"{prefix}_{net.name}", shared, kernel) for net in planner.nets)


def verify(folder: Path, planner: IntegerPlanner) -> Sequence[Check]:
    """Compiled for this computer, the bundle's own sources equal the reference: nets and whole plans."""
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
