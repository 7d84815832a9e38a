# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A task's plant in given poses, as pictures: rendered by MuJoCo without a screen, or drawn flat."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kdp_edge.tasks.environments import make_env, mujoco_data
from kdp_edge.tasks.task import Task

Pose = Sequence[float]
Picture = np.ndarray  # uint8 [height, width, 3]
BACKGROUND, GROUND, ROBOT, GOAL = (236, 239, 243), (150, 160, 170), (194, 96, 26), (29, 122, 85)
GOAL_SIZE = 0.2  # metres, radius of the mark
COARSER = 4  # times larger tiles of a floor
REACH = 1.7  # metres that a flat picture shows to each side of a robot that it follows


class Stage:
    """The plant of an episode, to be put into one pose after the other."""

    def __init__(self, task: Task, width: int, height: int, rendered: bool) -> None:
        """Open the plant.

        Args:
            width, height: of the pictures, in pixels.
            rendered: by MuJoCo's renderer, which needs OpenGL: what `MUJOCO_GL` says (egl, osmesa) when
                MuJoCo is first imported. Otherwise drawn flat, which always works.

        Raises:
            KdpError: as `make_env`.
            Exception: whatever OpenGL and its drivers raise.
        """
        self._env = make_env(task)
        self._data = mujoco_data(self._env)
        self._model = self._data.model
        self._size = width, height
        self._view = dict(
            getattr(getattr(self._env.unwrapped, "mujoco_renderer", None), "default_cam_config", None) or {}
        )
        self._draw: Callable[[], Picture] = self._renderer() if rendered else self._flat

    def begin(self, seed: int) -> None:
        """The world of an episode: what its reset places differently from seed to seed."""
        self._env.reset(seed=seed)

    def draw(self, pose: Pose) -> Picture:
        """The plant in a pose, MuJoCo's positions."""
        import mujoco

        self._data.qpos[:] = pose
        self._data.qvel[:] = 0
        mujoco.mj_forward(self._model, self._data)
        return self._draw()

    def close(self) -> None:
        """Close the plant."""
        self._env.close()

    def _renderer(self) -> Callable[[], Picture]:
        import mujoco

        width, height = self._size
        self._model.vis.global_.offwidth, self._model.vis.global_.offheight = width, height
        self._model.vis.quality.offsamples = 0  # software renderers pay for each sample
        self._model.vis.headlight.ambient[:] = 0.35
        # fine tiles that move are most of a video's bytes
        floors = self._model.geom_matid[self._model.geom_type == int(mujoco.mjtGeom.mjGEOM_PLANE)]
        self._model.mat_texrepeat[floors[floors >= 0]] /= COARSER
        renderer = mujoco.Renderer(self._model, height, width)
        camera = self._camera()
        costly = (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION)

        def draw() -> Picture:
            renderer.update_scene(self._data, camera)
            for flag in costly:
                renderer.scene.flags[flag] = 0
            goal = self._goal()
            if goal is not None:
                scene = renderer.scene
                mark, colour = scene.geoms[scene.ngeom], np.array([*(part / 255 for part in GOAL), 1.0])
                mujoco.mjv_initGeom(
                    mark, mujoco.mjtGeom.mjGEOM_CYLINDER, np.array([GOAL_SIZE, 0.005, 0.005]),
                    np.array([*goal, 0.0]), np.eye(3).ravel(), colour.astype(np.float32),
                )  # fmt: skip
                scene.ngeom += 1
            return renderer.render().copy()

        return draw

    def _camera(self) -> Any:
        """The environment's own view; of a plane seen from above where it has none."""
        import mujoco

        camera = mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(self._model, camera)
        if self._from_above:
            camera.azimuth, camera.elevation, camera.distance = 90, -90, 1.3 * self._model.stat.extent
            camera.lookat[:] = self._model.stat.center
        for name, value in self._view.items():
            if name == "lookat":
                camera.lookat[:] = value
            else:
                setattr(camera, name, value)
        if "trackbodyid" in self._view:
            camera.type = mujoco.mjtCamera.mjCAMERA_TRACKING
            camera.distance, camera.elevation = 1.3 * camera.distance, -12  # head and foot in the picture
        return camera

    def _goal(self) -> np.ndarray | None:
        """Where a maze's goal is, [x, y]."""
        goal = np.asarray(getattr(self._env.unwrapped, "goal", ()), np.float64)
        if not self._from_above or goal.shape != (2,):
            return None
        return (
            self._data.xpos[-1][:2] - self._data.qpos + goal
        )  # positions count from where the point's body is

    @property
    def _from_above(self) -> bool:
        """A point that moves in a plane is seen from above."""
        return int(self._model.nq) == 2

    def _flat(self) -> Picture:
        """Every shape as its outline on the plane that the robot moves in."""
        from PIL import Image, ImageDraw

        width, height = self._size
        across = (0, 1) if self._from_above else (0, 2)
        middle, scale = self._flat_view(across)
        picture = Image.new("RGB", (width, height), BACKGROUND)
        pen = ImageDraw.Draw(picture)

        def place(point: np.ndarray) -> tuple[float, float]:
            x, y = (point[i] for i in across)
            return width / 2 + scale * (x - middle[0]), height / 2 - scale * (y - middle[1])

        if not self._from_above:
            ground = place(np.zeros(3))[1]
            pen.line([(0, ground), (width, ground)], fill=GROUND, width=2)
        goal = self._goal()
        if goal is not None:
            _disc(pen, place(np.array([*goal, 0.0])), scale * GOAL_SIZE, GOAL)
        for geom in range(self._model.ngeom):
            _outline(pen, self._model, self._data, geom, place, scale)
        return np.asarray(picture)

    def _flat_view(self, across: tuple[int, int]) -> tuple[tuple[float, float], float]:
        """What stands in the middle of the picture, and pixels per metre."""
        width, height = self._size
        if "trackbodyid" not in self._view:
            center, extent = self._model.stat.center, float(self._model.stat.extent)
            return (float(center[across[0]]), float(center[across[1]])), min(width, height) / (1.3 * extent)
        x = float(self._data.subtree_com[0][0])
        return (x, REACH / 2 * height / width + 0.1), width / (2 * REACH)


