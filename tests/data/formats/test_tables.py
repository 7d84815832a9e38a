# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Logs in CSV and Parquet: chosen columns, several files, and what goes wrong in logs, by name."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import app
from kdp_edge.data import store
from kdp_edge.data.formats.found import Choice
from kdp_edge.data.importing import OwnRobot, Source, import_set
from kdp_edge.tasks import get_task

from .test_layouts import LOG, LOGGED
from .writers import EPISODE, LAST, RATE, columns, csv, walks

Columns = dict[str, Any]


def refusal(path: Path | str, choice: Choice = LOGGED, robot: OwnRobot = LOG) -> str:
    with pytest.raises(KdpError) as refused:
        import_set(Source(str(path), choice=choice), "log", robot)
    assert "\n" not in str(refused.value) and not store.exists("log")
    return str(refused.value)


def written(home: Path, change: Callable[[Columns], Any]) -> Path:
    made = columns(walks())
    change(made)
    parquet.write_table(pyarrow.table(made), home / "log.parquet")
    return home / "log.parquet"


def jump(log: Columns) -> None:
    log["t"][33:] += 0.6


def standstill(log: Columns) -> None:
    log["t"][:] = 4.0


def backwards(log: Columns) -> None:
    log["t"][30:34] = log["t"][30:34][::-1]


def milliseconds(log: Columns) -> None:
    log["t"] = log["t"] * 1000


def no_time(log: Columns) -> None:
    log["t"][17] = np.nan


def episode_again(log: Columns) -> None:
    log["episode"] = np.where(EPISODE == 4, 1, EPISODE)


def no_episode(log: Columns) -> None:
    log["episode"] = [None, *EPISODE[1:].tolist()]


def hole(log: Columns) -> None:
    log["lift"] = [None if row == 44 else float(x) for row, x in enumerate(log["lift"])]


def infinite(log: Columns) -> None:
    log["left"] = np.where(np.arange(120) == 9, np.inf, log["left"])


def lost(log: Columns) -> None:
    del log["lift"]


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        (jump, ["row 33: 't' jumps from 1.6 to 2.25", "steps are 0.05 elsewhere (1 such jumps)"]),
        (standstill, ["row 1: 't' goes back or stands still"]),
        (backwards, ["row 30: 't' jumps from 1.45 to 1.65"]),
        (milliseconds, ["'t' steps by 50; expected seconds", "give --rate-hz too"]),
        (no_time, ["row 17: 't' holds no time"]),
        (episode_again, ["row 80: episode 1 of column 'episode' comes again after others"]),
        (no_episode, ["column 'episode' is empty in 1 rows"]),
        (hole, ["field 'observations' holds NaN or infinity in 1 rows, the first is row 44"]),
        (infinite, ["field 'actions' holds NaN or infinity in 1 rows, the first is row 9"]),
        (lost, ["nothing is called 'lift' (--observations)", "there: t, episode, pan, grip"]),
    ],
)
def test_what_goes_wrong_in_logs_is_refused_by_name(
    home: Path, change: Callable[[Columns], Any], messages: list[str]
) -> None:
    path = written(home, change)
    text = refusal(path)
    assert str(path) in text
    for message in messages:
        assert message in text


@pytest.mark.parametrize("unit", [1e3, 1e6, 1e9])
def test_other_units_than_seconds_are_understood_beside_a_rate(home: Path, unit: float) -> None:
    path = written(home, lambda log: log.update(t=(log["t"] * unit).astype(np.int64)))
    import_set(Source(str(path), choice=LOGGED), "log", replace(LOG, rate_hz=RATE))
    assert get_task("log").rate_hz == RATE
    assert "'t' steps by" in refusal_of_other_rate(path)


def refusal_of_other_rate(path: Path) -> str:
    with pytest.raises(KdpError) as refused:
        import_set(Source(str(path), choice=LOGGED), "other", replace(LOG, rate_hz=33.0))
    return str(refused.value)


def test_dates_are_time_stamps(home: Path) -> None:
    start = datetime.datetime(2024, 3, 1, tzinfo=datetime.UTC)
    path = written(
        home,
        lambda log: log.update(t=[start + datetime.timedelta(milliseconds=50 * row) for row in range(120)]),
    )
    import_set(Source(str(path), choice=LOGGED), "log", LOG)
    assert get_task("log").rate_hz == RATE


def test_the_rate_of_rounded_time_stamps_is_their_mean(home: Path) -> None:
    path = written(home, lambda log: log.update(t=np.round(np.arange(120) / 30, 3)))
    import_set(Source(str(path), choice=LOGGED), "log", LOG)
    assert get_task("log").rate_hz == 30.0


