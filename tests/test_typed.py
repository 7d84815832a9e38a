# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""JSON and TOML from outside: the right answer or one line that names file and field, never anything else."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, read_object
from kdp_edge.base.typed import typed
from kdp_edge.exporters.boards import BOARDS, board_names, load_board
from kdp_edge.quantization import plan
from kdp_edge.quantization.plan import PlanSpec
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.run import Run
from kdp_edge.tasks import Task, get_task
from kdp_edge.tasks.robot import Action
from tests.export.runs import write_run

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SPEC = asdict(random_planner().spec)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(SPEC)), value=ANYTHING)
def test_any_value_in_any_field_of_a_plan_is_taken_or_named(name: str, value: Any) -> None:
    planner = random_planner()
    try:
        spec = typed(PlanSpec, SPEC | {name: value}, "plan.json", "quantize again")
        plan.check(type(planner)(planner.generator, planner.critic, spec), "plan.json")
    except KdpError as error:
        assert "plan.json" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": 2.5}, "k is 2.5, expected a whole number"),
        ({"k": True}, "k is True, expected a whole number"),
        ({"act_low": 5}, "act_low is 5, expected a list"),
        ({"act_low": ["x"]}, r"act_low\[0\] is 'x', expected a number"),
        ({"act_low": [float("nan")] * len(SPEC["act_low"])}, "expected a finite number"),
        ({"act_high": [10**400]}, "expected a finite number"),
        ({"task": None}, "task is None, expected a text"),
        ({"horizn": 4}, "did you mean horizon"),
        ({"act_low": [9.0] * len(SPEC["act_low"])}, "act_low must not be above safe_action"),
        ({"act_rate": [-1.0] * len(SPEC["act_rate"])}, "act_rate must not be negative"),
        ({"safe_steps": -1}, "safe_steps is -1"),
        ({"seed": 2**40}, "seed is"),
        ({"rate_hz": 0.0}, "rate_hz is 0.0"),
        ({"latent_table": [300] * 256}, "outside int8"),
    ],
)
def test_a_wrong_plan_is_one_line_for_every_target(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    plan.save(random_planner(), tmp_path)
    (tmp_path / "plan.json").write_text(json.dumps(SPEC | change))
    with pytest.raises(KdpError, match=said):
        plan.load(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), [0.5], True])
def test_what_may_be_of_two_types_names_both(value: Any) -> None:
    with pytest.raises(KdpError, match=r"safe is .*, expected a (finite )?number or a text; again"):
        typed(Action, {"name": "m0", "safe": value}, "robot.toml", "again")


def test_a_missing_field_is_named() -> None:
    with pytest.raises(KdpError, match=r"x\.json: margin is missing; again"):
        typed(PlanSpec, {k: v for k, v in SPEC.items() if k != "margin"}, "x.json", "again")


@pytest.mark.parametrize(
    "content",
    [b"[" * 200_000, b"{" * 10, b"", b"\xff\xfe", b'{"a": ' + b"1" * 5000 + b"}", b"nul", b'{"a": 1} x'],
    ids=["deep", "open", "empty", "not utf-8", "a number of 5,000 digits", "cut", "more"],
)
def test_what_is_no_json_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "kdp.json"
    file.write_bytes(content)
    with pytest.raises(KdpError, match=r"kdp.json: not valid JSON"):
        read_json(file)


def test_a_file_of_gigabytes_is_refused_by_its_size(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    with open(file, "wb") as stream:
        stream.truncate(4 << 30)  # sparse
    with pytest.raises(KdpError, match="bytes, expected at most"):
        read_json(file)


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "run.json"])
@pytest.mark.parametrize("content", ["[]", "5", "null", '"x"'])
def test_json_that_is_no_object_is_named(tmp_path: Path, name: str, content: str) -> None:
    run = write_run(tmp_path / "run")
    (run / name).write_text(content)
    with pytest.raises(KdpError, match=f"{name}.*expected an object"):
        Run.load(run)
    with pytest.raises(KdpError, match="expected an object"):
        read_object(run / name)


def test_tasks_and_boards_of_the_package_are_taken() -> None:
    task = get_task("door-cloned")
    assert typed(Task, json.loads(json.dumps(asdict(task))), "task.json", "") == task
    assert all(load_board(name).folder == BOARDS / name for name in board_names())


BOARD = (BOARDS / "stm32f405" / "board.toml").read_text().replace('"stm32f405"', '"mine"')


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "mine"', 'name = "other"', "name is 'other', expected 'mine'"),
        (
            'flags = ["-mcpu=cortex-m4"',
            'flags = "-mcpu" # ["-mcpu=cortex-m4"',
            "flags is '-mcpu', expected a list",
        ),
        (
            "flash_start = 0x08000000",
            'flash_start = "0x08000000"',
            "flash_start is '0x08000000', expected a whole",
        ),
        (
            "product_id = 0x413",
            "product_id = [1]",
            r"flash.stm32_rom.product_id is \[1\], expected a whole number",
        ),
        ("uart = [1, 2]", "uart = [1]", "expected 2 values"),
        ("uart = [1, 2]", "uarts = [1, 2]", "did you mean uart"),
        ("[flash]", "[flsh]", "did you mean flash"),
        ("core = ", "core = = ", "not valid TOML"),
    ],
)
def test_a_wrong_board_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    assert old in BOARD
    (folder / "board.toml").write_text(BOARD.replace(old, new, 1))
    with pytest.raises(KdpError, match=said) as caught:
        load_board(str(folder))
    assert "board.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_board_outside_the_package_is_found_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "board.toml").write_text(BOARD)
    monkeypatch.chdir(tmp_path)
    assert load_board("./mine").folder == tmp_path / "mine" and load_board("./mine").core == "cortex-m4"
    with pytest.raises(KdpError, match=r"no board.toml in that folder"):
        load_board("./nothing")
    with pytest.raises(KdpError, match=r"or a folder, \./my-board"):
        load_board("mine")
