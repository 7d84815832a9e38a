# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The firmware bench: board, kernel and instructions per MAC, every answer compared with the reference.

Per emulated core and kernel one program runs, in one go, the net with K candidates as a batch, the
same one by one, TFLite-Micro's reference loop and float32 on the FPU: each gain is a ratio of two
rows. A second program makes whole plans (generator, critic, choice) of the project's default shape.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import write_json
from kdp_edge.base.lookup import unknown
from kdp_edge.base.progress import Progress, silent
from kdp_edge.bench.firmware import calls as bench_data
from kdp_edge.bench.firmware.boards import BenchBoard, bench_boards, board_named
from kdp_edge.bench.firmware.cycle_model import CycleCounter, plugins_supported
from kdp_edge.bench.firmware.programs import BenchProgram, build_net, build_plan
from kdp_edge.exporters.toolchain import find_program, run
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.synthetic import random_net, random_planner

CALLS = 24  # per case: 12 adversarial, 12 random
RESULT = Path("benchmarks") / "results" / "firmware.json"
# the project's promise: instructions per MAC, everything included, by (8 candidates as a batch, one)
BARS: dict[tuple[str, str, str], tuple[float, float | None]] = {
    ("cortex-m4", "m4", "NET-A"): (0.85, 1.20),
    ("cortex-m4", "m4", "NET-B"): (0.77, 1.05),
    ("cortex-m4", "portable", "NET-A"): (2.5, None),
    ("cortex-m4", "portable", "NET-B"): (2.5, None),
    ("cortex-m55", "mve", "NET-A"): (0.25, 0.23),
    ("cortex-m55", "mve", "NET-B"): (0.15, 0.18),
    ("cortex-m0plus", "dual", "NET-A"): (3.5, None),
    ("cortex-m0plus", "dual", "NET-B"): (3.2, None),
    ("rv32imc", "dual", "NET-A"): (2.7, None),
    ("rv32imc", "dual", "NET-B"): (2.5, None),
}
BAR_K = 8
NOT_A_KERNEL = {"reference": "reference loop", "float32": "float32"}


@dataclass(frozen=True)
class KernelRow:
    """One line of the table. Instructions are QEMU's, executed by one plan of k candidates.

    macs: multiply-accumulates of one plan, k candidates (the first layer's shared part counted k
    times, as a batch-1 model would do it). modelled_cycles_per_plan: Cortex-M4 only, see
    kdp_edge/bench/firmware/cycle_model.py. ram_bytes: working memory without
    stack. equal_to_reference: None where the
    results are not int8. bar: the promised instructions per MAC, None without one.
    """

    board: str
    core: str
    net: str
    kernel: str
    batch: bool
    k: int
    macs: int
    instructions_per_plan: int
    instructions_spread: int
    instructions_per_mac: float
    modelled_cycles_per_plan: int | None
    modelled_cycles_per_mac: float | None
    modelled_ms_per_plan: float | None
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    equal_to_reference: bool | None
    bar: float | None

    @property
    def within_bar(self) -> bool:
        """Not more instructions per MAC than promised."""
        return self.bar is None or self.instructions_per_mac <= self.bar

    @property
    def passed(self) -> bool:
        """Equal where comparable, and within the bar where there is one."""
        return self.equal_to_reference is not False and self.within_bar


@dataclass(frozen=True)
class Subject:
    """What is measured: a net, or the whole plan when `net` is None."""

    name: str
    net: IntegerNet | None
    shared_size: int


def subjects() -> list[Subject]:
    """NET-A and NET-B of the published comparison, and the default plan."""
    return [
        Subject("NET-A", random_net("a", 19, 128, 2, 56), 11),
        Subject("NET-B", random_net("b", 43, 256, 3, 128), 35),
        Subject("plan", None, 0),
    ]


def subjects_named(names: list[str]) -> list[Subject]:
    """Some of `subjects`, by name; an unknown one becomes a `KdpError`."""
    known = {subject.name: subject for subject in subjects()}
    for name in names:
        if name not in known:
            raise unknown("bench net", name, known)
    return [known[name] for name in names]


def program_count(boards: list[BenchBoard], wanted: list[Subject]) -> int:
    """How many programs `run_bench` builds and runs."""
    return sum(len(board.kernels) for board in boards) * len(wanted)


def run_bench(
    boards: list[BenchBoard] | None = None,
    wanted: list[Subject] | None = None,
    k: int = BAR_K,
    show: Progress = silent,
) -> list[KernelRow]:
    """Build, run and compare everything.

    Args:
        boards: emulated cores; None: all.
        wanted: subjects; None: all.
        k: candidates of the nets; the plan has its own.
        show: called with the number of programs done, of `program_count`.
    Raises:
        KdpError: toolchain or emulator missing, or a program that does not end well.
    """
    chosen, wanted = boards or bench_boards(), wanted or subjects()
    tools(chosen)
    jobs = [(b, kernel, s) for b in chosen for s in wanted for kernel in b.kernels]
    rows: list[KernelRow] = []
    for done, (board, kernel, subject) in enumerate(jobs):
        show(done)
        counter = CycleCounter(board) if board.core == "cortex-m4" and plugins_supported() else None
        with tempfile.TemporaryDirectory(prefix="kdp-bench-") as folder:
            rows += _measure(board, kernel, subject, k, counter, Path(folder))
    show(len(jobs))
    return rows


