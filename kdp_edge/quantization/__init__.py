# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The integer net: what every exporter, the firmware and the twin agree on."""
