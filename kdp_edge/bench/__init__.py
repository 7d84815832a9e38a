# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What is measured and recorded. Nothing of the product imports this room; only `cli/bench*` does."""