def _measure(
    board: BenchBoard, kernel: str, subject: Subject, k: int, counter: CycleCounter | None, folder: Path
) -> Iterator[KernelRow]:
    if subject.net is None:
        planner = random_planner()
        program, macs, k = build_plan(board, kernel, planner, folder), planner.macs, planner.spec.k
    else:
        calls = bench_data.make_calls(subject.net, subject.shared_size, k, CALLS)
        own = kernel == board.kernels[0]  # the yardsticks need to run once per board
        program = build_net(board, kernel, subject.net, subject.shared_size, calls, folder, yardsticks=own)
        macs = k * subject.net.macs
    for case in parse(board.run(program.elf), program.elf.name):
        yield _row(board, kernel, subject, k, macs, case, program, counter)


@dataclass(frozen=True)
class Case:
    """What bench.c prints of one case: ticks of the shortest and the longest call, calls that were
    equal to the reference, calls, stack in bytes."""

    name: str
    shortest: int
    longest: int
    equal: int
    calls: int
    stack: int


def parse(output: str, name: str) -> list[Case]:
    """The cases that a bench program printed; other output becomes a `KdpError` with the program's name."""
    lines = [line.split() for line in output.splitlines() if line.startswith("case ")]
    if not lines or any(len(words) != 7 for words in lines):
        raise KdpError(f"{name}: unexpected output {output.strip()[:80]!r}, expected lines 'case ...'")
    return [Case(words[1], *map(int, words[2:])) for words in lines]


def _row(
    board: BenchBoard,
    kernel: str,
    subject: Subject,
    k: int,
    macs: int,
    case: Case,
    program: BenchProgram,
    counter: CycleCounter | None,
) -> KernelRow:
    instructions = board.instructions(case.longest)
    cycles = counter.count(program.elf, case.name).cycles if counter is not None else None
    comparable = case.name != "float32"
    batch_bar, alone_bar = BARS.get((board.core, kernel, subject.name), (None, None))
    bar = {"batch": batch_bar, "one_by_one": alone_bar}.get(case.name) if k == BAR_K else None
    return KernelRow(
        board=board.name,
        core=board.core,
        net=subject.name,
        kernel=NOT_A_KERNEL.get(case.name, kernel),
        batch=case.name in ("batch", "float32"),
        k=k,
        macs=macs,
        instructions_per_plan=instructions,
        instructions_spread=instructions - board.instructions(case.shortest),
        instructions_per_mac=round(instructions / macs, 4),
        modelled_cycles_per_plan=cycles,
        modelled_cycles_per_mac=None if cycles is None else round(cycles / macs, 4),
        modelled_ms_per_plan=None if cycles is None else round(cycles / board.counting.clock_hz * 1e3, 3),
        flash_bytes=program.flash[case.name],
        ram_bytes=program.ram[case.name],
        stack_bytes=case.stack,
        equal_to_reference=case.equal == case.calls if comparable else None,
        bar=bar,
    )


def result(rows: list[KernelRow]) -> dict[str, Any]:
    """The content of benchmarks/results/firmware.json."""
    used = tools([board_named(name) for name in dict.fromkeys(row.board for row in rows)])
    return {
        "schema": 1,
        "unit": "instructions executed under QEMU with a fixed -icount shift; not cycles of silicon",
        "cycle_model": "Cortex-M4 TRM table, zero wait states, every branch taken; see cycle_model.py",
        "calls_compared": CALLS,
        "toolchains": [compiler for compiler, _ in used],
        "emulators": list(dict.fromkeys(emulator for _, emulator in used)),
        "left_out": left_out(rows),
        "rows": [asdict(row) for row in rows],
    }


def tools(boards: list[BenchBoard]) -> list[tuple[str, str]]:
    """(compiler, emulator) of each family of cores among `boards`; a missing one becomes a `KdpError`."""
    found = {}
    for family in (board.family for board in boards):
        compiler, qemu = family.toolchain(), find_program(family.qemu, family.install)
        found[family.qemu] = (compiler.version(), run([qemu, "--version"]).splitlines()[0])
    return list(found.values())


def left_out(rows: list[KernelRow]) -> list[str]:
    """Which yardsticks are missing, and why; whole plans have none."""
    there = {(row.board, row.net, row.kernel) for row in rows}
    pairs = dict.fromkeys((row.board, row.net) for row in rows if row.net != "plan")
    return [
        f"{board}, {net}: {yardstick}, {_reason(board, yardstick)}"
        for board, net in pairs
        for yardstick in NOT_A_KERNEL.values()
        if (board, net, yardstick) not in there
    ]


def _reason(board: str, yardstick: str) -> str:
    if yardstick == "float32" and not board_named(board).counting.float32:
        return "which takes minutes without an FPU"
    return "whose weights do not fit in the board's memory beside the kernel's"


def write(rows: list[KernelRow], path: Path) -> None:
    """Write `result(rows)` to `path`."""
    write_json(path, result(rows))
