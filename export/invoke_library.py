# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A tflm bundle's C planner compiled for this computer, its nets run by a Python function."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.exporters import c_files
from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.c_model import PREFIX
from kdp_edge.exporters.toolchain import host_toolchain, run

_FLAGS = ["-std=c99", "-O2", "-fPIC", "-shared"]
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int8), ctypes.POINTER(ctypes.c_int8)
)
_FAILED = -67  # KDP_ERROR_NET_FAILED

Invoke = Callable[[int, np.ndarray], np.ndarray]


class InvokeLibrary:
    """One policy, the bundle in `folder`, behind firmware/test/kdp_invoke_library.c.

    invoke(critic, inputs): int8 inputs of one candidate -> int8 outputs, of the generator (0) or the critic
    (1), whose numbers of inputs and outputs are `sizes`. The policy's self-test runs at once.

    Raises:
        KdpError: (a gate failed) the self-test did not pass.
    """

    def __init__(self, folder: Path, invoke: Invoke, sizes: Sequence[tuple[int, int]]) -> None:
        def called(
            critic: int, inputs: ctypes._Pointer[ctypes.c_int8], out: ctypes._Pointer[ctypes.c_int8]
        ) -> int:
            count, outputs = sizes[critic]
            try:
                found = invoke(critic, np.ctypeslib.as_array(inputs, (count,)).astype(np.int8))
                np.ctypeslib.as_array(out, (outputs,))[:] = found
            except RuntimeError:
                return _FAILED
            return 0

        self._folder = tempfile.TemporaryDirectory(prefix="kdp-invoke-")
        path, includes = Path(self._folder.name) / "libkdp.so", [folder / c_files.PLAN]
        sources = [*sorted(includes[0].glob("*.c")), FIRMWARE / "test" / "kdp_invoke_library.c"]
        if c_files.prefix_of(folder, c_files.PLAN) != PREFIX:
            header = c_files.header_for_ours(folder, c_files.PLAN)
            (path.parent / "kdp_model.h").write_text(header, encoding="utf-8")
            includes.append(path.parent)
        command = [host_toolchain().compiler, *_FLAGS, *(f"-I{i}" for i in includes), *map(str, sources)]
        run([*command, "-o", str(path)])
        self._c = ctypes.CDLL(str(path))
        self._callback = _CALLBACK(called)  # kept: C calls it
        self._require(self._c.kdp_invoke_library_start(self._callback), "the self-test")

    def __enter__(self) -> InvokeLibrary:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._folder.cleanup()

    def plan_digest(self, observation: np.ndarray, episode: int, index: int) -> int:
        """Digest of one plan for a float32 observation [obs_dim]."""
        observation = np.ascontiguousarray(observation, np.float32)
        digest = ctypes.c_uint32()
        numbers = (ctypes.c_uint32(int(episode)), ctypes.c_uint32(int(index)))
        pointer = observation.ctypes.data_as(ctypes.c_void_p)
        self._require(self._c.kdp_invoke_library_plan(pointer, *numbers, ctypes.byref(digest)), "a plan")
        return digest.value

    def _require(self, status: int, what: str) -> None:
        if status != 0:
            raise KdpError(f"C planner of the tflm bundle: {what} returned {status}, expected 0", GATE_FAILED)
