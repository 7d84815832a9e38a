# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a device was sent and what it answered, byte for byte: recorded, played again, made short."""
