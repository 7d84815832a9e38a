# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The worst-case stack is a bound or an error, never a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.stack_bound import parse, stack_bound
from kdp_edge.exporters.stack_riscv import RISCV
from kdp_edge.exporters.stack_thumb import THUMB
from kdp_edge.exporters.toolchain import arm_toolchain, riscv_toolchain, run

CODE = """
#define APART __attribute__((noinline, used))
APART void sink(volatile char *at) { *at = 1; }
static APART void leaf(void) { volatile char room[200]; sink(room); room[1] = 2; }
static APART void middle(void) { volatile char room[400]; leaf(); sink(room); room[1] = 2; }
APART void interrupt(void) { volatile char room[80]; sink(room); room[1] = 2; }
__attribute__((naked, used)) void assembly(void) { __asm__("push {r4-r11, lr}\\nvpush {d8-d11}\\nbx lr"); }
"""


def _bound(tmp_path: Path, code: str) -> int:
    source, elf = tmp_path / "unit.c", tmp_path / "unit.elf"
    source.write_text(CODE + code)
    toolchain = arm_toolchain()
    flags = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-O1"]
    run([toolchain.compiler, *flags, "-nostdlib", "-Wl,-e,entry", str(source), "-o", str(elf), "-lgcc"])
    return stack_bound(elf, toolchain, THUMB, ["entry"], "interrupt")


def test_the_deepest_path_counts_with_one_interrupt_on_top(tmp_path: Path) -> None:
    shallow = _bound(tmp_path, "void entry(void) { leaf(); }")
    deep = _bound(tmp_path, "void entry(void) { leaf(); middle(); leaf(); }")
    assert 200 + 80 + THUMB.exception_frame <= shallow < 200 + 80 + THUMB.exception_frame + 64
    assert 400 <= deep - shallow <= 400 + 32


def test_assembly_counts_its_own_pushes(tmp_path: Path) -> None:
    without = _bound(tmp_path, "volatile char c; void entry(void) { c = 1; c = 2; }")
    with_it = _bound(tmp_path, "volatile char c; void entry(void) { c = 1; assembly(); c = 2; }")
    assert 9 * 4 + 4 * 8 <= with_it - without <= 9 * 4 + 4 * 8 + 8


def test_library_helpers_count_like_everything_else(tmp_path: Path) -> None:
    plain = _bound(tmp_path, "long long a, b; void entry(void) { a = b; sink((char *)&a); }")
    division = _bound(tmp_path, "long long a, b; void entry(void) { a = a / b; sink((char *)&a); }")
    assert division > plain


def test_a_jump_to_the_end_of_another_function_counts_it(tmp_path: Path) -> None:
    functions = parse(
        "00000100 <first>:\n     100:\tpush\t{r4, lr}\n     102:\tb.w\t204 <second+0x4>\n"
        "00000200 <second>:\n     200:\tsub\tsp, #16\n     204:\tstmdb\tsp!, {r4, r5}\n     208:\tbx\tlr\n",
        THUMB,
    )
    assert (functions[0x100].frame, functions[0x100].calls) == (8, {0x200})
    assert (functions[0x200].frame, functions[0x200].calls) == (16 + 8, set())


def test_a_risc_v_function_is_read_like_one_of_an_arm(tmp_path: Path) -> None:
    source, elf = tmp_path / "unit.c", tmp_path / "unit.elf"
    source.write_text(
        CODE.split("__attribute__((naked")[0] + "void entry(void) { leaf(); middle(); leaf(); }"
    )
    toolchain = riscv_toolchain()
    flags = ["-march=rv32imc", "-mabi=ilp32", "-O1", "-nostdlib", "-Wl,-e,entry"]
    run([toolchain.compiler, *flags, str(source), "-o", str(elf), "-lgcc"])
    assert 400 + 200 + 80 <= stack_bound(elf, toolchain, RISCV, ["entry"], "interrupt") < 400 + 200 + 80 + 96


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ("sub\tsp,sp,a5", "dynamic stack frame"),
        ("add\tsp,sp,t0", "dynamic stack frame"),
        ("mv\tsp,a0", "dynamic stack frame"),
        ("jalr\ta5", "through a pointer"),
        ("jr\ta5", "through a pointer"),
    ],
)
def test_what_has_no_bound_on_risc_v_is_an_error(instruction: str, message: str) -> None:
    (function,) = parse(f"80000000 <f>:\n80000000:\t{instruction}\n", RISCV).values()
    assert message in function.unbounded


def test_risc_v_calls_are_found_however_they_are_made() -> None:
    functions = parse(
        "80000000 <f>:\n80000000:\tadd\tsp,sp,-32\n80000004:\tjal\t80000100 <g>\n"
        "80000008:\tj\t80000200 <h>\n"
        "8000000c:\tbnez\ta5,80000000 <f>\n80000010:\tjalr\t-16(ra) # 80000300 <i>\n"
        "80000014:\tadd\tsp,sp,32\n80000018:\tret\n"
        "80000100 <g>:\n80000200 <h>:\n80000300 <i>:\n",
        RISCV,
    )
    assert functions[0x80000000].frame == 32 and not functions[0x80000000].unbounded
    assert functions[0x80000000].calls == {0x80000100, 0x80000200, 0x80000300}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "APART int entry(int n) { volatile int m = n; return m ? 1 + 2 * entry(m - 1) * m : 0; }",
            "recursi",
        ),
        ("void (*pointer)(void); void entry(void) { pointer(); pointer(); }", "through a pointer"),
        ("void entry(int n) { char room[n]; sink(room); }", "dynamic stack frame"),
        ("void start(void) { leaf(); }", "entry is not in unit.elf"),
    ],
)
def test_what_has_no_bound_is_an_error(code: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(KdpError, match=message):
        _bound(tmp_path, code)
