# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""HDF5 files with dictionaries and a group an episode: D4RL's kin, Minari, robomimic, ManiSkill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gymnasium
import h5py
import minari
import numpy as np
import pytest
from minari.data_collector import EpisodeBuffer

from kdp_edge.base.errors import KdpError
from kdp_edge.data import store
from kdp_edge.data.formats.found import Choice
from kdp_edge.data.importing import OwnRobot, Source, import_set
from kdp_edge.tasks import get_task

from ..test_misread import Arrays
from .writers import LAST, RATE, WRITERS, maniskill, robomimic, walks

ROBOT = OwnRobot(RATE, safe=("hold",))


def refusal(path: Path, robot: OwnRobot = ROBOT, choice: Choice | None = None) -> str:
    with pytest.raises(KdpError) as refused:
        import_set(Source(str(path), choice=choice or Choice()), "arm", robot)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value) and not store.exists("arm")
    return str(refused.value)


def with_goal(arrays: Arrays) -> Arrays:
    made = {name: array for name, array in arrays.items() if name != "observations"}
    made["observations/observation"] = arrays["observations"]
    made["observations/desired_goal"] = np.repeat(arrays["observations"][LAST], 20, 0)[:, :2]
    made["infos/qpos"] = arrays["observations"][:, :1]
    return made


def test_a_dictionary_of_observations_is_flattened_with_its_goal(home: Path) -> None:
    arrays = walks()
    path = WRITERS["d4rl"](home, with_goal(arrays))
    import_set(Source(str(path)), "all", ROBOT)
    assert get_task("all").obs_names == (
        "desired_goal_0",
        "desired_goal_1",
        *(f"observation_{i}" for i in range(3)),
    )
    chosen = ("observation", "desired_goal_1", "infos/qpos")
    import_set(Source(str(path)), "some", replace(ROBOT, observations=chosen))
    seen = store.load_data("some").observations
    np.testing.assert_array_equal(seen[:, :3], arrays["observations"][~LAST])
    np.testing.assert_array_equal(seen[:, 4], arrays["observations"][~LAST][:, 0])
    assert get_task("some").obs_names[3:] == ("desired_goal_1", "infos/qpos")
    assert "did you mean desired_goal?" in refusal(path, replace(ROBOT, observations=("desired_gaol",)))


def test_successors_in_a_dictionary_are_used(home: Path) -> None:
    arrays = with_goal(walks())
    for name in ("observation", "desired_goal"):
        arrays[f"next_observations/{name}"] = np.concatenate([arrays[f"observations/{name}"][1:]] * 2)[:120]
        arrays[f"next_observations/{name}"][LAST] = arrays[f"observations/{name}"][LAST]
    import_set(Source(str(WRITERS["d4rl"](home, arrays))), "arm", ROBOT)
    assert len(store.load_data("arm")) == 120


def test_parts_of_a_dictionary_that_differ_in_length_are_refused(home: Path) -> None:
    arrays = with_goal(walks())
    arrays["observations/desired_goal"] = arrays["observations/desired_goal"][:-1]
    assert "fields of different length ('desired_goal' [119, 2], " in refusal(WRITERS["d4rl"](home, arrays))


def test_without_terminals_the_timeouts_tell_the_ends_and_without_either_it_is_refused(home: Path) -> None:
    arrays = walks()
    del arrays["terminals"]
    import_set(Source(str(WRITERS["d4rl"](home, arrays))), "walks", ROBOT)
    assert not store.load_data("walks").terminals.any() and store.load_data("walks").ends.sum() == 6
    del arrays["timeouts"]
    assert "field 'terminals' is missing" in refusal(WRITERS["d4rl"](home, arrays))


def test_a_field_can_stand_for_rewards(home: Path) -> None:
    arrays = walks()
    arrays["infos/success"] = (np.arange(120) % 20 > 15).astype(np.float32)
    path = WRITERS["d4rl"](home, arrays)
    import_set(Source(str(path), choice=Choice(reward="infos/success")), "other", ROBOT)
    np.testing.assert_array_equal(store.load_data("other").rewards, arrays["infos/success"][~LAST])
    assert "no field 'infos/sucess' (--reward)" in refusal(path, ROBOT, Choice(reward="infos/sucess"))


