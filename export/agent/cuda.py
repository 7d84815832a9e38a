# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The few calls of the CUDA driver that inference needs, through ctypes: no package to install.

CUDA 11.4 or later (cuGraphInstantiateWithFlags); names as in the CUDA driver API reference.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, KdpError

_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CUdevice_attribute
_CAPTURE_THREAD_LOCAL = 1  # CUstreamCaptureMode


class Cuda:
    """The first GPU, its primary context made current in this thread."""

    def __init__(self) -> None:
        try:
            self._driver = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise KdpError(
                f"no CUDA driver here ({error}): run the agent on the Jetson", DEVICE_MISSING
            ) from None
        self._device = ctypes.c_int()
        context = ctypes.c_void_p()
        self.call("cuInit", 0)
        self.call("cuDeviceGet", ctypes.byref(self._device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), self._device)
        self.call("cuCtxSetCurrent", context)

    def call(self, name: str, *arguments: object) -> None:
        """Call a driver function; raises `KdpError` with the driver's own words when it fails."""
        code = getattr(self._driver, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorString(code, ctypes.byref(text))
            reason = (text.value or b"unknown error").decode()
            raise KdpError(f"CUDA: {name} failed with {code} ({reason})", GATE_FAILED)

    def name(self) -> str:
        """GPU name and compute capability, such as `Orin-sm87`."""
        text = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", text, len(text), self._device)
        numbers = [self._attribute(which) for which in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR)]
        return f"{text.value.decode()}-sm{numbers[0]}{numbers[1]}"

    def _attribute(self, which: int) -> int:
        value = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), which, self._device)
        return value.value

    def stream(self) -> ctypes.c_void_p:
        """A new stream."""
        stream = ctypes.c_void_p()
        self.call("cuStreamCreate", ctypes.byref(stream), 0)
        return stream

    def synchronize(self, stream: ctypes.c_void_p) -> None:
        """Wait until a stream is done."""
        self.call("cuStreamSynchronize", stream)

    def event(self) -> ctypes.c_void_p:
        """A new event: a mark on a stream that keeps its time."""
        event = ctypes.c_void_p()
        self.call("cuEventCreate", ctypes.byref(event), 0)
        return event

    def record(self, event: ctypes.c_void_p, stream: ctypes.c_void_p) -> None:
        """Enqueue a mark."""
        self.call("cuEventRecord", event, stream)

    def between(self, first: ctypes.c_void_p, last: ctypes.c_void_p) -> int:
        """Nanoseconds of the GPU's clock between two marks that it has passed; its steps are 500."""
        milliseconds = ctypes.c_float()
        self.call("cuEventElapsedTime", ctypes.byref(milliseconds), first, last)
        return round(milliseconds.value * 1e6)

    def buffer(self, shape: tuple[int, ...]) -> Buffer:
        """float32 memory on host and GPU."""
        return Buffer(self, shape)

    @contextmanager
    def capture(self, stream: ctypes.c_void_p) -> Iterator[CudaGraph]:
        """Record what is enqueued on `stream` inside the context instead of running it."""
        graph, recorded = CudaGraph(self, stream), ctypes.c_void_p()
        self.call("cuStreamBeginCapture_v2", stream, _CAPTURE_THREAD_LOCAL)
        yield graph
        self.call("cuStreamEndCapture", stream, ctypes.byref(recorded))
        self.call(
            "cuGraphInstantiateWithFlags", ctypes.byref(graph.executable), recorded, ctypes.c_ulonglong(0)
        )


class CudaGraph:
    """Recorded work that is launched with one call."""

    def __init__(self, cuda: Cuda, stream: ctypes.c_void_p) -> None:
        self._cuda, self._stream = cuda, stream
        self.executable = ctypes.c_void_p()

    def launch(self) -> None:
        """Run it and wait for the end."""
        self._cuda.call("cuGraphLaunch", self.executable, self._stream)
        self._cuda.synchronize(self._stream)


class Buffer:
    """A float32 array in page-locked host memory (`host`) with its twin on the GPU (`address`)."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...]) -> None:
        self._cuda = cuda
        self._bytes = ctypes.c_size_t(4 * int(np.prod(shape)))
        locked, pointer = ctypes.c_void_p(), ctypes.c_uint64()
        cuda.call("cuMemAllocHost_v2", ctypes.byref(locked), self._bytes)
        cuda.call("cuMemAlloc_v2", ctypes.byref(pointer), self._bytes)
        self._locked, self.address = locked, int(pointer.value)
        content = (ctypes.c_float * int(np.prod(shape))).from_address(int(locked.value or 0))
        self.host = np.ctypeslib.as_array(content).reshape(shape)

    def upload(self, stream: ctypes.c_void_p) -> None:
        """Enqueue host -> GPU."""
        self._cuda.call(
            "cuMemcpyHtoDAsync_v2", ctypes.c_uint64(self.address), self._locked, self._bytes, stream
        )

    def download(self, stream: ctypes.c_void_p) -> None:
        """Enqueue GPU -> host."""
        self._cuda.call(
            "cuMemcpyDtoHAsync_v2", self._locked, ctypes.c_uint64(self.address), self._bytes, stream
        )
