# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`python -m kdp_edge` is `kdp-edge`."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point; also what is interrupted before a command runs ends in one line."""
    try:
        from kdp_edge.cli import main as run

        run()
    except KeyboardInterrupt:
        print("kdp-edge: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