@pytest.mark.filterwarnings("ignore")
def test_minari_dictionaries_are_flattened_and_bounds_and_environment_are_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(home / "minari"))
    rng = np.random.default_rng(0)
    seen = {"state": rng.normal(size=(21, 2)).cumsum(0), "goal": {"xy": np.ones((21, 2))}}
    actions = rng.uniform(-2, 2, (20, 1)).astype(np.float32)
    one = EpisodeBuffer(
        id=0, observations=seen, actions=actions, rewards=np.ones(20),
        terminations=np.zeros(20, bool), truncations=np.arange(20) == 19,
    )  # fmt: skip
    box = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    space = gymnasium.spaces.Dict({"state": box, "goal": gymnasium.spaces.Dict({"xy": box})})
    minari.create_dataset_from_buffers(
        "pendulum/dict-v0", [one], env=gymnasium.make("Pendulum-v1"), observation_space=space
    )
    made = import_set(Source("pendulum/dict-v0"), "all", ROBOT)
    assert set(get_task("all").obs_names) == {"state_0", "state_1", "goal/xy_0", "goal/xy_1"}
    np.testing.assert_allclose(
        store.load_data("all").actions, actions / 2, atol=1e-6
    )  # the space says -2 to 2
    assert "recorded in Pendulum-v1, where no policy can be played" in "\n".join(made.meta["notes"])
    assert made.meta["environment"] == "Pendulum-v1"
    import_set(Source("pendulum/dict-v0"), "some", replace(ROBOT, observations=("state",)))
    np.testing.assert_allclose(store.load_data("some").observations, seen["state"][:-1], rtol=1e-6)
    with pytest.raises(KdpError, match=r"did you mean goal/xy"):
        import_set(Source("pendulum/dict-v0"), "other", replace(ROBOT, observations=("goal/xz",)))


@pytest.mark.filterwarnings("ignore")
def test_an_environment_that_fits_is_where_policies_are_played(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(home / "minari"))
    rng = np.random.default_rng(0)
    one = EpisodeBuffer(
        id=0, observations=rng.normal(size=(21, 11)).cumsum(0), actions=rng.uniform(-1, 1, (20, 3)),
        rewards=np.ones(20), terminations=np.zeros(20, bool), truncations=np.arange(20) == 19,
    )  # fmt: skip
    minari.create_dataset_from_buffers("hop/it-v0", [one], env=gymnasium.make("Hopper-v5"))
    import_set(Source("hop/it-v0"), "arm", OwnRobot(125.0, safe=("hold",)))
    assert get_task("arm").env_id == "Hopper-v5"


def no_key(file: h5py.File) -> None:
    del file["data/demo_4/obs/gripper"]


def other_width(file: h5py.File) -> None:
    del file["data/demo_4/obs/gripper"]
    file["data/demo_4/obs/gripper"] = np.zeros((20, 2))


def short(file: h5py.File) -> None:
    del file["data/demo_4/obs/gripper"]
    file["data/demo_4/obs/gripper"] = np.zeros((19, 1), np.float32)


def short_actions(file: h5py.File) -> None:
    del file["data/demo_4/actions"]
    file["data/demo_4/actions"] = np.zeros((15, 2), np.float32)


def empty(file: h5py.File) -> None:
    for key in ("actions", "rewards", "obs/gripper", "obs/eef_pos"):
        shape = file[f"data/demo_4/{key}"].shape[1:]
        del file[f"data/demo_4/{key}"]
        file[f"data/demo_4/{key}"] = np.zeros((0, *shape), np.float32)


def no_rewards_once(file: h5py.File) -> None:
    del file["data/demo_4/rewards"]


def no_observations(file: h5py.File) -> None:
    for demo in file["data"].values():
        del demo["obs"]


def wrong_total(file: h5py.File) -> None:
    file["data"].attrs["total"] = 121


def broken_arguments(file: h5py.File) -> None:
    file["data"].attrs["env_args"] = "{"


def discrete(file: h5py.File) -> None:
    for demo in file["data"].values():
        del demo["actions"]
        demo["actions"] = np.ones((20, 2), np.int64)


def own_group(file: h5py.File) -> None:
    file["data/demo_0/obs/again"] = file["data/demo_0"]


def external(file: h5py.File) -> None:
    del file["data/demo_4/actions"]
    file["data/demo_4/actions"] = h5py.ExternalLink("other.hdf5", "/x")


