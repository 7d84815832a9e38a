# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A child process that serves a pty, and that never outlives us."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.hil.pipes import SerialPipe


class Child:
    """A running process and the last lines that it printed."""

    def __init__(self, command: list[str]) -> None:
        # the kernel ends the child even if we are killed and no clean-up runs
        guard = [shutil.which("setpriv"), "--pdeathsig", "TERM", "--"]
        self.name = Path(command[0]).name
        self._process = subprocess.Popen(
            [part for part in guard if part] + command if guard[0] else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._lines: deque[str] = deque(maxlen=50)
        self._news = threading.Condition()
        self._ended = False
        self._paused: threading.Timer | None = None
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line.rstrip())
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def expect(self, pattern: str, within: float = 10.0) -> str:
        """Group 1 of `pattern` in the child's output; raises `KdpError` when it ends or says nothing."""
        end = time.monotonic() + within
        with self._news:
            while True:
                for line in self._lines:
                    found = re.search(pattern, line)
                    if found:
                        return found.group(1)
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    break
                self._news.wait(left)
        reason = "ended" if self._ended else f"said nothing for {within:g} s"
        raise KdpError(f"{self.name} {reason} before it served a port: {self.tail()}", DEVICE_MISSING)

    def say(self, line: str) -> None:
        """Write a line to the child's standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def pause(self, seconds: float) -> None:
        """Stop the process now and let it go on after `seconds`; returns at once."""
        self._go_on()
        self._process.send_signal(signal.SIGSTOP)
        self._paused = threading.Timer(seconds, self._process.send_signal, (signal.SIGCONT,))
        self._paused.daemon = True
        self._paused.start()

    def _go_on(self) -> None:
        """Let a paused process go on now."""
        if self._paused is not None:
            self._paused.cancel()
            self._process.send_signal(signal.SIGCONT)
            self._paused = None

    def tail(self) -> str:
        """The last line of output, for messages."""
        return self._lines[-1] if self._lines else "no output"

    def close(self) -> None:
        """End the process, politely first."""
        process = self._process
        self._go_on()  # one that stands still would not end
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def pty_of(command: list[str], pattern: str) -> Iterator[tuple[SerialPipe, Child]]:
    """Start `command`, wait until it names its pty (`pattern`, group 1), open it; end both on leaving."""
    try:
        child = Child(command)
    except OSError as error:
        raise KdpError(f"cannot start {command[0]}: {error}", DEVICE_MISSING) from None
    try:
        pipe = _open(child.expect(pattern), child)
        try:
            yield pipe, child
        finally:
            pipe.close()
    finally:
        child.close()


def _open(port: str, child: Child) -> SerialPipe:
    import serial

    try:
        return SerialPipe(port)
    except serial.SerialException as error:
        what = f"{child.name} serves {port}, which cannot be opened: {error}"
        raise KdpError(what, DEVICE_MISSING) from None
