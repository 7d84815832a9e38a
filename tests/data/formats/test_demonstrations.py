# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Demonstrations without rewards: stored as such and shown as such. And: what is not installed is named."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import app
from kdp_edge.cli.refusals import explained
from kdp_edge.data import store
from kdp_edge.data.formats.found import Choice
from kdp_edge.data.importing import OwnRobot, Source, import_set

from ..test_misread import Arrays
from .test_layouts import LOG, LOGGED, robot_of
from .writers import RATE, WRITERS, walks


def without_rewards(arrays: Arrays) -> None:
    del arrays["rewards"]


def zeros(arrays: Arrays) -> None:
    arrays["rewards"][:] = 0


@pytest.mark.parametrize("change", [without_rewards, zeros])
def test_data_without_rewards_are_stored_and_say_so(home: Path, change: object) -> None:
    arrays = walks()
    change(arrays)  # type: ignore[operator]
    made = import_set(Source(str(WRITERS["d4rl"](home, arrays))), "demos", OwnRobot(RATE, safe=("hold",)))
    assert made.meta["has_rewards"] is False
    assert made.meta["behaviour"]["return_mean"] is None and made.meta["behaviour"]["score_mean"] is None
    assert made.meta["behaviour"]["length_mean"] == 19.0 and not store.load_data("demos").rewards.any()
    shown = CliRunner().invoke(app, ["data", "show", "demos"], catch_exceptions=False)
    assert shown.exit_code == 0 and "demonstrations without rewards" in shown.stdout
    assert "scores of episodes" not in shown.stdout
    listed = CliRunner().invoke(app, ["data", "list"], catch_exceptions=False)
    assert "demos: 114 transitions, no rewards" in listed.stdout


def test_data_with_rewards_say_nothing_of_it(home: Path) -> None:
    import_set(Source(str(WRITERS["d4rl"](home, walks()))), "arm", OwnRobot(RATE, safe=("hold",)))
    shown = CliRunner().invoke(app, ["data", "show", "arm"], catch_exceptions=False)
    assert "without rewards" not in shown.stdout and "scores of episodes" in shown.stdout


def test_data_made_before_the_flag_have_rewards(home: Path) -> None:
    import_set(Source(str(WRITERS["d4rl"](home, walks()))), "arm", OwnRobot(RATE, safe=("hold",)))
    file = store.dataset_path("arm") / "kdp.json"
    file.write_text(file.read_text().replace('"has_rewards"', '"earlier"').replace('"read_as"', '"before"'))
    shown = CliRunner().invoke(app, ["data", "show", "arm"], catch_exceptions=False)
    assert shown.exit_code == 0 and "without rewards" not in shown.stdout


@pytest.mark.parametrize(("layout", "module"), [("lerobot", "pyarrow"), ("csv", "pyarrow"), ("zarr", "zarr")])
def test_a_reader_that_is_not_installed_is_named_with_its_extra(
    home: Path, layout: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = WRITERS[layout](home, walks())
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError) as missing:
        choice = LOGGED if layout == "csv" else Choice()
        import_set(Source(str(path), choice=choice), "arm", robot_of(layout))
    said = explained(missing.value)
    assert said is not None and f"needs the package {module}" in str(said)
    assert "pip install 'kdp-edge[formats]'" in str(said)


def test_rows_that_take_no_bytes_are_refused_before_they_are_read(home: Path) -> None:
    rows = 20_000_000
    column = pyarrow.array(np.zeros(rows, np.int8))
    names = ("t", "pan", "lift", "grip", "left", "right", "r", "episode")
    parquet.write_table(pyarrow.table(dict.fromkeys(names, column)), home / "log.parquet")
    with pytest.raises(KdpError, match=r"log.parquet: columns declare 1,280,000,000 bytes, but "):
        import_set(Source(str(home / "log.parquet"), choice=LOGGED), "log", LOG)
