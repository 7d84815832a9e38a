# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Published layouts and users' own files: read exactly, or refused with the field at fault."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import gymnasium
import h5py
import minari
import numpy as np
import pytest
from minari.data_collector import EpisodeBuffer

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import app
from kdp_edge.data import store
from kdp_edge.data.importing import OwnRobot, Source, import_set
from kdp_edge.tasks import get_task
from kdp_edge.tasks.maze2d import MAZES, OFFSET

Arrays = dict[str, np.ndarray]
LENGTHS = (30, 45, 25)  # the last one is not ended


def gym_arrays(obs_dim: int = 11, act_dim: int = 3) -> Arrays:
    """What gym_mujoco_v2 files hold: float32, ends as booleans, next observations."""
    rng, count = np.random.default_rng(0), sum(LENGTHS)
    path = [rng.normal(size=(length + 1, obs_dim)).astype(np.float32) for length in LENGTHS]
    terminals, timeouts = np.zeros(count, bool), np.zeros(count, bool)
    terminals[LENGTHS[0] - 1] = True
    timeouts[LENGTHS[0] + LENGTHS[1] - 1] = True
    return {
        "observations": np.concatenate([p[:-1] for p in path]),
        "next_observations": np.concatenate([p[1:] for p in path]),
        "actions": rng.uniform(-1, 1, (count, act_dim)).astype(np.float32),
        "rewards": rng.normal(size=count).astype(np.float32),
        "terminals": terminals,
        "timeouts": timeouts,
    }


def write_hdf5(path: Path, arrays: Arrays) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file["metadata/algorithm"] = "SAC"
        file["infos/qpos"] = np.zeros((len(arrays["rewards"]), 6))
    return path


def test_a_d4rl_gym_file_becomes_the_same_transitions(tmp_path: Path) -> None:
    arrays = gym_arrays()
    file = write_hdf5(tmp_path / "hopper_medium-v2.hdf5", arrays)
    made = import_set(Source(str(file)), "published")
    data = store.load_data("published")
    assert made.meta["task"] == "hopper-medium" and made.meta["origin"] == "published"
    for name in ("observations", "next_observations", "actions", "rewards", "terminals"):
        np.testing.assert_array_equal(getattr(data, name), arrays[name], name)
    assert np.flatnonzero(data.ends).tolist() == [29, 74, 99]
    assert made.meta["behaviour"]["complete_episodes"] == 2


def test_a_d4rl_hand_file_without_next_observations_loses_only_rows_without_a_successor(
    tmp_path: Path,
) -> None:
    arrays = gym_arrays(39, 28)
    del arrays["next_observations"]
    import_set(Source(str(write_hdf5(tmp_path / "door-cloned-v1.hdf5", arrays))), "door")
    data = store.load_data("door")
    kept = np.delete(np.arange(100), [74, 99])
    np.testing.assert_array_equal(data.observations, arrays["observations"][kept])
    inside = ~data.ends
    np.testing.assert_array_equal(data.next_observations[inside], arrays["observations"][kept + 1][inside])
    assert "2 transitions without a successor dropped at time limits" in store.read_meta("door")["notes"]


def test_a_d4rl_maze_file_gets_the_pursued_goal_and_its_reward(tmp_path: Path) -> None:
    count, goals = 60, np.repeat([[1.0, 1.0], [3.0, 3.0]], 30, 0)
    arrays = {
        "observations": np.linspace([1, 1, 0, 0], [3, 3, 0, 0], count).astype(np.float32),
        "actions": np.zeros((count, 2), np.float32),
        "rewards": np.zeros(count, np.float32),
        "terminals": np.zeros(count, bool),
        "timeouts": np.arange(count) == count - 1,
        "infos/goal": goals,
    }
    import_set(Source(str(write_hdf5(tmp_path / "maze2d-umaze-sparse-v1.hdf5", arrays))), "maze")
    data = store.load_data("maze")
    assert data.observations.shape == (58, 6)  # each of the two episodes lost its last row
    assert (data.observations[:29, 4:] == 1).all() and (data.observations[29:, 4:] == 3).all()
    expected = np.linalg.norm(data.next_observations[:, :2] - data.observations[:, 4:], axis=1) <= 0.5
    np.testing.assert_array_equal(data.rewards, expected)


def put_nan(arrays: Arrays) -> None:
    arrays["rewards"][17] = np.nan


def widen_actions(arrays: Arrays) -> None:
    arrays["actions"] *= 3


def drop_column(arrays: Arrays) -> None:
    arrays["observations"] = arrays["observations"][:, :-1]


def integers(arrays: Arrays) -> None:
    arrays["observations"] = arrays["observations"].astype(np.int64)


def no_ends(arrays: Arrays) -> None:
    arrays["terminals"][:] = False
    arrays["timeouts"][:] = False


def strange_flags(arrays: Arrays) -> None:
    arrays["terminals"] = arrays["rewards"]


