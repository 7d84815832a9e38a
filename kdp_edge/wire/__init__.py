# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The link protocol, both sides: frames, messages, the twin and a server around it."""
