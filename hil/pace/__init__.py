# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Paces: who waits for whom in the closed loop, one file each: lockstep, device, real."""
