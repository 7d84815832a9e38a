# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Deterministic actors that somebody else trained: ONNX, Stable-Baselines3, state dicts -> a run folder."""
