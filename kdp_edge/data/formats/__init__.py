# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The layouts that data of robots come in: one file each, all ending in the arrays that `raw.check` takes."""
