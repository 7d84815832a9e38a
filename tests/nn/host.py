# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Compile a generated net with a kernel on the host, under sanitizers, and run it."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import kdp_edge.firmware
from kdp_edge.bench.firmware.calls import Calls
from kdp_edge.exporters.c_actor import c_actor
from kdp_edge.exporters.c_source import c_arrays
from kdp_edge.quantization.integer_net import IntegerNet

NN = Path(kdp_edge.firmware.__path__[0]) / "nn"
HERE = Path(__file__).parent
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g"]


def compile_object(source: Path, target: Path, kernel: str, *extra: str) -> Path:
    """Compile one file for `kernel` as the firmware does, with sanitizers."""
    flags = [*WARNINGS, *SANITIZERS, f"-DKDP_KERNEL=KDP_KERNEL_{kernel.upper()}", *extra]
    includes = [f"-I{NN}", f"-I{HERE / 'shim'}"]
    subprocess.run(["gcc", *flags, *includes, "-c", str(source), "-o", str(target)], check=True)
    return target


@cache
def kernel_objects(kernel: str) -> tuple[str, ...]:
    """Objects of firmware/nn, once a test run."""
    folder = Path(mkdtemp(prefix=f"kdp-nn-{kernel}-"))
    return tuple(
        str(compile_object(path, folder / f"{path.stem}.o", kernel)) for path in sorted(NN.glob("*.c"))
    )


class HostNet:
    """One net, compiled for one kernel."""

    def __init__(self, net: IntegerNet, shared_size: int, kernel: str, folder: Path) -> None:
        self.net = net
        whole = shared_size == net.input_size
        self.source = c_actor(net, "model", kernel) if whole else c_arrays(net, "model", shared_size, kernel)
        (folder / "model.h").write_text(self.source.header)
        (folder / "model.c").write_text(self.source.source)
        header = ["-DNET_SYMBOL=model", '-DNET_HEADER="model.h"', f"-I{folder}"]
        objects = [compile_object(folder / "model.c", folder / "model.o", kernel, *header)]
        objects.append(compile_object(HERE / "run_net.c", folder / "run_net.o", kernel, *header))
        self.program = folder / "run_net"
        names = [*map(str, objects), *kernel_objects(kernel)]
        subprocess.run(["gcc", *SANITIZERS, *names, "-o", str(self.program)], check=True)

    def run(self, calls: Calls) -> np.ndarray:
        """The program's answers: int8 [n, k, outputs]."""
        size = np.int32(calls.k).tobytes()
        pairs = zip(calls.shared, calls.columns, strict=True)
        records = b"".join(size + shared.tobytes() + columns.tobytes() for shared, columns in pairs)
        done = subprocess.run([self.program], input=records, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return np.frombuffer(done.stdout, np.int8).reshape(calls.expected.shape)
