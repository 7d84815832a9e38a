# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The firmware bench: its numbers, its command, its errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.bench.firmware import measure as firmware_bench
from kdp_edge.bench.firmware.boards import board_named
from kdp_edge.bench.firmware.cycle_model import CycleCounter, Instruction, cost
from kdp_edge.bench.firmware.programs import build_plan
from kdp_edge.cli import app
from kdp_edge.hil.worst_case import CYCLES_EACH
from kdp_edge.quantization.synthetic import random_planner


def test_the_promised_numbers_hold_and_every_answer_is_equal(tmp_path: Path) -> None:
    out = tmp_path / "firmware.json"
    arguments = ["bench", "firmware", "--boards", "stm32f405,mps3-an547", "--nets", "NET-A,plan"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert done.exit_code == 0, done.output
    rows = json.loads(out.read_text())["rows"]
    assert all(row["equal_to_reference"] is not False for row in rows)
    bars = [row for row in rows if row["bar"]]
    assert {(row["core"], row["kernel"]) for row in bars if not row["batch"]} == {
        ("cortex-m4", "m4"), ("cortex-m55", "mve"),
    }  # fmt: skip
    assert {row["kernel"] for row in bars if row["batch"]} == {"m4", "portable", "mve"}
    assert all(row["instructions_per_mac"] <= row["bar"] for row in bars), bars
    required = "board core kernel k macs instructions_per_plan instructions_per_mac flash_bytes ram_bytes"
    assert all(set(required.split()) <= set(row) for row in rows)


def test_a_kernel_takes_the_same_instructions_for_any_data() -> None:
    subject = firmware_bench.subjects_named(["NET-A"])
    rows = firmware_bench.run_bench([board_named("stm32f405")], subject)
    ours = [row for row in rows if row.kernel in ("m4", "portable")]
    assert {(row.kernel, row.batch, row.instructions_spread) for row in ours} == {
        (kernel, batch, 0) for kernel in ("m4", "portable") for batch in (True, False)
    }


def test_a_plan_of_a_core_without_long_products_and_float_takes_the_same_instructions_for_any_data() -> None:
    board = board_named("rp2040")
    rows = firmware_bench.run_bench([board], firmware_bench.subjects_named(["plan"]))
    tick = board.instructions(1)  # each end of a call is read to a tick
    assert {row.kernel: row.instructions_spread <= 2 * tick for row in rows} == {
        "dual": True,
        "portable": True,
    }


def test_the_plug_in_counts_what_the_timer_counts(tmp_path: Path) -> None:
    board = board_named("stm32f405")
    program = build_plan(board, "m4", random_planner(), tmp_path)
    (case,) = firmware_bench.parse(board.run(program.elf), "plan")
    counted = CycleCounter(board).count(program.elf, "batch")
    assert counted.instructions == pytest.approx(board.instructions(case.longest), rel=0.001)
    assert counted.cycles > counted.instructions


@pytest.mark.parametrize(
    "shape",
    [{}, {"k": 7, "width": 64}, {"k": 1, "width": 16, "blocks": 0, "critic_width": 8, "horizon": 2}],
    ids=["default", "7 candidates", "least"],
)
def test_no_plan_takes_more_cycles_an_instruction_than_the_worst_case_says(
    shape: dict[str, Any], tmp_path: Path
) -> None:
    board = board_named("stm32f405")
    program = build_plan(board, "m4", random_planner(**shape), tmp_path)
    counted = CycleCounter(board).count(program.elf, "batch")
    assert counted.cycles <= CYCLES_EACH["cortex-m4", "m4"] * counted.instructions


@pytest.mark.parametrize(
    ("name", "operands", "previous", "cycles"),
    [
        ("smlad", "r4, r2, r12, r4", "ldrd", 1),
        ("ldr", "r0, [r1]", "add", 2),
        ("ldr", "r0, [r1]", "ldrh", 1),
        ("ldrd", "r2, r3, [r0], #8", "ldr", 3),
        ("ldmia", "r0!, {r4, r5, r6, r7}", "add", 5),
        ("pop", "{r4, pc}", "add", 6),
        ("vldmia", "r3!, {s0-s3}", "add", 5),
        ("vpush", "{d8-d9}", "add", 5),
        ("mla", "r0, r1, r2, r3", "add", 2),
        ("b", "8000a8e", "cmp", 4),
    ],
)
def test_the_cycle_model_follows_the_manuals_table(
    name: str, operands: str, previous: str, cycles: int
) -> None:
    before = Instruction(0, previous, "r0, [r1]")
    assert cost(Instruction(4, name, operands), before) == cycles


def test_missing_tools_and_unknown_names_are_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        KdpError, match=r"unknown bench board .stm32.: .*known bench boards: rp2040, stm32f405"
    ):
        board_named("stm32")
    with pytest.raises(KdpError, match="unknown bench net 'C': known bench nets: NET-A, NET-B, plan"):
        firmware_bench.subjects_named(["C"])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(KdpError, match=r"arm-none-eabi-gcc not found; install it: apt-get .*picolibc"):
        firmware_bench.run_bench()
