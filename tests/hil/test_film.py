# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The video: drawn again from recorded poses, two sides, whatever this computer can render."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kdp_edge.hil import film
from kdp_edge.hil.film import Side, make_film
from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.session import Session
from kdp_edge.hil.summary import worst_episode
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.tasks import get_task
from kdp_edge.tasks.drawing import Stage
from kdp_edge.tasks.simulation import Simulation

HOPPER, MAZE = "hopper-medium-expert", "maze2d-umaze"


def poses_of(task: str, seed: int, steps: int) -> list[tuple[float, ...]]:
    simulation = Simulation(get_task(task))
    simulation.reset(seed=seed)
    found = []
    for _ in range(steps):
        found.append(tuple(simulation.body.qpos.tolist()))
        simulation.step(np.asarray(get_task(task).robot.high, np.float32))
    simulation.close()
    return found


def frames_of(video: bytes) -> list[np.ndarray]:
    image = Image.open(io.BytesIO(video))
    found = []
    for i in range(getattr(image, "n_frames", 1)):
        image.seek(i)
        found.append(np.asarray(image.convert("RGB"), np.int16))
    return found


@pytest.mark.parametrize("task", [HOPPER, MAZE])
def test_a_flat_picture_shows_the_pose_and_nothing_else(task: str) -> None:
    first, *_, last = poses_of(task, 5, 12)
    stage = Stage(get_task(task), 160, 120, rendered=False)
    stage.begin(5)
    one, other, again = stage.draw(first), stage.draw(last), stage.draw(first)
    stage.close()
    assert one.shape == (120, 160, 3) and one.dtype == np.uint8
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_a_point_at_its_goal_stands_on_the_mark() -> None:
    stage = Stage(get_task(MAZE), 320, 240, rendered=False)
    stage.begin(5)
    goal = np.array([29, 122, 85])
    (start,) = poses_of(MAZE, 5, 1)
    pictures = [stage.draw(pose).astype(np.int16) for pose in (start, tuple(stage._env.unwrapped.goal))]
    stage.close()
    mark = np.argwhere(np.abs(pictures[0] - goal).sum(-1) < 10)
    moved = np.argwhere(np.abs(pictures[0] - pictures[1]).sum(-1) > 30)
    on_the_mark = [place for place in moved.tolist() if place in mark.tolist()]
    assert len(on_the_mark) > 20
    assert np.abs(np.mean(on_the_mark, 0) - mark.mean(0)).max() < 1.5


def test_both_sides_are_in_the_video_and_the_one_that_ended_stands_still() -> None:
    poses = poses_of(HOPPER, 5, 40)
    sides = [
        Side("float", tuple(poses), (None,) * 40),
        Side("native", tuple(poses[:10]), (1,) * 5 + (4,) * 5),
    ]
    made = film._film(get_task(HOPPER), 5, sides, 125.0, rendered=False)
    frames = frames_of(made.video)
    assert len(frames) == round(40 / 125 * film.RATE) == 4
    assert frames[0].shape == (film.HEIGHT, 2 * film.WIDTH, 3)
    left, right = ([frame[40:, part] for frame in frames] for part in (slice(0, 320), slice(320, 640)))
    assert np.abs(left[0] - right[0]).mean() < 2  # the same pose, but for the codec
    assert np.abs(left[-1] - left[-2]).mean() > 5 * np.abs(right[-1] - right[-2]).mean()
    assert made.says == "float and native, episode with seed 5, 0.3 s"
    assert len(frames_of(made.poster)) == 1 and len(made.video) < 60_000


def test_without_opengl_it_is_drawn_flat_and_one_line_says_why(
    planner: IntegerPlanner, float_planner: FloatPlanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "disable")
    task = get_task(HOPPER)
    session = Session(Scenario(HOPPER, (3, 4), 20), ("reference",), planner, float_planner)
    _, recordings = session.play()
    made = make_film(task, recordings, 125.0)
    assert len(frames_of(made.video)) > 1
    assert "float and reference, episode with seed 3" in made.says
    assert "drawn flat: MuJoCo cannot render here (disable: " in made.says and "\n" not in made.says
    assert make_film(task, recordings[:1], 125.0).says == "none: no device played a step"
    blind = [Recording("float"), recordings[1]]
    blind[1].steps = [step for step in recordings[1].steps[:0]]
    assert make_film(task, blind, 125.0).video == b""


def test_the_episode_that_went_worst_is_shown(planner: IntegerPlanner, float_planner: FloatPlanner) -> None:
    session = Session(Scenario(HOPPER, (3, 4), 10), ("reference",), planner, float_planner, with_float=False)
    _, [recording] = session.play()
    assert worst_episode(recording.steps) == 3
    steps = [replace(s, state=3) if s.seed == 4 and s.step > 7 else s for s in recording.steps]
    assert worst_episode(steps) == 4


def test_a_renderer_that_mujoco_cannot_load_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with MUJOCO_GL=osmesa where that library is missing: importing MuJoCo itself fails."""
    program = "from kdp_edge.tasks.environments import check_installed; check_installed()"
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    last = done.stderr.splitlines()[-1]
    assert "MuJoCo cannot be loaded" in last and "MUJOCO_GL is 'nonsense'; unset it" in last
