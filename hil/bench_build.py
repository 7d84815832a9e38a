"""Compile the bench program: one kernel, one net, one emulated core."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdp_edge.export.c_source import CSource, c_arrays
from kdp_edge.export.toolchain import arm_toolchain, run
from kdp_edge.hil import bench_data
from kdp_edge.hil.bench_boards import FIRMWARE, BenchBoard
from kdp_edge.quantize.integer_net import IntegerNet

FLAGS = ["-O2", "-g", "-std=c99", "-ffunction-sections", "-fdata-sections", "-fno-common"]
FLAGS += ["-Wall", "-Wextra", "-Wconversion", "-Werror", "--specs=picolibc.specs"]
FLOAT_FLAGS = ["-ffp-contract=fast"]  # the float yardstick may fuse multiply and add
OTHER_CONSTANTS = 64 << 10  # calls, code: what else has to fit beside the nets


@dataclass(frozen=True)
class BenchProgram:
    """A linked bench. sizes: flash bytes (code and constants) by case; working bytes in ram by case."""

    elf: Path
    cases: tuple[str, ...]
    source: CSource
    flash: dict[str, int]
    ram: dict[str, int]


def build(
    board: BenchBoard, kernel: str, net: IntegerNet, shared_size: int, calls: bench_data.Calls, folder: Path
) -> BenchProgram:
    """Compile and link the bench into `folder`; the reference loop and float32 come along if they fit."""
    job = _Job(board, kernel, folder)
    source = c_arrays(net, "net", shared_size, kernel)
    job.write("net.h", source.header)
    job.write("bench_net.h", bench_data.header(net, calls.k))
    job.write("memory.ld", board.memory)
    kernel_objects = [job.compile(path) for path in sorted((FIRMWARE / "nn").glob("*.c"))]
    kernel_objects.append(job.compile(job.write("net.c", source.source)))
    weights = sum(linear.weight.size for linear in net.linears)
    left = board.constants_bytes - OTHER_CONSTANTS - source.data_bytes
    groups = {"kernel": kernel_objects}
    if weights < left:
        left -= weights
        text = bench_data.reference_source(net)
        groups["reference"] = [job.bench("bench_reference"), job.compile(job.write("reference_net.c", text))]
    if 4 * weights < left and calls.k % 4 == 0:
        text = bench_data.float_source(net, calls.k)
        objects = [job.bench("bench_float", *FLOAT_FLAGS), job.compile(job.write("float_net.c", text))]
        groups["float32"] = objects
    defines = [f"-DBENCH_{case.upper().rstrip('32')}" for case in groups if case != "kernel"]
    objects = [job.bench("bench_start"), job.bench("bench", *defines)]
    objects.append(job.compile(job.write("bench_calls.c", bench_data.calls_source(net, calls))))
    elf = job.link([*objects, *(o for group in groups.values() for o in group)])
    sizes = {case: job.sizes(group) for case, group in groups.items()}
    traffic = calls.shared[0].size + calls.columns[0].size + calls.expected[0].size
    ram = {case: sizes[case][1] + traffic for case in groups}
    ram["kernel"] += source.scratch_bytes(calls.k)
    flash = {case: sizes[case][0] for case in groups}
    flash["one_by_one"], ram["one_by_one"] = flash["kernel"], ram["kernel"]
    ram["one_by_one"] += source.scratch_bytes(1) - source.scratch_bytes(calls.k)
    return BenchProgram(
        elf, ("kernel", "one_by_one", *(c for c in groups if c != "kernel")), source, flash, ram
    )


class _Job:
    def __init__(self, board: BenchBoard, kernel: str, folder: Path) -> None:
        self.folder, self.toolchain = folder, arm_toolchain()
        self.flags = [*FLAGS, *board.flags, f"-DKDP_KERNEL=KDP_KERNEL_{kernel.upper()}"]
        self.flags += [f"-I{folder}", f"-I{FIRMWARE / 'nn'}", f"-I{FIRMWARE / 'bench'}"]

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def bench(self, stem: str, *extra: str) -> Path:
        return self.compile(FIRMWARE / "bench" / f"{stem}.c", *extra)

    def compile(self, source: Path, *extra: str) -> Path:
        target = self.folder / f"{source.stem}.o"
        run([self.toolchain.compiler, *self.flags, *extra, "-c", str(source), "-o", str(target)])
        return target

    def link(self, objects: list[Path]) -> Path:
        elf = self.folder / "bench.elf"
        script = [f"-L{self.folder}", "-T", str(FIRMWARE / "bench" / "bench.ld")]
        names = map(str, objects)
        run(
            [
                self.toolchain.compiler,
                *self.flags,
                "-nostartfiles",
                "-Wl,--gc-sections",
                *script,
                *names,
                "-o",
                str(elf),
            ]
        )
        return elf

    def sizes(self, objects: list[Path]) -> tuple[int, int]:
        """(code and constants, variables) of some objects, bytes."""
        flash = ram = 0
        for line in run([self.toolchain.tool("size"), *map(str, objects)]).splitlines()[1:]:
            text, data, bss = (int(n) for n in line.split()[:3])
            flash, ram = flash + text + data, ram + data + bss
        return flash, ram
