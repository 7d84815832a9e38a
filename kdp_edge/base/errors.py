# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The one exception that reaches a user: a single clear line and an exit code."""

from __future__ import annotations

GATE_FAILED = 1
USAGE = 2
DEVICE_MISSING = 3
LINK_LOST = 4
SOFTWARE = 70  # an error of ours: EX_SOFTWARE of sysexits.h; 1 would say that a gate failed
PIPE_CLOSED = 141  # whoever read the output ended: 128 + SIGPIPE
INTERRUPTED = 130  # by the user: 128 + SIGINT


LONGEST_REASON = 300  # letters of another library's words


def reason(error: BaseException) -> str:
    """What another library says of a failure, as one short line of printable letters; else its kind."""
    words = " ".join(str(error).split())
    printable = "".join(letter if letter.isprintable() else "?" for letter in words)
    shown = printable if len(printable) <= LONGEST_REASON else f"{printable[:LONGEST_REASON]} …"
    return shown or type(error).__name__


class KdpError(Exception):
    """Something a user can act on.

    Args:
        message: one line that says what is wrong, where (file, field, value found, value
            expected) and what to do.
        exit_code: 1 a gate failed, 2 usage or bad input, 3 device missing, 4 link lost, 130 interrupted.
    """

    def __init__(self, message: str, exit_code: int = USAGE) -> None:
        super().__init__(message)
        self.exit_code = exit_code
