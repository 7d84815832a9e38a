# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Pick and place with an SO-101 arm (PyPI: lerobot-env-so101, which needs a MuJoCo before 4).

A robot file names an environment and no arguments, so the ones that are wanted are registered here: block and
goal anywhere on the table, and 25 mm for an action of 1.
"""

import gymnasium
import lerobot_env_so101  # noqa: F401  registers the original

gymnasium.register(
    "SO101Table-v0",
    entry_point="lerobot_env_so101.pick_place_env:SO101PickPlaceGymEnv",
    max_episode_steps=100,
    kwargs={"random_block_position": True, "action_scale": 0.025},
)
