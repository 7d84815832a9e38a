# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""One robot's data in nine layouts: found out, read as the same transitions, and said so in a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import app
from kdp_edge.data import store
from kdp_edge.data.formats.found import Choice
from kdp_edge.data.formats.registry import FORMATS, detect
from kdp_edge.data.importing import OwnRobot, Source, import_set
from kdp_edge.tasks import get_task

from .writers import LAST, MOTORS, RATE, WRITERS, walks

ROBOT = OwnRobot(RATE, safe=("hold",))
LOG = OwnRobot(safe=("hold",), observations=tuple(MOTORS), actions=("left", "right"))
LOGGED = Choice(reward="r", episode="episode", time="t")
HAS_RATE = {"csv", "parquet", "robomimic", "lerobot"}
HAS_SUCCESSORS = {"minari", "robomimic", "maniskill"}
NO_REWARDS = {"ogbench", "zarr"}


@pytest.fixture(autouse=True)
def minari_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(home / "minari"))


def robot_of(layout: str) -> OwnRobot:
    robot = LOG if layout in ("csv", "parquet") else OwnRobot(safe=("hold",))
    return robot if layout in HAS_RATE else replace(robot, rate_hz=RATE)


def test_every_format_has_a_writer_here() -> None:
    assert set(WRITERS) == set(FORMATS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("said", [True, False])
def test_each_layout_gives_the_same_transitions(home: Path, layout: str, said: bool) -> None:
    arrays = walks()
    path = WRITERS[layout](home, arrays)
    assert detect(path) == layout
    choice = LOGGED if layout in ("csv", "parquet") else Choice()
    source = Source(str(path), format=layout if said else "auto", choice=choice)
    made = import_set(source, "walks", robot_of(layout))
    data = store.load_data("walks")
    kept = np.ones(len(LAST), bool) if layout in HAS_SUCCESSORS else ~LAST
    np.testing.assert_array_equal(data.observations, arrays["observations"][kept])
    np.testing.assert_array_equal(data.actions, arrays["actions"][kept])
    np.testing.assert_array_equal(data.ends, LAST if layout in HAS_SUCCESSORS else np.roll(LAST, -1)[kept])
    assert not data.terminals.any()
    assert made.meta["has_rewards"] == (layout not in NO_REWARDS)
    expected = np.zeros(kept.sum()) if layout in NO_REWARDS else arrays["rewards"][kept]
    np.testing.assert_array_equal(data.rewards, expected.astype(np.float32))
    rate = ", 20 Hz" if layout in HAS_RATE else ""
    assert made.meta["read_as"].endswith(f", 6 episodes{rate}")
    assert get_task("walks").rate_hz == RATE


@pytest.mark.parametrize(
    ("layout", "observations", "actions"),
    [
        ("csv", ("pan", "lift", "grip"), ("left", "right")),
        ("robomimic", ("eef_pos_0", "eef_pos_1", "gripper"), ("action_0", "action_1")),
        ("maniskill", ("extra/tcp_0", "extra/tcp_1", "agent/qpos"), ("action_0", "action_1")),
        ("zarr", ("state_0", "state_1", "state_2"), ("action_0", "action_1")),
        ("lerobot", ("pan", "lift", "grip"), ("left", "right")),
        ("ogbench", ("observation_0", "observation_1", "observation_2"), ("action_0", "action_1")),
    ],
)
def test_names_come_from_the_layout(
    home: Path, layout: str, observations: tuple[str, ...], actions: tuple[str, ...]
) -> None:
    path = WRITERS[layout](home, walks())
    import_set(Source(str(path), choice=LOGGED if layout == "csv" else Choice()), "walks", robot_of(layout))
    task = get_task("walks")
    assert (task.obs_names, task.act_names) == (observations, actions)


@pytest.mark.parametrize(
    ("layout", "wanted", "columns", "names"),
    [
        ("robomimic", ("gripper", "eef_pos_1"), [2, 1], ("gripper", "eef_pos_1")),
        ("maniskill", ("agent/qpos", "extra/tcp"), [2, 0, 1], ("agent/qpos", "extra/tcp_0", "extra/tcp_1")),
        ("zarr", ("state_2", "state_0"), [2, 0], ("state_2", "state_0")),
        ("lerobot", ("observation.state.grip",), [2], ("grip",)),
        ("ogbench", ("qpos",), [0, 1], ("qpos_0", "qpos_1")),
        ("ogbench", ("x", "y", "z"), [0, 1, 2], ("x", "y", "z")),
        ("d4rl", ("x", "y", "z"), [0, 1, 2], ("x", "y", "z")),
    ],
)
def test_observations_are_chosen_in_the_order_of_the_option(
    home: Path, layout: str, wanted: tuple[str, ...], columns: list[int], names: tuple[str, ...]
) -> None:
    arrays = walks()
    import_set(
        Source(str(WRITERS[layout](home, arrays))), "walks", replace(robot_of(layout), observations=wanted)
    )
    kept = np.ones(len(LAST), bool) if layout in HAS_SUCCESSORS else ~LAST
    np.testing.assert_array_equal(
        store.load_data("walks").observations, arrays["observations"][kept][:, columns]
    )
    assert get_task("walks").obs_names == names


@pytest.mark.parametrize(
    ("layout", "wanted", "message"),
    [
        ("robomimic", "griper", "did you mean gripper? there: "),
        ("robomimic", "agentview_image", "'agentview_image' (--observations) holds images ([8, 8, 3] a row)"),
        ("maniskill", "agent/qvel", "did you mean agent/qpos? there: "),
        ("zarr", "img", "'img' (--observations) holds images ([8, 8, 3] a row)"),
        ("zarr", "stat", "did you mean state? there: "),
        ("lerobot", "observation.images.top", "(--observations) holds images ([8, 8, 3] a row)"),
        ("lerobot", "observation.sate", "did you mean observation.state? there: "),
        ("csv", "lft", "did you mean lift? there: t, episode, pan, lift, grip, left, right, r, mode"),
        ("parquet", "mode", "'mode' (--observations) has dtype object, expected numbers"),
        ("robomimic", "gripper,gripper", "--observations names 'gripper' twice"),
    ],
)
def test_keys_that_cannot_be_observed_are_refused_by_name(
    home: Path, layout: str, wanted: str, message: str
) -> None:
    path = WRITERS[layout](home, walks())
    robot = replace(robot_of(layout), observations=tuple(wanted.split(",")))
    choice = LOGGED if layout in ("csv", "parquet") else Choice()
    with pytest.raises(KdpError) as refused:
        import_set(Source(str(path), choice=choice), "walks", robot)
    assert message in str(refused.value) and str(path) in str(refused.value)
    assert "\n" not in str(refused.value) and not store.exists("walks")


def test_the_command_says_as_what_it_read_the_data(home: Path) -> None:
    path = WRITERS["lerobot"](home, walks())
    run = CliRunner().invoke(
        app, ["data", "import", str(path), "--name", "arm", "--safe-action", "hold"], catch_exceptions=False
    )
    assert run.exit_code == 0 and "read as LeRobotDataset v3.0, 6 episodes, 20 Hz" in run.stdout
    assert "note: not read: observation.images.top" in run.stdout
    shown = CliRunner().invoke(app, ["data", "show", "arm", "--no-plot"], catch_exceptions=False)
    assert "read as LeRobotDataset v3.0, 6 episodes, 20 Hz" in shown.stdout
    assert store.read_meta("arm")["robot_type"] == "so101_follower"


def test_a_format_that_nobody_knows_and_a_path_that_is_not_there(home: Path) -> None:
    with pytest.raises(KdpError, match="unknown format 'lerobt': did you mean lerobot"):
        import_set(Source(str(home), format="lerobt"), "walks")
    for layout in FORMATS:
        with pytest.raises(KdpError, match="nothing-here"):
            import_set(Source(str(home / "nothing-here"), format=layout), "walks", robot_of(layout))
    with pytest.raises(KdpError, match=r"a folder of no layout that is known; expected a LeRobotDataset"):
        import_set(Source(str(home)), "walks", LOG)
    with pytest.raises(KdpError, match="no such file, and no Minari id"):
        import_set(Source(str(home / "nothing.csv")), "walks", LOG)


def test_a_layout_that_says_no_rate_asks_for_it_and_one_that_does_is_not_overruled(home: Path) -> None:
    with pytest.raises(KdpError, match=r"pusht.zarr: how many steps a second\? give --rate-hz"):
        import_set(Source(str(WRITERS["zarr"](home, walks()))), "walks")
    path = WRITERS["lerobot"](home, walks())
    with pytest.raises(KdpError, match=f"--rate-hz 50: {path} says 20 Hz"):
        import_set(Source(str(path)), "walks", OwnRobot(50.0, safe=("hold",)))


@pytest.mark.parametrize("layout", ["robomimic", "maniskill", "ogbench", "zarr", "lerobot"])
def test_ends_are_cuts_unless_the_user_says_otherwise(home: Path, layout: str) -> None:
    path = WRITERS[layout](home, walks())
    source = Source(str(path), choice=Choice(ends="terminal"))
    import_set(source, "walks", robot_of(layout))
    ended = store.load_data("walks").terminals
    assert ended.sum() == (0 if layout == "maniskill" else 6)  # ManiSkill tells itself: these were truncated
    with pytest.raises(KdpError, match="--ends 'end': expected cut or terminal"):
        import_set(replace(source, choice=Choice(ends="end")), "other", robot_of(layout))


def test_terminals_that_mean_cut_are_refused_until_the_user_says_what_they_mean(home: Path) -> None:
    arrays = walks()
    arrays["terminals"], arrays["timeouts"] = arrays["timeouts"], arrays["terminals"]
    path = str(WRITERS["d4rl"](home, arrays))
    with pytest.raises(KdpError, match="'terminals' ends each of 6 episodes after 20 steps, as a time limit"):
        import_set(Source(path), "walks", ROBOT)
    for ends, count in (("cut", 0), ("terminal", 6)):
        import_set(Source(path, choice=Choice(ends=ends)), "walks", ROBOT, force=True)
        assert store.load_data("walks").terminals.sum() == count
    arrays["terminals"] = arrays["terminals"].copy()
    arrays["terminals"][:25] = np.arange(25) == 24  # episodes of different length end by themselves
    import_set(Source(str(WRITERS["d4rl"](home, arrays))), "walks", ROBOT, force=True)
