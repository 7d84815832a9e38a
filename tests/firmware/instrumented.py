# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A pytest plugin: every HostLibrary is compiled so that gcc counts which branches run.

Each library lies in a folder of its own in KDP_INSTRUMENTED; its counters are written when the process ends.
`coverage.py` runs tests with it (`-p tests.firmware.instrumented`) and reads the counters.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from pathlib import Path

from kdp_edge.exporters import c_files
from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.exporters.toolchain import host_toolchain, run

MEASURED = ("kdp_failsafe.c", "kdp_server.c")
FLAGS = ["-std=c99", "-O0", "-ffp-contract=off", "-fPIC", "-DKDP_KERNEL=KDP_KERNEL_PORTABLE"]


def compile_instrumented(folder: Path) -> HostLibrary:
    """As HostLibrary.compile, the measured files with counters."""
    work = Path(tempfile.mkdtemp(dir=os.environ["KDP_INSTRUMENTED"]))
    compiler = host_toolchain().compiler
    includes = [FIRMWARE / "core", FIRMWARE / "nn", folder / "src"]
    sources = [path for include in includes[:2] for path in sorted(include.glob("*.c"))]
    others = [path for path in sources if path.name not in ("kdp_main.c", *MEASURED)]
    others += c_files.generated(folder, "portable")
    others.append(FIRMWARE / "test" / "kdp_library.c")
    flags = [*FLAGS, *(f"-I{i}" for i in includes)]
    for name in MEASURED:
        source, target = FIRMWARE / "core" / name, work / f"{name}.o"
        run([compiler, *flags, "--coverage", "-c", str(source), "-o", str(target)])
    objects = [str(work / f"{name}.o") for name in MEASURED]
    library = work / "libkdp.so"
    run([compiler, *flags, "-shared", "--coverage", *objects, *map(str, others), "-o", str(library)])
    return HostLibrary(ctypes.CDLL(str(library)))


if "KDP_INSTRUMENTED" in os.environ:  # not where only its names are imported
    HostLibrary.compile = staticmethod(compile_instrumented)  # type: ignore[method-assign,assignment]
