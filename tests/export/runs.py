# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A run folder with random weights: what training would leave, without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from kdp_edge.base.files import write_json
from kdp_edge.run import RunConfig, mlp_shapes


def write_run(path: Path, seed: int = 0) -> Path:
    """Write a complete, small run for Hopper."""
    path.mkdir(parents=True)
    config = RunConfig("hopper-medium-expert", "test", 11, 3, width=32, critic_width=24, critic_blocks=1, k=4)
    rng = np.random.default_rng(seed)
    nets = {
        "generator": (config.obs_dim + config.latent_dim, config.width, config.blocks, config.window_dim),
        "critic": (
            config.obs_dim + config.critic_steps * config.act_dim,
            config.critic_width,
            config.critic_blocks,
            1,
        ),
    }
    for name, shape in nets.items():
        arrays = {n: (0.2 * rng.standard_normal(s)).astype(np.float32) for n, s in mlp_shapes(*shape).items()}
        save_file(arrays, path / f"{name}.safetensors")
    ones = np.ones(config.obs_dim, np.float32)
    save_file({"obs_mean": 0 * ones, "obs_std": ones}, path / "normalizer.safetensors")
    states = rng.standard_normal((512, config.obs_dim)).astype(np.float32)
    save_file({"observations": states}, path / "calibration.safetensors")
    write_json(path / "config.json", config.to_json())
    write_json(path / "metrics.json", {})
    write_json(path / "run.json", {"data": {"sha256": "0" * 64}})
    return path
