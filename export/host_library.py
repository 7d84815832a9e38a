# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The firmware's C compiled for this computer and called in process: for comparing it with the reference."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.exporters import c_files
from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.c_model import PREFIX
from kdp_edge.exporters.toolchain import host_toolchain, run

_FLAGS = ["-std=c99", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-DKDP_KERNEL=KDP_KERNEL_PORTABLE"]
_ROOM = 1 << 20  # bytes for the replies to one receive()


class HostLibrary:
    """One policy behind firmware/test/kdp_library.c; each instance is its own device.

    Its clock does not run: a plan takes as many microseconds as `set_ticks` said last.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self.c = library
        self._replies = ctypes.create_string_buffer(_ROOM)
        for name in ("kdp_library_answer", "kdp_library_receive", "kdp_library_unframe"):
            getattr(library, name).restype = ctypes.c_size_t
        self.start()

    @classmethod
    def compile(cls, folder: Path) -> HostLibrary:
        """From the C in the bundle folder `folder`, the core's included."""
        toolchain = host_toolchain()
        includes = [folder / c_files.SRC, folder / c_files.LINK]
        sources = [path for include in includes for path in sorted(include.glob("*.c"))]
        sources = [path for path in sources if path.name != c_files.MAIN]
        sources.append(FIRMWARE / "test" / "kdp_library.c")
        with tempfile.TemporaryDirectory(prefix="kdp-library-") as work:
            path = Path(work) / "libkdp.so"
            if c_files.prefix_of(folder) != PREFIX:
                (path.parent / "kdp_model.h").write_text(c_files.header_for_ours(folder), encoding="utf-8")
                includes.append(path.parent)
            command = [toolchain.compiler, *_FLAGS, *(f"-I{i}" for i in includes), *map(str, sources)]
            run([*command, "-o", str(path)])
            return cls(ctypes.CDLL(str(path)))

    def start(self) -> None:
        """Boot: idle, counters at 0, plans take 1 us."""
        self._require(self.c.kdp_library_start(), "start")

    def set_ticks(self, microseconds: int) -> None:
        """How long every plan takes from now on."""
        self.c.kdp_library_set_ticks(ctypes.c_uint32(microseconds))

    def set_image(self, ok: bool) -> None:
        """Whether the next self-test finds the program intact."""
        self.c.kdp_library_set_image(int(ok))

    def turn(self) -> None:
        """One turn of the main loop, without a byte."""
        self.c.kdp_library_turn()

    def watchdog_fed(self) -> int:
        """How often the watchdog was fed since start."""
        return int(self.c.kdp_library_watchdog_fed())

    def forget(self) -> None:
        """A loss of power: what outlives a restart is gone."""
        self.c.kdp_library_forget()

    def set_clock(self, microseconds: int) -> None:
        """What the device's 32-bit clock reads now."""
        self.c.kdp_library_set_clock(ctypes.c_uint32(microseconds))

    def wait(self, microseconds: int) -> None:
        """Time goes by without a byte."""
        self.c.kdp_library_wait(ctypes.c_uint32(microseconds))

    def actuated(self, actions: int) -> np.ndarray:
        """What the actuators were told last, float32 [actions]."""
        values = np.empty(actions, np.float32)
        self.c.kdp_library_actuated(values.ctypes.data_as(ctypes.c_void_p))
        return values

    def answer(self, body: bytes) -> bytes:
        """One request (type, seq, payload) to one reply."""
        reply = ctypes.create_string_buffer(1024)
        size = self.c.kdp_library_answer(body, ctypes.c_size_t(len(body)), reply)
        return reply.raw[:size]

    def receive(self, data: bytes) -> bytes:
        """Bytes from the wire to bytes on the wire."""
        room = ctypes.c_size_t(_ROOM)
        size = self.c.kdp_library_receive(data, ctypes.c_size_t(len(data)), self._replies, room)
        return ctypes.string_at(self._replies, size)

    def unframe(self, data: bytes) -> tuple[list[bytes], int]:
        """Bodies of the good frames in `data`, and the number of bad ones, by a receiver of its own."""
        out = ctypes.create_string_buffer(2 * len(data) + 2)
        bad = ctypes.c_uint32()
        size = self.c.kdp_library_unframe(data, ctypes.c_size_t(len(data)), out, ctypes.byref(bad))
        raw, bodies, at = out.raw[:size], [], 0
        while at < size:
            length = int.from_bytes(raw[at : at + 2], "little")
            bodies.append(raw[at + 2 : at + 2 + length])
            at += 2 + length
        return bodies, bad.value

    def run_net(self, name: str, inputs: np.ndarray, outputs: int) -> np.ndarray:
        """int8 inputs [n, input_size] of net "generator" or "critic" -> int8 [n, outputs]."""
        inputs = np.ascontiguousarray(inputs, np.int8)
        result = np.empty((len(inputs), outputs), np.int8)
        arguments = (inputs.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(inputs)))
        critic = int(name == "critic")
        status = self.c.kdp_library_run_net(critic, *arguments, result.ctypes.data_as(ctypes.c_void_p))
        self._require(status, f"run {name}")
        return result

    def plan_digest(self, observation: np.ndarray, episode: int, index: int) -> int:
        """Digest of one plan for a float32 observation [obs_dim]."""
        observation = np.ascontiguousarray(observation, np.float32)
        digest = ctypes.c_uint32()
        pointer = observation.ctypes.data_as(ctypes.c_void_p)
        numbers = (ctypes.c_uint32(int(episode)), ctypes.c_uint32(int(index)))
        self._require(self.c.kdp_library_plan_digest(pointer, *numbers, ctypes.byref(digest)), "plan")
        return digest.value

    def _require(self, status: int, what: str) -> None:
        if status != 0:
            raise KdpError(f"generated C: {what} returned {status}, expected 0; export again", GATE_FAILED)