def _outline(
    pen: Any,
    model: Any,
    data: Any,
    geom: int,
    place: Callable[[np.ndarray], tuple[float, float]],
    scale: float,
) -> None:
    """One shape: capsules and cylinders as thick lines, boxes by their corners' hull, the rest round."""
    import mujoco

    shapes = mujoco.mjtGeom
    kind, size, material = int(model.geom_type[geom]), model.geom_size[geom], model.geom_matid[geom]
    rgba = model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom]
    if kind in (int(shapes.mjGEOM_PLANE), int(shapes.mjGEOM_HFIELD)) or rgba[3] == 0:
        return
    # a texture's material is white
    colour = ROBOT if (rgba[:3] == 1).all() else tuple(int(255 * part) for part in rgba[:3])
    position, axes = data.geom_xpos[geom], data.geom_xmat[geom].reshape(3, 3)
    if kind in (int(shapes.mjGEOM_CAPSULE), int(shapes.mjGEOM_CYLINDER)):
        ends = [place(position + way * size[1] * axes[:, 2]) for way in (-1, 1)]
        thick = max(2.0, 2 * scale * size[0])
        pen.line(ends, fill=colour, width=round(thick))
        for end in ends:
            _disc(pen, end, thick / 2, colour)
    elif kind == int(shapes.mjGEOM_BOX):
        corners = [
            place(position + axes @ (size * np.array(signs)))
            for signs in np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T
        ]
        pen.polygon(_hull(corners), fill=colour, outline=GROUND)
    else:
        radius = size[0] if kind == int(shapes.mjGEOM_SPHERE) else 0.5 * float(model.geom_rbound[geom])
        _disc(pen, place(position), max(2.0, scale * radius), colour)


def _disc(pen: Any, middle: tuple[float, float], radius: float, colour: tuple[int, ...]) -> None:
    x, y = middle
    pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def _hull(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    from scipy.spatial import ConvexHull, QhullError

    try:
        return [points[i] for i in ConvexHull(np.asarray(points)).vertices]
    except QhullError:  # seen edge on
        return points


def opengl_choices() -> tuple[str, ...]:
    """Values of `MUJOCO_GL` to try, in order: the user's own, or those that need no screen."""
    chosen = os.environ.get("MUJOCO_GL", "")
    return (chosen,) if chosen else ("egl", "osmesa")
