"""The worst-case stack is a bound or an error, never a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdp_edge.errors import KdpError
from kdp_edge.export.stack_bound import EXCEPTION_FRAME, LIBRARY_FRAME, stack_bound
from kdp_edge.export.toolchain import arm_toolchain, run

CODE = """
void sink(volatile char *);
static __attribute__((noinline)) void leaf(void) { volatile char room[200]; room[0] = 1; (void)room[0]; }
static __attribute__((noinline)) void middle(void) { volatile char room[400]; room[0] = 1; leaf(); room[1] = 2; }
void interrupt(void) { volatile char room[80]; room[0] = 1; (void)room[0]; }
"""


def _bound(tmp_path: Path, code: str) -> int:
    source = tmp_path / "unit.c"
    source.write_text(CODE + code)
    compiler = arm_toolchain().compiler
    flags = ["-mcpu=cortex-m4", "-mthumb", "-O1", "-fcallgraph-info=su", "-fno-optimize-sibling-calls"]
    run([compiler, *flags, "-c", source.name, "-o", "unit.o"], tmp_path)
    return stack_bound(tmp_path.glob("*.ci"), ["entry"], "interrupt")


def test_the_deepest_path_counts_with_one_interrupt_on_top(tmp_path: Path) -> None:
    shallow = _bound(tmp_path, "void entry(void) { leaf(); }")
    deep = _bound(tmp_path, "void entry(void) { leaf(); middle(); }")
    assert 200 + 80 + EXCEPTION_FRAME <= shallow < 200 + 80 + EXCEPTION_FRAME + 64
    assert 400 <= deep - shallow <= 400 + 32


def test_a_library_function_counts_as_the_declared_frame(tmp_path: Path) -> None:
    without = _bound(tmp_path, "void entry(void) { volatile char c; c = 1; }")
    with_one = _bound(tmp_path, "void entry(void) { volatile char c; c = 1; sink(&c); }")
    assert LIBRARY_FRAME <= with_one - without <= LIBRARY_FRAME + 16


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("int entry(int n) { return n ? 1 + 2 * entry(n - 1) * n : 0; }", "recursi"),
        ("void (*pointer)(void); void entry(void) { pointer(); }", "through a pointer"),
        ("void entry(int n) { char room[n]; sink(room); }", "dynamic stack frame"),
        ("void start(void) { leaf(); }", "no call graph of entry"),
    ],
)
def test_what_has_no_bound_is_an_error(code: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(KdpError, match=message):
        _bound(tmp_path, code)
