# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A policy and its rivals as the C that is exported, compiled for this computer and called in process."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable
from pathlib import Path

from kdp_edge.bench.firmware.programs import write_plans
from kdp_edge.bench.firmware.rivals import CASES, Rivals
from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.toolchain import host_toolchain, run

FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=off", "-fPIC", "-shared")
ROOMS = ("nn", "bench", "core")
REPEATS = 8  # plans of one call: a call from Python costs as much as a tenth of a plan
CALLS = 16  # observations that the C carries, with the reference's answers


class Compiled:
    """Whole plans of a policy and of its rivals, by case of `CASES`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        library.bench_prepare()
        self._cases = (_Case * len(CASES)).in_dll(library, "bench_cases")

    @classmethod
    def of(cls, rivals: Rivals) -> Compiled:
        """Compile them; raises `KdpError` where there is no C compiler, or it fails."""
        with tempfile.TemporaryDirectory(prefix="kdp-rivals-") as work:
            folder = Path(work)
            given = write_plans(rivals, "portable", folder)
            given += [*sorted((FIRMWARE / "nn").glob("*.c")), FIRMWARE / "bench" / "bench_rivals.c"]
            includes = [f"-I{path}" for path in (folder, *(FIRMWARE / room for room in ROOMS))]
            path = folder / "librivals.so"
            options = [*FLAGS, "-DKDP_KERNEL=KDP_KERNEL_PORTABLE", *includes]
            run([host_toolchain().compiler, *options, *map(str, given), "-o", str(path)])
            return cls(ctypes.CDLL(str(path)))

    def wrong_answers(self) -> list[str]:
        """Names of the cases that differ from the reference in any byte of any candidate."""
        return [name for name, case in zip(CASES, self._cases, strict=True) if not _right(case)]

    def turn(self, name: str) -> Callable[[int], None]:
        """`REPEATS` plans of a case, for its call number i."""
        which, repeat = CASES.index(name), self.library.bench_repeat
        return lambda number: repeat(which, number % CALLS, REPEATS)


class _Case(ctypes.Structure):
    """`bench_case` of firmware/bench/bench.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("run", ctypes.CFUNCTYPE(None, ctypes.c_int)),
        ("equal", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)),
    )


def _right(case: _Case) -> bool:
    for call in range(CALLS):
        case.run(call)
        if not case.equal(call):
            return False
    return True