def bomb(file: h5py.File) -> None:
    del file["data/demo_4/obs/gripper"]
    file.create_dataset(
        "data/demo_4/obs/gripper", (11_000_000_000, 1), "f4", chunks=(1 << 20, 1), fillvalue=1.0
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_key, "field 'data/demo_4/obs/gripper' is missing (there: actions, "),
        (other_width, "'data/demo_4/obs/gripper' has rows of shape [2], data/demo_0 has [1]"),
        (short, "data/demo_4: fields of different length (eef_pos [20, 2], gripper [19, 1])"),
        (short_actions, "data/demo_4: 21 observations of 15 actions"),
        (empty, "data/demo_4: no step in this episode"),
        (no_rewards_once, "field 'data/demo_4/rewards' is missing"),
        (
            no_observations,
            "field 'data/demo_0/obs' is missing, or all images: make observations of the states",
        ),
        (wrong_total, "attribute total of 'data' is 121, its 6 demonstrations hold 120 steps"),
        (broken_arguments, "attribute env_args of 'data' is no JSON"),
        (discrete, "field 'actions' has dtype int64, expected float32 or float64"),
        (own_group, "comes twice, or lies too deep"),
        (external, "links to another file (other.hdf5)"),
        (bomb, "'data/demo_4/obs/gripper' declares 44,000,000,000 bytes"),
    ],
)
def test_demonstrations_that_are_damaged_are_refused_by_name(
    home: Path, damage: Callable[[h5py.File], None], message: str
) -> None:
    path = robomimic(home, walks())
    with h5py.File(path, "a") as file:
        damage(file)
    assert message in refusal(path)


def test_demonstrations_without_successors_lose_their_last_row(home: Path) -> None:
    path = robomimic(home, walks())
    with h5py.File(path, "a") as file:
        for demo in file["data"].values():
            del demo["next_obs"]
    import_set(Source(str(path)), "arm", OwnRobot(safe=("hold",)))
    assert len(store.load_data("arm")) == 114


def test_demonstrations_are_read_in_the_order_of_their_numbers(home: Path) -> None:
    path = robomimic(home, walks())
    with h5py.File(path, "a") as file:
        file.move("data/demo_1", "data/demo_10")
    import_set(Source(str(path)), "arm", OwnRobot(safe=("hold",)))
    last = store.load_data("arm").observations[-20:]
    np.testing.assert_array_equal(last, walks()["observations"][20:40])


def test_a_trajectory_that_goes_on_after_success_needs_a_word_of_the_user(home: Path) -> None:
    path = maniskill(home, walks())
    with h5py.File(path, "a") as file:
        file["traj_3/terminated"][12:] = True
    assert "traj_3: field 'terminated' is true at step 12 and the trajectory goes on" in refusal(path)
    import_set(Source(str(path), choice=Choice(ends="cut")), "arm", ROBOT)
    assert not store.load_data("arm").terminals.any()


def test_a_trajectory_that_ended_by_itself_is_terminal_and_env_states_are_no_observations(home: Path) -> None:
    path = maniskill(home, walks())
    with h5py.File(path, "a") as file:
        file["traj_3/terminated"][-1] = True
    made = import_set(Source(str(path)), "arm", ROBOT)
    assert np.flatnonzero(store.load_data("arm").terminals).tolist() == [79]
    assert made.meta["environment"] == "mani_skill.envs:PickCube-v1"
    assert "give --env-id mani_skill.envs:PickCube-v1" in "\n".join(made.meta["notes"])


def test_a_trajectory_recorded_without_observations_says_how_to_make_them(home: Path) -> None:
    path = maniskill(home, walks())
    with h5py.File(path, "a") as file:
        for group in file.values():
            del group["obs"]
    assert "mani_skill.trajectory.replay_trajectory" in refusal(path)


def test_plain_observations_of_a_trajectory_are_read_too(home: Path) -> None:
    path = maniskill(home, walks())
    with h5py.File(path, "a") as file:
        for group in file.values():
            flat = np.concatenate([group["obs/extra/tcp"][:], group["obs/agent/qpos"][:]], 1)
            del group["obs"]
            group["obs"] = flat
    import_set(Source(str(path)), "arm", ROBOT)
    np.testing.assert_array_equal(store.load_data("arm").observations, walks()["observations"])
    assert get_task("arm").obs_names == ("observation_0", "observation_1", "observation_2")