def test_every_file_of_a_pattern_or_folder_is_an_episode_in_the_order_of_its_number(home: Path) -> None:
    arrays, logs = walks(), home / "logs"
    logs.mkdir()
    for episode in range(6):
        rows = {k: np.asarray(v)[episode == EPISODE] for k, v in columns(arrays).items() if k != "episode"}
        lines = [";".join(rows), *(";".join(map(str, row)) for row in zip(*rows.values(), strict=True))]
        text = "\ufeff" + "\r\n".join(lines)
        (logs / f"run_{episode * 3}.csv").write_text(text, encoding="utf-8", newline="")
    kept = arrays["observations"][~LAST]
    for number, source in enumerate((logs, logs / "run_*.csv")):
        made = import_set(Source(str(source), choice=Choice(time="t")), f"log{number}", LOG)
        assert made.meta["read_as"] == "CSV of 6 files, 6 episodes, 20 Hz"
        np.testing.assert_array_equal(store.load_data(f"log{number}").observations, kept)
    (logs / "run_4.csv").write_text("a;b\n1;2\n")
    assert "run_4.csv: no column 'pan'" in refusal(logs, Choice(time="t"))


def test_one_file_without_episodes_is_one_and_a_note_says_so(home: Path) -> None:
    path = csv(home, walks(apart=0.0))
    made = import_set(Source(str(path), choice=Choice(time="t")), "log", LOG)
    assert "one file is one episode; --episode COLUMN tells several apart" in made.meta["notes"]
    assert made.meta["has_rewards"] is False


def test_names_of_episodes_may_be_text(home: Path) -> None:
    path = written(home, lambda log: log.update(episode=[f"run {episode}" for episode in EPISODE]))
    assert import_set(Source(str(path), choice=LOGGED), "log", LOG).meta["episodes"] == 6


def test_columns_of_lists_are_flattened(home: Path) -> None:
    arrays = walks()
    path = written(home, lambda log: log.update(joints=arrays["observations"].tolist()))
    import_set(Source(str(path), choice=LOGGED), "log", replace(LOG, observations=("joints",)))
    np.testing.assert_array_equal(store.load_data("log").observations, arrays["observations"][~LAST])
    assert get_task("log").obs_names == ("joints_0", "joints_1", "joints_2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line holds no names of columns"),
        ("\0\1\2", "the first line holds no names of columns"),
        ("1.0,2.0,3.0\n1,2,3\n", "the first line holds numbers, expected the names of the columns"),
        ("pan,pan,left\n1,2,3\n", "two columns are called 'pan'"),
        ("t,episode,pan,lift,grip,left,right,r\n", "no row"),
        ("t,episode,pan,lift,grip,left,right,r\n0,0,1,2,3,4\n", "not a readable CSV file"),
        ("t,episode,pan,lift,grip,left,right,r\n0,0,1,two,3,4,5,6\n", "invalid value 'two'"),
        ("a" * (2 << 20), "the first line holds no names of columns"),
        ("\ud8ff", "not text in UTF-8"),
    ],
)
def test_a_csv_file_that_is_none_is_one_line(home: Path, text: str, message: str) -> None:
    (home / "log.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert message in refusal(home / "log.csv")


def test_without_columns_the_message_lists_what_is_there(home: Path) -> None:
    text = refusal(csv(home, walks()), LOGGED, OwnRobot(safe=("hold",)))
    assert (
        "give --observations A,B,… and --actions C,…; there: t, episode, pan, lift, grip, left, right" in text
    )
    text = refusal(csv(home, walks()), Choice(episode="episode"))
    assert "how many steps a second? give --time COLUMN, or --rate-hz" in text


def test_the_command_line_takes_them(home: Path) -> None:
    path = csv(home, walks())
    words = ["--observations", "pan, lift,grip", "--actions", "left,right", "--reward", "r"]
    words += ["--episode", "episode", "--time", "t", "--ends", "terminal"]
    run = CliRunner().invoke(
        app,
        ["data", "import", str(path), "--name", "log", "--safe-action", "hold", *words],
        catch_exceptions=False,
    )
    assert run.exit_code == 0 and "read as CSV, 6 episodes, 20 Hz" in run.stdout
    assert store.read_meta("log")["recipe"]["choice"] == {
        "observations": ["pan", "lift", "grip"], "actions": ["left", "right"], "reward": "r",
        "episode": "episode", "time": "t", "ends": "terminal",
    }  # fmt: skip
    assert store.load_data("log").terminals.sum() == 6
