# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Rivals that a reader will name: each a file with its stage, trained and played as KDP is."""
