# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What time costs: return against latency, misses against candidates, and what still fits."""
