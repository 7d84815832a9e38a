# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The float planner and its integer copy in the simulator, many episodes in lockstep."""
