"""Compile a generated net with a kernel on the host, under sanitizers, and run it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import kdp_edge.firmware
import numpy as np
from kdp_edge.export.c_source import c_arrays

from kdp_edge.quantize.integer_net import IntegerNet

NN = Path(kdp_edge.firmware.__path__[0]) / "nn"
HERE = Path(__file__).parent
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g"]


class HostNet:
    """One net, compiled for one kernel."""

    def __init__(self, net: IntegerNet, shared_size: int, kernel: str, folder: Path) -> None:
        self.net, self.shared_size = net, shared_size
        self.source = c_arrays(net, "model", shared_size, kernel)
        (folder / "model.h").write_text(self.source.header)
        (folder / "model.c").write_text(self.source.source)
        self.program = folder / "run_net"
        command = ["gcc", *WARNINGS, *SANITIZERS, f"-DKDP_KERNEL=KDP_KERNEL_{kernel.upper()}"]
        command += ["-DNET_SYMBOL=model", '-DNET_HEADER="model.h"', f"-I{folder}", f"-I{NN}"]
        command += [f"-I{HERE / 'shim'}", *map(str, sorted(NN.glob("*.c")))]
        command += [str(folder / "model.c"), str(HERE / "run_net.c")]
        subprocess.run([*command, "-o", str(self.program)], check=True)

    def run(self, shared: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """int8 shared [n, shared_size] and columns [n, k, column_size] -> int8 [n, k, outputs]."""
        k = columns.shape[1]
        calls = zip(shared, columns, strict=True)
        records = (np.int32(k).tobytes() + s.tobytes() + c.tobytes() for s, c in calls)
        done = subprocess.run([self.program], input=b"".join(records), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return np.frombuffer(done.stdout, np.int8).reshape(len(shared), k, self.net.output_size)
