# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Settings of a run: refused by name before anything is trained, wherever they come from."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.learn.recipes import recipe_for
from kdp_edge.learn.train import start_run
from kdp_edge.run import RunConfig, setting
from kdp_edge.tasks import TASKS, get_task
from kdp_edge.window import MAX_BODY, WindowShape, beyond_device
from kdp_edge.wire import frame

TASK = get_task("hopper-medium")


@pytest.mark.parametrize("name", ["tilt", "margin", "improve", "lr", "key_tau", "discount", "anchor"])
@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_numbers_that_are_not_finite_are_refused(name: str, value: float) -> None:
    with pytest.raises(KdpError, match=f"setting {name} is {value}, expected a finite number"):
        recipe_for(TASK, "d", **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tilt", 0), ("tilt", -1.0), ("improve", -0.1), ("k", 0), ("k", 2.5), ("k", True), ("width", "8"),
        ("blocks", -1), ("blocks", 10**9), ("width", 10**9), ("steps", None), ("taus", ()), ("taus", (nan,)),
        ("discount", 1.5), ("chunk", 5), ("critic_steps", 5), ("seed", -1), ("to_end", 2),
        ("to_end", 0.5),
    ],
)  # fmt: skip
def test_numbers_out_of_range_or_of_another_type_are_refused(name: str, value: object) -> None:
    with pytest.raises(KdpError, match=f"setting {name} is "):
        recipe_for(TASK, "d", **{name: value})


@pytest.mark.parametrize("task", TASKS.values(), ids=str)
def test_every_recipe_is_in_range_and_fits_a_device(task: object) -> None:
    recipe_for(task, "d").check_deployable()


def test_a_negative_margin_and_nothing_to_improve_are_settings() -> None:
    config = recipe_for(TASK, "d", margin=-1.0, improve=0, blocks=0, actor_steps=0)
    assert (config.margin, config.improve) == (-1.0, 0)


def test_a_config_on_disk_is_checked_as_well(tmp_path: Path) -> None:
    value = json.loads(json.dumps(recipe_for(TASK, "d").to_json()))
    assert RunConfig.from_json(value, tmp_path) == recipe_for(TASK, "d")
    for name, wrong in (("blocks", 10**9), ("width", "wide"), ("taus", 3), ("task", 5), ("tilt", None)):
        with pytest.raises(KdpError, match="train again"):
            RunConfig.from_json({**value, name: wrong}, tmp_path)


@pytest.mark.parametrize("settings", [{"k": 65}, {"horizon": 80}, {"latent_dim": 256}, {"horizon": 255}])
def test_more_than_a_device_takes_is_said_before_training(home: Path, settings: dict) -> None:
    with pytest.raises(KdpError, match="nothing is trained"):
        start_run(TASK, None, 0, "cpu", "float32", settings, lambda *_: None)
    assert not (home / "runs").exists() and not (home / "data").exists()


def test_the_limits_are_those_of_the_frame() -> None:
    assert MAX_BODY == frame.MAX_BODY
    widest = WindowShape(1, 250, 64)
    assert beyond_device(widest, 64, 255) is None
    assert beyond_device(WindowShape(4, 200, 50), 12, 8) is None  # exactly a frame
    assert "is 1021 bytes, a frame holds 1020" in str(beyond_device(WindowShape(4, 200, 50), 13, 8))
    for shape in (WindowShape(1, 251, 1), WindowShape(1, 1, 65), WindowShape(255, 1, 1)):
        assert beyond_device(shape, 1, 1)


def test_any_setting_can_be_given_by_name_and_a_wrong_one_is_named() -> None:
    assert setting("anchor=3") == ("anchor", 3)
    assert setting("taus=[0.1, 0.2]") == ("taus", (0.1, 0.2))
    for text, names in (
        ("ancor=3", "did you mean anchor"),
        ("anchor", "NAME=VALUE"),
        ("task=x", "unknown setting"),
    ):
        with pytest.raises(KdpError, match=names):
            setting(text)
    with pytest.raises(KdpError, match="anchor is 'x', expected"):
        replace(RunConfig(task="x", data="x", obs_dim=1, act_dim=1), **dict([setting("anchor=x")])).check()
