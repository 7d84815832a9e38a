# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A MuJoCo model as a plant: read by name, stepped as MuJoCo does, carried along, and not trusted."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest

from kdp_edge import open_plant
from kdp_edge.base.errors import KdpError
from kdp_edge.base.statistics import wilson95
from kdp_edge.data.robots import checked, drafted
from kdp_edge.tasks import load_robot
from kdp_edge.tasks.mjcf import ARCHIVE, read_model
from kdp_edge.tasks.robot import Robot, Within
from kdp_edge.tasks.robot_folder import write_robot

QUAD = Path(__file__).parents[2] / "examples" / "quadrotor"
TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
ARM = """<mujoco>
  <compiler meshdir="shapes"/>
  <option timestep="0.004"/>
  <include file="parts/actuators.xml"/>
  <asset><mesh name="link" file="link.obj" scale=".1 .1 .1"/></asset>
  <worldbody>
    <body>
      <joint type="hinge" axis="0 1 0" range="-60 60" limited="true"/>
      <geom type="mesh" mesh="link"/>
      <body pos="0 0 .1"><joint name="wrist" type="ball"/><geom size=".02"/></body>
    </body>
  </worldbody>
  <keyframe><key name="raised" qpos="0.5 1 0 0 0"/></keyframe>
</mujoco>"""
ACTUATORS = """<mujocoinclude>
  <actuator><position name="shoulder" joint="wrist" gear="1 0 0" ctrlrange="-1 1"/></actuator>
</mujocoinclude>"""


@pytest.fixture(scope="module")
def quad() -> Robot:
    return load_robot(QUAD / "quad.toml")


@pytest.fixture
def arm(tmp_path: Path) -> Path:
    (tmp_path / "shapes").mkdir()
    (tmp_path / "parts").mkdir()
    (tmp_path / "arm.xml").write_text(ARM)
    (tmp_path / "parts" / "actuators.xml").write_text(ACTUATORS)
    (tmp_path / "shapes" / "link.obj").write_text(TETRAHEDRON)
    return tmp_path / "arm.xml"


def test_a_plant_is_stepped_as_mujoco_itself_steps_the_model(quad: Robot) -> None:
    plant, model = open_plant(quad), mujoco.MjModel.from_xml_path(str(QUAD / "quad.xml"))
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    seen, _ = plant.reset(seed=5)
    data.qpos[:], data.qvel[:] = plant.unwrapped.data.qpos, plant.unwrapped.data.qvel
    assert np.abs(data.qpos[:3]).max() <= 0.6 and 0 < np.abs(data.qvel).max() < 2
    for _ in range(40):
        action = rng.uniform(1.0, 1.5, 4).astype(np.float32)
        seen, reward, terminated, _, info = plant.step(action)
        data.ctrl[:] = action
        mujoco.mj_step(model, data, 2)
        np.testing.assert_allclose(seen, np.concatenate([data.qpos, data.qvel]), atol=1e-5)
        inside = bool((np.abs(data.qpos[:3]) <= 0.2).all())
        assert (reward, info["is_success"], terminated) == (float(inside), inside, False)


def test_an_episode_ends_where_a_signal_leaves_its_range_and_begins_anew_the_same(quad: Robot) -> None:
    plant = open_plant(quad)
    first, _ = plant.reset(seed=3)
    for _ in range(60):
        seen, _, terminated, _, _ = plant.step(np.zeros(4, np.float32))
        if terminated:
            break
    assert terminated and seen[2] < -0.95  # nothing lifts it
    np.testing.assert_array_equal(plant.reset(seed=3)[0], first)


