# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The video of a run: the float policy and a device side by side, in the episode that went worst.

Frames are drawn from the recorded poses after the run, in a process of its own: OpenGL's drivers may end it.
An animated WebP: Pillow, which matplotlib needs anyway, writes it, every browser plays it.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from kdp_edge.base.errors import reason
from kdp_edge.hil.scenario import Recording
from kdp_edge.hil.summary import worst_episode
from kdp_edge.tasks import Task
from kdp_edge.tasks.drawing import Stage, opengl_choices
from kdp_edge.wire.numbers import State

WIDTH, HEIGHT = 320, 240  # pixels of each side
RATE = 12  # frames a second
MOST_FRAMES = 96
QUALITY = 35  # of WebP, of 100
WITHIN = 300.0  # seconds for all frames
INK, CALM, ALARM = (31, 41, 51), (255, 255, 255), (180, 35, 24)


@dataclass(frozen=True)
class Side:
    """One side of the picture: a device in one episode."""

    label: str
    poses: tuple[tuple[float, ...], ...]  # of every control step
    states: tuple[int | None, ...]  # of the fail-safe


@dataclass(frozen=True)
class Film:
    """A video and one picture of it, both WebP, and what they are; without bytes: why there is none."""

    says: str
    video: bytes = b""
    poster: bytes = b""


def make_film(task: Task, recordings: Sequence[Recording], rate_hz: float) -> Film:
    """The video of the last device beside the float policy."""
    played = [one for one in recordings if one.hello is not None and one.steps]
    if not played:
        return Film("none: no device played a step")
    device = played[-1]
    seed = worst_episode(device.steps)
    shown = [one for one in recordings if one.hello is None] + [device]
    sides = [_side(one, seed) for one in shown]
    sides = [side for side in sides if side.poses]
    if not sides:
        return Film("none: MuJoCo does not simulate what was played, so there is nothing to draw")
    tried = []
    for choice in opengl_choices():
        made = _in_a_process(choice, task, seed, sides, rate_hz)
        if isinstance(made, Film):
            return made
        tried.append(f"{choice}: {made}")
    made = _film(task, seed, sides, rate_hz, rendered=False)
    why = f"MuJoCo cannot render here ({'; '.join(tried)})"
    return replace(made, says=f"{made.says}; drawn flat: {why}")


def _side(recording: Recording, seed: int) -> Side:
    steps = [step for step in recording.steps if step.seed == seed and step.pose]
    return Side(recording.device, tuple(s.pose for s in steps), tuple(s.state for s in steps))


def _in_a_process(choice: str, task: Task, seed: int, sides: list[Side], rate_hz: float) -> Film | str:
    """The rendered film, or why this kind of OpenGL gives none."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    work = (theirs, choice, task, seed, sides, rate_hz)
    process = context.Process(target=_render, args=work, daemon=True)
    process.start()
    theirs.close()
    try:
        made: Film | str = ours.recv() if ours.poll(WITHIN) else f"no video within {WITHIN:g} s"
    except EOFError:
        return "the renderer ended its process"
    finally:
        process.kill()
        process.join()
    return made


def _render(
    answer: Connection, choice: str, task: Task, seed: int, sides: list[Side], rate_hz: float
) -> None:
    """The process that renders."""
    os.environ["MUJOCO_GL"] = choice  # MuJoCo reads it when it is imported
    try:
        answer.send(_film(task, seed, sides, rate_hz, rendered=True))
    except Exception as error:  # whatever OpenGL raises
        answer.send(reason(error))


def _film(task: Task, seed: int, sides: list[Side], rate_hz: float, rendered: bool) -> Film:
    length = max(len(side.poses) for side in sides)
    seconds = length / rate_hz
    frames = min(length, MOST_FRAMES, max(2, math.ceil(seconds * RATE)))
    at = [round(i * (length - 1) / max(1, frames - 1)) for i in range(frames)]
    stage = Stage(task, WIDTH, HEIGHT, rendered)
    try:
        stage.begin(seed)
        pictures = [[stage.draw(side.poses[min(i, len(side.poses) - 1)]) for side in sides] for i in at]
    finally:
        stage.close()
    joined = [_labelled(row, sides, i, rate_hz) for row, i in zip(pictures, at, strict=True)]
    shown = min(seconds, frames / RATE)
    speed = "" if seconds <= 1.05 * shown else f", {seconds / shown:.1f} times as fast"
    says = f"{' and '.join(side.label for side in sides)}, episode with seed {seed}, {seconds:.1f} s{speed}"
    return Film(says, _webp(joined, 1000 * shown / frames), _webp(joined[len(joined) // 2 :][:1], 0))


def _labelled(row: list[np.ndarray], sides: list[Side], step: int, rate_hz: float) -> Any:
    """The sides next to each other, each under its name, the time and, in alarm, the fail-safe's state."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(np.concatenate(row, axis=1))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    for i, side in enumerate(sides):
        state = side.states[min(step, len(side.states) - 1)]
        alarm = state is not None and state != State.RUNNING
        over = "" if step < len(side.poses) else ", over"
        text = f"{side.label}  {min(step, len(side.poses) - 1) / rate_hz:.2f} s{over}"
        text += f"  {State(state).name.lower()}" if alarm and state is not None else ""
        box = pen.textbbox((WIDTH * i + 8, 6), text, font=font)
        pen.rectangle([box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3], fill=ALARM if alarm else CALM)
        pen.text((WIDTH * i + 8, 6), text, font=font, fill=CALM if alarm else INK)
    return picture


def _webp(pictures: list[Any], milliseconds: float) -> bytes:
    stream = io.BytesIO()
    first, *rest = pictures
    timing = {"duration": round(milliseconds), "loop": 0} if rest else {}
    first.save(stream, "WEBP", save_all=bool(rest), append_images=rest, quality=QUALITY, method=2, **timing)
    return stream.getvalue()