def short_rewards(arrays: Arrays) -> None:
    arrays["rewards"] = arrays["rewards"][:-1]


def no_actions(arrays: Arrays) -> None:
    del arrays["actions"]


def shuffled_successors(arrays: Arrays) -> None:
    arrays["next_observations"] = arrays["next_observations"][::-1].copy()


def endless(arrays: Arrays) -> None:
    for name in arrays:
        arrays[name] = np.concatenate([arrays[name]] * 12)
    arrays["timeouts"][:] = False
    arrays["terminals"][:] = False
    arrays["terminals"][-1] = True
    del arrays["next_observations"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (put_nan, "field 'rewards' holds NaN or infinity in 1 rows, the first is row 17"),
        (widen_actions, r"field 'actions' \(\w+\) ranges from -\d.* expected -1 to 1; .* --clip-actions"),
        (drop_column, r"field 'observations' has shape \[100, 10\], expected \[100, 11\]"),
        (integers, "field 'observations' has dtype int64, expected float32"),
        (no_ends, "'terminals' and 'timeouts' mark no episode end in 100 transitions"),
        (strange_flags, "field 'terminals' holds values other than 0 and 1"),
        (short_rewards, r"field 'next_observations' has shape \[100, 11\], expected \[99, 11\]"),
        (no_actions, "field 'actions' is missing"),
        (shuffled_successors, "field 'next_observations' differs from the next row of 'observations'"),
        (endless, "begins at row 0 has 1200 steps, the task ends one after 1000"),
    ],
)
def test_the_field_at_fault_is_named(tmp_path: Path, damage: Callable[[Arrays], None], message: str) -> None:
    arrays = gym_arrays()
    damage(arrays)
    file = write_hdf5(tmp_path / "mine.hdf5", arrays)
    with pytest.raises(KdpError, match=message) as refused:
        import_set(Source(str(file), task="hopper-medium"), "mine")
    assert str(file) in str(refused.value)
    assert not store.exists("mine")


def test_actions_are_clipped_when_asked(tmp_path: Path) -> None:
    arrays = gym_arrays()
    widen_actions(arrays)
    file = write_hdf5(tmp_path / "mine.hdf5", arrays)
    import_set(Source(str(file), task="hopper-medium", clip_actions=True), "mine")
    np.testing.assert_array_equal(store.load_data("mine").actions, arrays["actions"].clip(-1, 1))


def test_an_own_robot_becomes_a_task_with_names_and_its_own_score(tmp_path: Path) -> None:
    file = write_hdf5(tmp_path / "arm.hdf5", gym_arrays(3, 2))
    robot = OwnRobot(
        50.0, observations=("angle", "speed", "load"), act_low=-2.0, act_high=4.0, safe=("hold",)
    )
    made = import_set(Source(str(file)), "my-arm", robot)
    task = get_task("my-arm")
    assert task.obs_names == ("angle", "speed", "load") and task.act_names == ("action_0", "action_1")
    assert task.rate_hz == 50.0 and task.max_episode_steps == 45
    shares = (gym_arrays(3, 2)["actions"] - 1) / 3
    np.testing.assert_allclose(store.load_data("my-arm").actions, shares, atol=1e-6)
    assert made.meta["origin"] == "imported"
    assert 0 <= made.meta["behaviour"]["score_mean"] <= 100


def test_without_task_or_rate_both_are_offered(tmp_path: Path) -> None:
    file = write_hdf5(tmp_path / "arm.hdf5", gym_arrays(3, 2))
    with pytest.raises(KdpError, match=r"--task .* or --rate-hz"):
        import_set(Source(str(file)), "my-arm")


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all"])
def test_a_file_that_is_not_hdf5_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.hdf5"
    file.write_bytes(content)
    with pytest.raises(KdpError, match=r"broken.hdf5: not a readable HDF5 file"):
        import_set(Source(str(file), task="hopper-medium"), "broken")


def buffer(number: int, length: int, observations: object, act_dim: int) -> EpisodeBuffer:
    ends = np.arange(length) == length - 1
    return EpisodeBuffer(
        id=number,
        observations=observations,
        actions=np.random.default_rng(number).uniform(-1, 1, (length, act_dim)).astype(np.float32),
        rewards=np.arange(length, dtype=np.float64),
        terminations=ends & (number == 0),
        truncations=ends & (number > 0),
    )


