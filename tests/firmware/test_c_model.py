# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The generated C: exact floats, the same text every time, nothing that the firmware cannot serve."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import c_model
from kdp_edge.exporters.c_signals import identifiers, signal_macros
from kdp_edge.quantization.plan import IntegerPlanner


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_literal_is_the_very_float(value: float) -> None:
    text = c_model.float_literal(value)
    assert text.endswith("f")
    assert np.float32(float.fromhex(text[:-1])) == np.float32(value)


def test_the_text_depends_on_the_planner_alone(small_planner: IntegerPlanner) -> None:
    assert c_model.source(small_planner) == c_model.source(small_planner)
    assert c_model.header(small_planner) == c_model.header(small_planner)
    assert max(map(len, c_model.source(small_planner).splitlines())) <= 120


def test_names_and_units_of_signals_are_macros_that_compile(tmp_path: Path) -> None:
    names = ["joint 1", "joint-1", "dim", "über*/", "", 'say "what??/"', "9"]
    units = ["rad/s", "°", "/*", "m*/", "1", "\\", ""]
    macros = signal_macros("X_OBS", names, units)
    text = "#include <stdio.h>\n" + "\n".join(macros)
    text += "\nint main(void) { const char *all[] = X_OBS_NAMES; const char *of[] = X_OBS_UNITS;"
    text += f' for (int i = 0; i < {len(names)}; i++) printf("%s%c%s%c", all[i], 1, of[i], 1); }}\n'
    (tmp_path / "main.c").write_text(text)
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-o", tmp_path / "main", tmp_path / "main.c"]
    subprocess.run(command, check=True)
    printed = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout.decode()
    assert printed.split("\x01")[:-1] == [text for pair in zip(names, units, strict=True) for text in pair]
    assert len(set(identifiers(names))) == len(names)
    assert all(re.fullmatch(r"[A-Z0-9_]+", name) for name in identifiers(names))


def test_golden_observations_reach_the_clamps_and_stay_acceptable(planner: IntegerPlanner) -> None:
    observations = c_model.golden_observations(planner.spec)
    quantized = planner.quantize_observation(observations)
    assert {quantized.min(), quantized.max()} == {-128, 127}
    assert (observations >= np.float32(planner.spec.obs_low)).all()
    assert (observations <= np.float32(planner.spec.obs_high)).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"act_gain": [0.0] * 8}, "act_gain must be above 0"),
        ({"act_low": [-0.0, -1.0]}, "act_low holds NaN, infinity or -0.0"),
        ({"obs_high": [np.inf, 1.0, 1.0]}, "obs_high holds NaN"),
        ({"safe_action": [2.0, 0.0]}, "safe_action must not be above act_high"),
        ({"obs_low": [21.0, -1.0, -1.0]}, "obs_low must not be above obs_high"),
        ({"act_rate": [-1.0, 1.0]}, "act_rate must not be negative"),
        ({"deadline_us": 0}, "deadline_us is 0, the firmware takes 1.."),
        ({"seed": 2**32}, "seed is 4294967296"),
    ],
)
def test_a_spec_the_firmware_cannot_serve_is_refused_at_export(
    fields: dict, message: str, small_planner: IntegerPlanner
) -> None:
    broken = replace(small_planner, spec=replace(small_planner.spec, **fields))
    with pytest.raises(KdpError, match=message):
        c_model.check_deployable(broken)
    c_model.check_deployable(small_planner)
