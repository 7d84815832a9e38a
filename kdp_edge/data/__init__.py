# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Behaviour policies -> data sets (Minari format) -> windows."""
