# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Rivals in their deployed form: every byte as the integer reference, here and on an emulated core."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from kdp_edge.bench.diffusion import ddim_steps
from kdp_edge.bench.firmware import rivals
from kdp_edge.bench.firmware.host import Compiled
from kdp_edge.bench.firmware.rivals import CASES, ONE, rivals_of
from kdp_edge.cli import app
from kdp_edge.quantization.synthetic import random_planner


@pytest.mark.parametrize("k", [1, 3])
def test_every_byte_of_every_rival_is_the_references_on_this_computer(k: int) -> None:
    subject = rivals_of(random_planner(width=24, k=k, critic_width=12), 24, 1)
    assert Compiled.of(subject).wrong_answers() == []
    other = rivals.answers(replace(subject, schedules=(subject.schedules[0][::-1], *subject.schedules[1:])))
    assert (other[0] != rivals.answers(subject)[0]).any(), "a test that cannot fail"


def test_denoising_in_integers_keeps_and_gains_what_ddim_does() -> None:
    subject = rivals_of(random_planner(width=24), 24, 1)
    for count, schedule in zip(rivals.STEPS, subject.schedules, strict=True):
        expected = torch.tensor([[step.keep, step.gain] for step in ddim_steps(count)])
        found = torch.tensor([[step.keep, step.gain] for step in schedule]) / ONE
        torch.testing.assert_close(found, expected, atol=1 / ONE, rtol=0)
        assert len({step.bias.tobytes() for step in schedule}) == count  # each at a noise level of its own
        assert all(np.abs(step.bias.astype(np.int64)).max() < 2**30 for step in schedule)


def test_one_command_says_what_a_plan_costs_in_every_form(tmp_path: Path) -> None:
    out = tmp_path / "deployed.json"
    options = ["--width", "32", "--k", "1", "--rounds", "10", "--boards", "stm32f405", "--faster", "2"]
    done = CliRunner().invoke(app, ["bench", "deployed", *options, "--out", str(out)])
    assert done.exit_code == 0, done.output
    rows = json.loads(out.read_text())
    assert {(row["form"], row["planner"]) for row in rows} == {
        (form, case) for form in ("torch", "int8 C", "cortex-m4, emulated") for case in CASES
    }
    macs = {row["planner"]: row["macs"] for row in rows}
    assert macs["diffusion-20"] == 4 * macs["diffusion-5"] == 20 * macs["diffusion-1"]
    assert all(row["times_kdp"] > 2 for row in rows if row["planner"] == "diffusion-20")
