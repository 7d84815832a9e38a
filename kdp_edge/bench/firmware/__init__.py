# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Instructions per multiply-accumulate of the kernels, on emulated cores."""
