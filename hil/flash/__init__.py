# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Writing firmware onto boards: one file a method, every one verifies what it wrote."""
