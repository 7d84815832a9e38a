# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Golden vectors: inputs with the exact outputs of the integer reference; every bundle carries them.

Per net: random inputs, half uniform over int8, half bell-shaped as real inputs are, and adversarial
ones that drive accumulators to their extremes and results onto rounding ties. For the planner as a
whole: observations with all candidates, scores, choice, actions and digest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save as serialize

from kdp_edge.quantization import reference
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.plan import IntegerPlanner

FILE = "golden.safetensors"
RANDOM_INPUTS = 1024
TIES = 64
PLANS = 64


def random_inputs(size: int, count: int = RANDOM_INPUTS, seed: int = 0) -> np.ndarray:
    """int8 [count, size]: first half uniform over int8, second half bell-shaped around 0."""
    rng = np.random.default_rng(seed)
    uniform = rng.integers(-128, 128, (count // 2, size))
    bell = np.clip(np.rint(rng.normal(0, 42, (count - count // 2, size))), -128, 127)
    return np.concatenate([uniform, bell]).astype(np.int8)


def adversarial_inputs(net: IntegerNet, seed: int = 1) -> np.ndarray:
    """int8 [n, input_size]: constants, single spikes, extremes of each first-layer sum, rounding ties."""
    size = net.input_size
    constants = np.repeat(np.array([-128, -127, -1, 0, 1, 127])[:, None], size, 1)
    spikes = np.concatenate([np.eye(size) * 127, np.eye(size) * -128])
    sign = np.where(net.linears[0].weight[:32] >= 0, 1, -1)
    extremes = np.concatenate([np.where(sign > 0, 127, -128), np.where(sign > 0, -128, 127)])
    parts = [constants, spikes, extremes, rounding_ties(net, seed)]
    return np.concatenate(parts).astype(np.int8)


def rounding_ties(net: IntegerNet, seed: int) -> np.ndarray:
    """int8 [TIES, input_size]: of many random inputs, those whose first layer comes closest to a tie."""
    first = net.linears[0]
    candidates = random_inputs(net.input_size, 4096, seed)
    accumulators = candidates.astype(np.int64) @ first.weight.T.astype(np.int64) + first.bias
    gain = np.float64(net.scales[first.input]) * first.weight_scale / np.float64(net.scales[first.output])
    distance = np.abs(np.mod(accumulators * gain, 1) - 0.5).min(1)
    return candidates[np.argsort(distance, kind="stable")[:TIES]]


def net_inputs(net: IntegerNet) -> np.ndarray:
    """The golden inputs of one net: int8 [n, input_size], n above 1,000."""
    return np.concatenate([random_inputs(net.input_size), adversarial_inputs(net)])


def golden_vectors(planner: IntegerPlanner) -> dict[str, np.ndarray]:
    """All vectors by name: `<net>.inputs`, `<net>.outputs` (int8), and `plan.*`."""
    vectors: dict[str, np.ndarray] = {}
    for net in planner.nets:
        inputs = net_inputs(net)
        vectors[f"{net.name}.inputs"] = inputs
        vectors[f"{net.name}.outputs"] = reference.run(net, inputs)
    return vectors | _plans(planner)


def _plans(planner: IntegerPlanner) -> dict[str, np.ndarray]:
    """Whole plans for observations over the quantizer's range and a little beyond."""
    spec = planner.spec
    rng = np.random.default_rng(2)
    offset, gain = np.asarray(spec.obs_offset, np.float32), np.asarray(spec.obs_gain, np.float32)
    integers = rng.normal(0, 50, (PLANS, spec.obs_dim))
    observations = (offset + (integers / gain)).astype(np.float32)
    episodes = rng.integers(0, 2**32, PLANS, dtype=np.uint32)
    indices = np.arange(PLANS, dtype=np.uint32)
    plans = [planner.plan(o, int(e), int(i)) for o, e, i in zip(observations, episodes, indices, strict=True)]
    return {
        "plan.observation": observations,  # float32 [n, obs_dim]
        "plan.episode": episodes,  # uint32 [n]
        "plan.index": indices,  # uint32 [n]
        "plan.windows": np.stack([p.windows for p in plans]),  # int8 [n, k, window_size]
        "plan.scores": np.stack([p.scores for p in plans]),  # int8 [n, k]
        "plan.best": np.array([p.best for p in plans], np.uint8),  # [n]
        "plan.actions": np.stack([p.actions for p in plans]),  # float32 [n, horizon, act_dim]
        "plan.digest": np.array([p.digest for p in plans], np.uint32),  # [n]
    }


def save(vectors: dict[str, np.ndarray], folder: Path) -> None:
    """Write the vectors into a bundle folder."""
    arrays = {name: np.ascontiguousarray(v) for name, v in vectors.items()}
    (folder / FILE).write_bytes(serialize(arrays))


def load(folder: Path) -> dict[str, np.ndarray]:
    """Read the vectors of a bundle folder whose checksums were verified."""
    return load_file(folder / FILE)
