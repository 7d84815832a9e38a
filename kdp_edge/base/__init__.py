# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What every room stands on: errors, files, workspace, statistics, progress. Imports nothing of ours."""