def test_a_simulation_that_diverges_ends_the_episode_with_numbers(
    quad: Robot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo's log would lie here, and other tests have none to leave
    text = (QUAD / "quad.xml").read_text().replace('mass=".5"', 'mass="1e-9"').replace("RK4", "Euler")
    (tmp_path / "quad.xml").write_text(text)
    shutil.copy(QUAD / "quad.toml", tmp_path)
    plant = open_plant(tmp_path / "quad.toml")
    plant.reset(seed=0)
    for _ in range(5):
        seen, _, terminated, _, _ = plant.step(np.full(4, 3, np.float32))
        assert np.isfinite(seen).all()
        if terminated:
            break
    assert terminated
    assert not (tmp_path / "MUJOCO_LOG.TXT").exists()


def test_a_draft_names_joints_and_parts_and_is_in_the_units_of_their_kind(arm: Path) -> None:
    robot = drafted("arm", "", None, 50.0, arm)
    assert [f"{one.name} {one.unit}" for one in robot.observations] == [
        "joint_0 rad", "wrist_qw 1", "wrist_qx 1", "wrist_qy 1", "wrist_qz 1",
        "joint_0_velocity rad/s", "wrist_wx rad/s", "wrist_wy rad/s", "wrist_wz rad/s",
    ]  # fmt: skip
    assert robot.plant.sensors == ("qpos:#0", "qpos:wrist", "qvel:#0", "qvel:wrist")
    assert (robot.plant.keyframe, robot.actions[0].name) == ("raised", "shoulder")
    assert open_plant(robot).reset(seed=0)[0][0] == np.float32(0.5)
    noisy = replace(robot, plant=replace(robot.plant, position_noise=3.0))
    assert open_plant(noisy).reset(seed=0)[0][0] in (np.float32(np.pi / 3), -np.float32(np.pi / 3))


@pytest.mark.parametrize(
    ("actuators", "expected"),
    [
        ('<position joint="elbow" kp="5" {r}/>', ["elbow_command rad"]),
        ('<position joint="rail" kp="5" {r}/>', ["rail_command m"]),
        ('<position joint="elbow" gear="2" kp="5" {r}/>', ["elbow_command 1"]),
        ('<motor joint="elbow" {r}/>', ["elbow_command 1"]),
        ('<velocity joint="elbow" kv="5" {r}/>', ["elbow_command 1"]),
        ('<position joint="elbow" {r}/><velocity joint="elbow" {r}/>', ["actuator_0 rad", "actuator_1 1"]),
        ('<motor joint="elbow" name="push" {r}/>', ["push 1"]),
    ],
)
def test_an_actuator_without_a_name_is_called_after_its_joint(
    tmp_path: Path, actuators: str, expected: list[str]
) -> None:
    body = '<joint name="elbow" type="hinge"/><joint name="rail" type="slide"/><geom size=".1"/>'
    text = f"<worldbody><body>{body}</body></worldbody><actuator>{actuators}</actuator>"
    (tmp_path / "a.xml").write_text(f"<mujoco>{text}</mujoco>".replace("{r}", 'ctrlrange="-1 1"'))
    robot = drafted("a", "", None, 50.0, tmp_path / "a.xml")
    assert [f"{one.name} {one.unit}" for one in robot.actions] == expected


def test_a_model_travels_with_all_its_files_and_keeps_its_hash(arm: Path, tmp_path: Path) -> None:
    robot = drafted("arm", "", None, 50.0, arm)
    assert [name for name, _ in robot.model.files] == ["arm.xml", "parts/actuators.xml", "shapes/link.obj"]
    there, again = tmp_path / "there", tmp_path / "again"
    write_robot(there, robot)
    shutil.rmtree(arm.parent / "shapes")
    moved = load_robot(there / "robot.toml")
    assert moved == robot and moved.sha256() == robot.sha256()
    assert open_plant(moved).reset(seed=1)[0].shape == (9,)
    write_robot(again, moved)
    assert (again / ARCHIVE).read_bytes() == (there / ARCHIVE).read_bytes()
    heavier = arm.read_text().replace('size=".02"', 'size=".03"')
    changed = replace(robot, model=replace(robot.model, files=((arm.name, heavier.encode()),)))
    assert changed.sha256() != robot.sha256()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("link.obj", "/etc/hostname"), "names '/etc/hostname', outside its own folder"),
        (("link.obj", "../../secret.obj"), "names '../../secret.obj', outside its own folder"),
        (('meshdir="shapes"', 'meshdir="/etc"'), "names '/etc', outside its own folder"),
        (("parts/actuators.xml", "../other.xml"), "names '../other.xml', outside its own folder"),
        (("parts/actuators.xml", "nothere.xml"), "no such file: nothere.xml"),
        (
            ("link.obj", "nothere.obj"),
            "the file 'nothere.obj', which is not in nothere.obj or shapes/nothere",
        ),
        (
            ("<asset>", '<extension><plugin plugin="a.b"/></extension><asset>'),
            "<extension>: plugins run code",
        ),
        (("<mujoco>", '<!DOCTYPE a [<!ENTITY b "c">]><mujoco>'), "declares entities of its own"),
        (("<mujoco>", "<robot>"), "not an MJCF file"),
        (('joint type="hinge"', 'joint type="screw"'), "MuJoCo .* does not take this model .*screw"),
        (('ctrlrange="-1 1"', ""), "actuator shoulder has no range"),
        (("timestep", "step"), "MuJoCo .* does not take this model"),
    ],
)
def test_what_a_model_may_not_hold_is_one_line(arm: Path, change: tuple[str, str], message: str) -> None:
    for file in (arm, arm.parent / "parts" / "actuators.xml"):
        file.write_text(file.read_text().replace(*change))
    with pytest.raises(KdpError, match=message) as refused:
        drafted("arm", "", None, 50.0, arm)
    assert "\n" not in str(refused.value) and "/tmp" not in str(refused.value).replace(str(arm), "")


