# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""For every test: Ctrl-C can be sent to children even where the shell started pytest in the background."""

import signal

# a background job of a non-interactive shell ignores SIGINT, and children inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)