@pytest.fixture
def minari_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("minari_home")
def test_a_minari_id_becomes_the_same_transitions() -> None:
    rng = np.random.default_rng(0)
    observations = [rng.normal(size=(length + 1, 11)) for length in LENGTHS]
    minari.create_dataset_from_buffers(
        "mujoco/hopper/medium-v0",
        [buffer(i, len(o) - 1, o, 3) for i, o in enumerate(observations)],
        env=gymnasium.make("Hopper-v5"),
    )
    made = import_set(Source("mujoco/hopper/medium-v0", task="hopper-medium"), "from-minari")
    data = store.load_data("from-minari")
    np.testing.assert_allclose(data.observations, np.concatenate([o[:-1] for o in observations]), rtol=1e-6)
    np.testing.assert_allclose(
        data.next_observations, np.concatenate([o[1:] for o in observations]), rtol=1e-6
    )
    assert data.terminals.sum() == 1 and data.ends.sum() == 3
    assert any("other policies than D4RL's" in note for note in made.meta["notes"])
    assert made.meta["origin"] == "imported"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("minari_home")
def test_point_maze_is_turned_into_d4rls_frame() -> None:
    import gymnasium_robotics

    gymnasium.register_envs(gymnasium_robotics)
    env = gymnasium.make("PointMaze_UMaze-v3")
    rows = MAZES["umaze"].split()
    free = [(r, c) for r, row in enumerate(rows) for c, kind in enumerate(row) if kind != "#"]
    centres = np.array([env.unwrapped.maze.cell_rowcol_to_xy(np.array(cell)) for cell in free])
    state = np.concatenate([centres, np.full((len(free), 2), [1.0, 0.0])], 1)  # moving along PointMaze's x
    goal = np.tile(centres[0], (len(free), 1))
    seen = {"observation": state, "achieved_goal": centres, "desired_goal": goal}
    minari.create_dataset_from_buffers(
        "D4RL/pointmaze/umaze-v2", [buffer(0, len(free) - 1, seen, 2)], env=env
    )
    import_set(Source("D4RL/pointmaze/umaze-v2"), "maze")
    data = store.load_data("maze")
    expected = np.array(free)[: len(data)] - OFFSET
    np.testing.assert_allclose(data.observations[:, :2], expected, atol=1e-5)
    np.testing.assert_allclose(data.observations[:, 2:4], np.tile([0.0, 1.0], (len(data), 1)))
    np.testing.assert_allclose(data.observations[0, 4:], expected[0], atol=1e-5)
    assert data.rewards[0] == 0


@pytest.mark.usefixtures("minari_home")
def test_a_minari_set_that_is_not_here_says_how_to_get_it() -> None:
    with pytest.raises(KdpError, match="not on this machine; fetch it with --download"):
        import_set(Source("D4RL/door/cloned-v2"), "door")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


def test_a_url_needs_its_hash_and_a_wrong_one_keeps_nothing(tmp_path: Path, server: str) -> None:
    file = write_hdf5(tmp_path / "hopper_medium-v2.hdf5", gym_arrays())
    url = f"{server}/{file.name}"
    with pytest.raises(KdpError, match="--sha256"):
        import_set(Source(url), "set")
    with pytest.raises(KdpError, match="expected 0000"):
        import_set(Source(url, sha256="0" * 64), "set")
    assert not list((tmp_path / "data").rglob("*.hdf5"))
    import_set(Source(url, sha256=hashlib.sha256(file.read_bytes()).hexdigest()), "set")
    assert len(store.load_data("set")) == 100


def test_a_server_that_has_no_such_file_is_one_clear_line(server: str) -> None:
    with pytest.raises(KdpError, match="download failed"):
        import_set(Source(f"{server}/nothing.hdf5", task="hopper-medium", sha256="0" * 64), "set")


def test_import_and_show_through_the_command_line(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    file = write_hdf5(tmp_path / "arm.hdf5", gym_arrays(3, 2))
    run = CliRunner().invoke(
        app,
        ["data", "import", str(file), "--name", "my-arm", "--rate-hz", "50", "--safe-action", "0"],
        catch_exceptions=False,
    )
    assert run.exit_code == 0, run.output
    shown = CliRunner().invoke(app, ["data", "show", "my-arm"], catch_exceptions=False)
    assert shown.exit_code == 0 and "coverage" in shown.output and "episode length" in shown.output
    folder = store.dataset_path("my-arm")
    assert (folder / "quality.png").read_bytes()[:4] == b"\x89PNG"
    assert "observation_2" in (folder / "quality.html").read_text()


def test_an_own_robot_is_trained_like_any_task(tmp_path: Path) -> None:
    from kdp_edge.learn.train import new_run_folder, train_run
    from kdp_edge.run import RunConfig

    import_set(
        Source(str(write_hdf5(tmp_path / "arm.hdf5", gym_arrays(3, 2)))),
        "my-arm",
        OwnRobot(50.0, safe=("0",)),
    )
    config = RunConfig(
        "my-arm", "my-arm", 3, 2, value_steps=5, value_warmup=2, value_width=8, value_batch=8, steps=5,
        batch=4, anchor_batch=8, distill_steps=5, distill_batch=8, width=8, critic_width=8,
    )  # fmt: skip
    run = train_run(new_run_folder(config, get_task(config.task)), lambda stage, done, total: None)
    assert run.calibration().shape == (100, 3)
