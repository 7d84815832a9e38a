# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A random but well-formed integer planner: for benchmarks of other shapes and for tests."""

from __future__ import annotations

import numpy as np

from kdp_edge.quantization.float_net import FloatNet, Layer
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.latents import quantile_table
from kdp_edge.quantization.plan import IntegerPlanner, PlanSpec
from kdp_edge.quantization.post_training import activation_scale, quantize_net


def random_net(name: str, inputs: int, width: int, blocks: int, outputs: int, seed: int = 0) -> IntegerNet:
    """An integer net of the given shape with random weights, calibrated on random inputs."""
    rng = np.random.default_rng(seed)

    def layer(outs: int, ins: int, gain: float = 1.0) -> Layer:
        weight = rng.normal(0, gain * np.sqrt(2 / ins), (outs, ins)).astype(np.float32)
        return Layer(weight, rng.normal(0, 0.1, outs).astype(np.float32))

    net = FloatNet(
        layer(width, inputs),
        tuple((layer(width, width), layer(width, width, 0.5)) for _ in range(blocks)),
        layer(outputs, width),
    )
    calibration = np.clip(rng.normal(0, 0.4, (512, inputs)), -1, 1).astype(np.float32)
    output_range = np.abs(net(calibration)).max(0)
    return quantize_net(net.with_unit_ranges(np.ones(inputs, np.float32), output_range), calibration, name)


def random_planner(
    obs_dim: int = 11,
    act_dim: int = 3,
    horizon: int = 4,
    latent_dim: int = 8,
    width: int = 128,
    blocks: int = 2,
    critic_width: int = 64,
    critic_blocks: int = 0,
    k: int = 8,
    seed: int = 0,
    **overrides: object,
) -> IntegerPlanner:
    """A planner whose defaults have the shape of the Hopper policy; `overrides` replace spec fields."""
    critic_steps = int(overrides.get("critic_steps", 1))  # type: ignore[call-overload]
    generator = random_net(
        "generator", obs_dim + latent_dim, width, blocks, horizon * (obs_dim + act_dim), seed
    )
    critic = random_net("critic", obs_dim + critic_steps * act_dim, critic_width, critic_blocks, 1, seed + 1)
    fields: dict[str, object] = dict(
        task="synthetic",
        obs_names=[f"observation_{i}" for i in range(obs_dim)],
        act_names=[f"action_{i}" for i in range(act_dim)],
        obs_units=["1"] * obs_dim,
        act_units=["1"] * act_dim,
        horizon=horizon,
        chunk=1,
        k=k,
        latent_dim=latent_dim,
        critic_steps=critic_steps,
        margin=0,
        seed=seed,
        obs_offset=[0.0] * obs_dim,
        obs_gain=[30.0] * obs_dim,
        obs_low=[-20.0] * obs_dim,
        obs_high=[20.0] * obs_dim,
        act_gain=[float(np.float32(1 / 100))] * (horizon * act_dim),
        act_offset=[0.0] * act_dim,
        act_low=[-1.0] * act_dim,
        act_high=[1.0] * act_dim,
        act_rate=[2.0] * act_dim,
        safe_action=[0.0] * act_dim,
        safe_hold=[False] * act_dim,
        safe_steps=5,
        silent_steps=2,
        rate_hz=125.0,
        deadline_us=8000,
        latent_table=quantile_table(float(activation_scale(np.float32(1))) * 3).tolist(),
    )
    return IntegerPlanner(generator, critic, PlanSpec(**(fields | overrides)))  # type: ignore[arg-type]
