# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Learning: from a data set to a run folder. The only room, with `play` and `bench`, that imports torch."""
