# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The loop that serves hosts: one owner at a time, and callers on their way to become it."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable

from kdp_edge.exporters.agent.callers import WRITE_SECONDS, Caller, Complaints, Connection, accept
from kdp_edge.exporters.agent.doors import Door
from kdp_edge.exporters.agent.ports import Served, wait
from kdp_edge.wire.authorise import Unauthorised

MOST_CALLERS = 16


def serve(door: Door, served: Served) -> None:
    """Answer one host at a time until interrupted; the state outlives a connection.

    The owner is whoever was authorised last and then sent a whole frame: who connects and says nothing, fails
    the proof or stops reading keeps nobody else out, and an owner that falls silent is replaced by the next
    that speaks.
    """
    listener = door.open()
    clients = Clients(door, listener, served.feed)
    try:
        while True:
            clients.turn(wait(clients.sockets(), served))
    finally:
        door.close(listener)


class Clients:
    """Everybody who is connected."""

    def __init__(self, door: Door, listener: socket.socket, feed: Callable[[bytes], bytes]) -> None:
        self._door, self._listener, self._feed = door, listener, feed
        self._owner: Connection | None = None
        self._callers: list[Caller] = []
        self._complaints = Complaints()

    def sockets(self) -> list[socket.socket]:
        """What to wait for."""
        owners = [self._owner.socket] if self._owner is not None else []
        return [self._listener, *owners, *(caller.connection.socket for caller in self._callers)]

    def turn(self, ready: list[socket.socket]) -> None:
        """Serve the owner, then take one step with one caller: no crowd of them delays the owner by more."""
        if self._owner is not None and self._owner.socket in ready:
            self._serve(self._owner)
        if self._listener in ready:
            caller = accept(self._listener, self._door)
            self._callers += [caller] if caller is not None else []
        heard = next((one for one in self._callers if one.connection.socket in ready), None)
        if heard is not None:
            self._callers.remove(heard)
            self._callers.append(heard)  # the next turn is another's
            self._hear(heard)
        for caller in [one for one in self._callers if one.gone()] + self._crowd():
            self._let_go(caller)

    def _serve(self, owner: Connection) -> None:
        try:
            data = owner.receive()
        except Unauthorised:  # TLS broke
            data = None
        if data is None or not owner.send(self._feed(data)):
            owner.close()
            self._owner = None

    def _hear(self, caller: Caller) -> None:
        try:
            spoke = caller.listen()
        except Unauthorised as error:
            self._complaints.refuse(caller, error)
            self._let_go(caller)
            return
        if not spoke:
            return
        self._callers.remove(caller)
        if self._owner is not None:
            self._owner.close()
        self._owner = caller.connection
        self._owner.socket.settimeout(WRITE_SECONDS)
        # the zero ends what the last owner left of a frame
        if not self._owner.send(self._feed(b"\0" + bytes(caller.said))):
            self._owner.close()
            self._owner = None

    def _crowd(self) -> list[Caller]:
        """Who has to go when there are too many: the oldest of where most of them come from."""
        if len(self._callers) <= MOST_CALLERS:
            return []
        origins = Counter(caller.origin for caller in self._callers)
        return [min(self._callers, key=lambda caller: (-origins[caller.origin], caller.since))]

    def _let_go(self, caller: Caller) -> None:
        if caller in self._callers:
            self._callers.remove(caller)
        caller.connection.close()
