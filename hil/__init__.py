# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Hardware in the loop: the same closed loop on every device, every reply predicted by the twin."""
