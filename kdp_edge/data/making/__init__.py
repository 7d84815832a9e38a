# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Local twins: behaviour policies, how they were trained, and rolling them in MuJoCo."""