@pytest.mark.parametrize("name", ["../out.xml", "/out.xml", "a/../../out.xml"])
def test_an_archive_cannot_write_outside(arm: Path, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / ARCHIVE, "w") as archive:
        archive.writestr(name, ARM.replace("<asset>", "<!--").replace("</asset>", "-->"))
    with pytest.raises(KdpError, match="outside its own folder"):
        read_model(tmp_path / ARCHIVE)
    (tmp_path / ARCHIVE).write_bytes((tmp_path / ARCHIVE).read_bytes()[:-30])
    with pytest.raises(KdpError):
        read_model(tmp_path / ARCHIVE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sensors": ("position", "attitude")}, "its sensors give 7 numbers, expected one for each of 13"),
        ({"sensors": ("positon",)}, "unknown sensor 'positon': did you mean position"),
        ({"actuators": ("m0", "m9", "m2", "m3")}, "unknown actuator 'm9'"),
        ({"actuators": ("m0",)}, "it has 1 actuators, expected one for each of 4"),
        ({"keyframe": "home"}, "unknown keyframe 'home'"),
    ],
)
def test_names_that_the_model_has_not_are_named(quad: Robot, change: dict, message: str) -> None:
    with pytest.raises(KdpError, match=message):
        checked(replace(quad, plant=replace(quad.plant, **change)), None)


def test_rates_ranges_and_targets_are_held_against_the_model(quad: Robot, tmp_path: Path) -> None:
    with pytest.raises(KdpError, match=r"would be 2.857 steps; give 100 or 66.6667"):
        checked(replace(quad, rate_hz=70.0), None)
    wide = (replace(quad.actions[0], high=5.0), *quad.actions[1:])
    with pytest.raises(KdpError, match="m0 goes from 0 to 5, the model's ctrlrange is 0 to 3"):
        checked(replace(quad, actions=wide), None)
    for wrong, message in (
        (replace(quad.plant, target=(Within("height", 0.0),)), "unknown signal 'height'"),
        (replace(quad.plant, end=(Within("z"),)), "z has neither low nor high"),
        (replace(quad.plant, velocity_noise=-1.0), "velocity_noise is -1, expected 0 or more"),
    ):
        write_robot(tmp_path, replace(quad, plant=wrong))
        with pytest.raises(KdpError, match=message):
            load_robot(tmp_path / "robot.toml")
    write_robot(tmp_path, quad)
    text = (tmp_path / "robot.toml").read_text()
    (tmp_path / "robot.toml").write_text(text.replace("mjcf", 'gymnasium = "Ant-v5"\nmjcf', 1))
    with pytest.raises(KdpError, match="has gymnasium and mjcf; a robot has one plant"):
        load_robot(tmp_path / "robot.toml")


def test_wilsons_interval_is_the_one_of_the_tables() -> None:
    """Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3."""
    for successes, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
    ):
        found = wilson95([True] * successes + [False] * (of - successes))
        assert [round(value, 4) for value in found] == [low, high]
