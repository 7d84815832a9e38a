# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Compile bench programs: one kernel on one emulated core, with a net or with whole plans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdp_edge.bench.firmware import calls as bench_data
from kdp_edge.bench.firmware.boards import BenchBoard
from kdp_edge.bench.firmware.rivals import CASES, Rivals, sources
from kdp_edge.exporters import c_model
from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.c_source import CSource, c_arrays
from kdp_edge.exporters.firmware import generate_nets
from kdp_edge.exporters.toolchain import run
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.plan import IntegerPlanner

FLAGS = ["-O2", "-g", "-std=c99", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections"]
FLAGS += ["-fno-common", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
FUSED = "-ffp-contract=fast"  # the float yardstick may fuse multiply and add
OTHER_CONSTANTS = 64 << 10  # calls and code: what has to fit beside the nets
PLANNER_SOURCES = ("kdp_planner", "kdp_float", "kdp_latents", "kdp_frame")


@dataclass(frozen=True)
class BenchProgram:
    """A linked bench; flash (code and constants) and ram (working memory without stack) by case, bytes."""

    elf: Path
    flash: dict[str, int]
    ram: dict[str, int]


def build_net(
    board: BenchBoard,
    kernel: str,
    net: IntegerNet,
    shared_size: int,
    calls: bench_data.Calls,
    folder: Path,
    yardsticks: bool = True,
) -> BenchProgram:
    """Compile the cases batch and one_by_one of a net into `folder`.

    yardsticks: the cases reference and float32 come along as far as the board's memory goes.
    """
    job = _Job(board, kernel, folder)
    source = c_arrays(net, "net", shared_size, kernel)
    job.write("net.h", source.header)
    job.write("bench_net.h", bench_data.header(net, calls.k))
    objects = {"batch": [*job.kernel(), job.compile(job.write("net.c", source.source))]}
    if yardsticks:
        objects |= job.yardsticks(net, calls.k, board.constants_bytes - OTHER_CONSTANTS - source.data_bytes)
    defines = [f"-DBENCH_{case.upper()}" for case in objects]
    common = [*job.start(), job.bench("bench"), job.bench("bench_nets", *defines)]
    common.append(job.compile(job.write("bench_calls.c", bench_data.calls_source(net, calls))))
    elf = job.link([*common, *(o for group in objects.values() for o in group)])
    flash, ram = _sizes(job, objects, source, calls)
    return BenchProgram(elf, flash, ram)


def build_plan(board: BenchBoard, kernel: str, planner: IntegerPlanner, folder: Path) -> BenchProgram:
    """Compile the case batch of a whole plan into `folder`: what firmware/core does with an observation."""
    job = _Job(board, kernel, folder)
    job.write("kdp_model.h", c_model.header(planner))
    sources = [job.write("kdp_model.c", c_model.source(planner))]
    for net in generate_nets(planner, kernel):
        job.write(f"{net.symbol}.h", net.header)
        sources.append(job.write(f"{net.symbol}.c", net.source))
    sources += [FIRMWARE / "core" / f"{stem}.c" for stem in PLANNER_SOURCES]
    objects = [*job.kernel(), *map(job.compile, sources)]
    bench = job.bench("bench_plan")
    elf = job.link([*job.start(), job.bench("bench"), bench, *objects])
    return BenchProgram(elf, {"batch": job.sizes(objects)[0]}, {"batch": job.sizes([bench])[1]})


def build_rivals(board: BenchBoard, kernel: str, rivals: Rivals, folder: Path) -> BenchProgram:
    """Compile whole plans of a policy and of its rivals into `folder`."""
    job = _Job(board, kernel, folder)
    objects = [*job.kernel(), *map(job.compile, write_plans(rivals, kernel, folder))]
    bench = job.bench("bench_rivals")
    elf = job.link([*job.start(), job.bench("bench"), bench, *objects])
    flash, ram = job.sizes(objects)[0], job.sizes([bench])[1]
    return BenchProgram(elf, dict.fromkeys(CASES, flash), dict.fromkeys(CASES, ram))


def write_plans(rivals: Rivals, kernel: str, folder: Path) -> list[Path]:
    """Write a policy and its rivals as C for `kernel`; returns what to compile, firmware/core's too."""
    planner = rivals.planner
    files = {"kdp_model.h": c_model.header(planner), "kdp_model.c": c_model.source(planner)}
    for net in generate_nets(planner, kernel):
        files |= {f"{net.symbol}.h": net.header, f"{net.symbol}.c": net.source}
    files |= sources(rivals, kernel)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    generated = [folder / name for name in files if name.endswith(".c")]
    return [*generated, *(FIRMWARE / "core" / f"{stem}.c" for stem in PLANNER_SOURCES)]


def _sizes(
    job: _Job, objects: dict[str, list[Path]], source: CSource, calls: bench_data.Calls
) -> tuple[dict[str, int], dict[str, int]]:
    sizes = {case: job.sizes(group) for case, group in objects.items()}
    # inputs and outputs of one plan are memory of every case
    traffic = calls.shared[0].size + calls.columns[0].size + calls.expected[0].size
    flash = {case: size[0] for case, size in sizes.items()}
    ram = {case: size[1] + traffic for case, size in sizes.items()}
    flash["one_by_one"] = flash["batch"]
    ram["one_by_one"] = ram["batch"] + source.scratch_bytes(1)
    ram["batch"] += source.scratch_bytes(calls.k)
    return flash, ram


class _Job:
    """Compiler and linker calls of one bench, all in one folder."""

    def __init__(self, board: BenchBoard, kernel: str, folder: Path) -> None:
        self.folder, self.family, self.counting = folder, board.family, board.counting
        self.toolchain = self.family.toolchain()
        includes = [
            folder,
            *(path.parent for path in self.family.libc),
            *(FIRMWARE / name for name in ("nn", "bench", "core")),
        ]
        self.flags = [*FLAGS, *self.family.flags, *board.flags, f"-DKDP_KERNEL=KDP_KERNEL_{kernel.upper()}"]
        self.flags += [f"-I{path}" for path in includes]
        self.write("memory.ld", board.memory)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def start(self) -> list[Path]:
        """Objects that lead to main, and of what stands for a C library."""
        own = [self.bench("bench_start"), self.bench(f"bench_{self.family.folder.name}")]
        return [*own, *map(self.compile, self.family.libc)]

    def kernel(self) -> list[Path]:
        """Objects of firmware/nn."""
        return [self.compile(path) for path in sorted((FIRMWARE / "nn").glob("*.c"))]

    def yardsticks(self, net: IntegerNet, k: int, room: int) -> dict[str, list[Path]]:
        """Objects of the reference loop and of float32, as far as `room` bytes of constants go."""
        weights = sum(linear.weight.size for linear in net.linears)
        objects = {}
        if weights < room:
            data = self.write("reference_net.c", bench_data.reference_source(net))
            objects["reference"] = [self.bench("bench_reference"), self.compile(data)]
            room -= weights
        if 4 * weights < room and k % 4 == 0 and self.counting.float32:
            data = self.write("float_net.c", bench_data.float_source(net, k))
            objects["float32"] = [self.bench("bench_float", FUSED), self.compile(data)]
        return objects

    def bench(self, stem: str, *extra: str) -> Path:
        return self.compile(FIRMWARE / "bench" / f"{stem}.c", *extra)

    def compile(self, source: Path, *extra: str) -> Path:
        target = self.folder / f"{source.stem}.o"
        run([self.toolchain.compiler, *self.flags, *extra, "-c", str(source), "-o", str(target)])
        return target

    def link(self, objects: list[Path]) -> Path:
        elf = self.folder / "bench.elf"
        script = [f"-L{self.folder}", "-T", str(FIRMWARE / "bench" / "bench.ld")]
        options = ["-nostartfiles", "-Wl,--gc-sections", *script]
        names = [*map(str, objects), "-o", str(elf), *self.family.libraries]
        run([self.toolchain.compiler, *self.flags, *options, *names])
        return elf

    def sizes(self, objects: list[Path]) -> tuple[int, int]:
        """(code and constants, variables) of some objects, bytes."""
        flash = ram = 0
        for line in run([self.toolchain.tool("size"), *map(str, objects)]).splitlines()[1:]:
            text, data, bss = (int(n) for n in line.split()[:3])
            flash, ram = flash + text + data, ram + data + bss
        return flash, ram
