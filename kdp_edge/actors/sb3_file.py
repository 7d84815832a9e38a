# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An actor from a file of Stable-Baselines3: the tensors of policy.pth, and what `data` says in plain JSON.

`data` also holds pickles, as text; they are never decoded. What is needed of it stands beside them as text.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.actors.builder import Builder
from kdp_edge.actors.state_dict import Named, chained, ordered
from kdp_edge.actors.torch_file import MOST_BYTES, read_bytes, read_tensors
from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.float_actor import Actor
from kdp_edge.tasks import Robot

POLICY, DATA = "policy.pth", "data"
MOST_DATA = 64 << 20  # bytes of `data`: it may hold what was seen last, as text
CLASSES = {"ReLU": "relu", "Tanh": "tanh", "ELU": "elu", "Sigmoid": "sigmoid"}
RANGE_SLACK = 1e-5  # of an action's range: the zip has its numbers as rounded text


def read_sb3(path: Path, robot: Robot, activation: str | None) -> tuple[Actor, str]:
    """The deterministic actor of a PPO, A2C, SAC, TQC, TD3 or DDPG, and which of them it is.

    Args:
        robot: whose ranges the policy's action space must be.
        activation: between the layers, where the file does not say it.

    Raises:
        KdpError: unreadable, another kind of policy or action space, or what cannot be carried.
    """
    described, weights = _entries(path)
    tensors = read_tensors(weights, f"{path}, {POLICY}")
    _check_space(described, robot, path)
    layers, family, squashed = _actor(tensors, path)
    if described.get("use_sde") is True and squashed:
        raise KdpError(f"{path}: {family} with use_sde clips its mean before the tanh; train without use_sde")
    if _word(described, "policy_kwargs", "squash_output") == "True":
        squashed = True
    kind = activation or _activation(described, "relu" if squashed else "tanh", path)
    builder = Builder(len(robot.observations), str(path))
    value = chained(builder, builder.observation(), layers, kind)
    low, high = robot.low.astype(np.float64), robot.high.astype(np.float64)
    if squashed:
        value = builder.activation("squashed answer", value, "tanh")
        value = builder.affine("action range", value, (high - low) / 2, (high + low) / 2)
    return builder.actor(value, len(robot.actions)), family


def _entries(path: Path) -> tuple[dict[str, Any], bytes]:
    """`data` as plain JSON and the content of policy.pth."""
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path))) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            for name, most in ((DATA, MOST_DATA), (POLICY, MOST_BYTES)):
                if name not in sizes:
                    found = ", ".join(sorted(sizes)[:6]) or "nothing"
                    raise KdpError(f"{path}: no {name} in it, found {found}; not a file of Stable-Baselines3")
                if sizes[name] > most:
                    raise KdpError(f"{path}: {name} is {sizes[name]} bytes, expected at most {most}")
            described = json.loads(archive.read(DATA))
            weights = archive.read(POLICY)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise KdpError(f"{path}: not a readable zip ({error})") from None
    except (ValueError, RecursionError) as error:
        raise KdpError(f"{path}: {DATA} is no JSON ({str(error).splitlines()[0]})") from None
    if not isinstance(described, dict):
        raise KdpError(f"{path}: {DATA} is {type(described).__name__}, expected an object")
    return described, weights


def _actor(tensors: dict[str, np.ndarray], path: Path) -> tuple[list[Named], str, bool]:
    """The actor's layers, the family, and whether its answer is squashed; by the tensors' names."""
    foreign = [name for name in tensors if re.search(r"features_extractor|shared_net|lstm", name)]
    if foreign:
        raise KdpError(
            f"{path}: layer {foreign[0]}: feature extractors, shared layers and memories are not carried, an "
            "MLP on the observation itself is"
        )
    for body, head, family, squashed in (
        ("mlp_extractor.policy_net", "action_net", "PPO or A2C", False),
        ("actor.latent_pi", "actor.mu", "SAC or TQC", True),
        ("", "actor.mu", "TD3 or DDPG", True),
    ):
        chain = {name: t for name, t in tensors.items() if body and name.startswith(f"{body}.")}
        parts = {name: t for name, t in tensors.items() if name.startswith(f"{head}.")}
        if f"{head}.weight" in tensors:
            last = ordered(parts, str(path))
            return [*ordered(chain, str(path)), *last], family, squashed
        if not body and parts:
            return ordered(parts, str(path)), family, squashed
    raise KdpError(
        f"{path}: no actor in {POLICY}; expected action_net.weight (PPO, A2C) or actor.mu.weight (SAC, TD3)"
    )


def _word(described: dict[str, Any], entry: str, name: str) -> str | None:
    """A field that Stable-Baselines3 writes as text beside its pickle."""
    value = described.get(entry)
    found = value.get(name) if isinstance(value, dict) else None
    return None if found is None else str(found)


def _activation(described: dict[str, Any], usual: str, path: Path) -> str:
    """What stands between the layers: as `policy_kwargs` says, or the family's default."""
    text = _word(described, "policy_kwargs", "activation_fn")
    if text is None:
        return usual
    name = re.sub(r".*\.(\w+)'>$", r"\1", text)
    if name not in CLASSES:
        raise KdpError(
            f"{path}: activation {name} has no integer form here; train with one of {', '.join(CLASSES)}"
        )
    return CLASSES[name]


def _check_space(described: dict[str, Any], robot: Robot, path: Path) -> None:
    """The policy's action space is the robot's: a share of another range would be another action."""
    kind = _word(described, "action_space", ":type:")
    if kind is not None and "Box" not in kind:
        raise KdpError(f"{path}: its action space is {kind}, expected a Box: a robot has continuous actions")
    for name, mine in (("low", robot.low), ("high", robot.high)):
        numbers = _numbers(_word(described, "action_space", name))
        if numbers is None:
            continue
        if len(numbers) not in (1, len(mine)):
            raise KdpError(f"{path}: it has {len(numbers)} actions, robot {robot.name} has {len(mine)}")
        wrong = np.abs(numbers - mine) > RANGE_SLACK * np.maximum(np.abs(mine), 1)
        if wrong.any():
            i = int(wrong.argmax())
            found = np.broadcast_to(numbers, mine.shape)[i]
            raise KdpError(
                f"{path}: its action {i} has {name} {found:g}, robot {robot.name} declares {mine[i]:g} for "
                f"{robot.actions[i].name}; declare the range that it was trained with"
            )


def _numbers(text: str | None) -> np.ndarray | None:
    """`[-1. -1.]` as numbers; None where it is not whole."""
    if text is None or "..." in text:
        return None
    try:
        return np.array([float(word) for word in re.sub(r"[\[\]]", " ", text).split()])
    except ValueError:
        return None
