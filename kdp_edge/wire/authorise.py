# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Who may speak to an agent over TCP: host and agent prove to each other that they have the same token.

    host -> agent   "kdpedge1", host's nonce [32]
    agent -> host   "kdpedge1", agent's nonce [32]
    host -> agent   HMAC-SHA256(token, "kdp-edge host" | host's nonce | agent's nonce) [32]
    agent -> host   HMAC-SHA256(token, "kdp-edge agent" | host's nonce | agent's nonce) [32]

The token is never sent. Both nonces are new for each connection, so a recording opens nothing, and each side
has a label of its own, so neither can be answered with its own proof. What follows is plain frames
(docs/protocol.md). Standard library only, no sockets: bytes in, bytes out.
"""

from __future__ import annotations

import hmac
import secrets

MAGIC = b"kdpedge1"
NONCE = PROOF = 32  # bytes
OPENING = len(MAGIC) + NONCE
_HOST, _AGENT = b"kdp-edge host", b"kdp-edge agent"
_TLS_HANDSHAKE, _TLS_ALERT = b"\x16\x03", b"\x15\x03"  # first bytes of a TLS record (RFC 8446, 5.1)


class Unauthorised(Exception):
    """The other end did not prove the token; the text continues "the other end ..."."""


class Gate:
    """The agent's side of one connection. After the first wrong byte it never opens."""

    def __init__(self, token: str) -> None:
        self.open = False
        self._token = token
        self._nonce = secrets.token_bytes(NONCE)
        self._heard = bytearray()
        self._answered = False

    def feed(self, data: bytes) -> bytes:
        """Take what the host sends, whole or not, until `open`; returns what to send back.

        Raises:
            Unauthorised: it is no host with this token; the connection must be closed.
        """
        self._heard += data
        opening, proof = bytes(self._heard[:OPENING]), bytes(self._heard[OPENING:])
        _check_magic(opening, _TLS_HANDSHAKE, "speaks TLS, and this agent was started without --tls-cert")
        if len(proof) > PROOF:
            raise Unauthorised("went on talking before it was let in")
        reply = b""
        if len(opening) == OPENING and not self._answered:
            self._answered = True
            reply = MAGIC + self._nonce
        if len(proof) < PROOF:
            return reply
        nonces = opening[len(MAGIC) :] + self._nonce
        if not hmac.compare_digest(proof, _proof(self._token, _HOST, nonces)):
            raise Unauthorised("has another token")
        self.open = True
        return reply + _proof(self._token, _AGENT, nonces)


class Knock:
    """The host's side of one connection: send `opening`, then what `prove` returns, then `check`."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._nonces = secrets.token_bytes(NONCE)
        self.opening = MAGIC + self._nonces

    def prove(self, reply: bytes) -> bytes:
        """The agent's first bytes, at most `OPENING` -> our proof; raises `Unauthorised`."""
        _check_magic(reply, _TLS_ALERT, "expects TLS: give its certificate with --tls-cert")
        if len(reply) != OPENING:
            raise Unauthorised("broke off the handshake")
        self._nonces += reply[len(MAGIC) :]
        return _proof(self._token, _HOST, self._nonces)

    def check(self, reply: bytes) -> None:
        """Raise `Unauthorised` unless the agent's last bytes prove that it has the token too."""
        if not hmac.compare_digest(reply, _proof(self._token, _AGENT, self._nonces)):
            raise Unauthorised("did not prove our token: it is not the agent that the token belongs to")


def _check_magic(opening: bytes, tls: bytes, says: str) -> None:
    if opening[: len(MAGIC)] != MAGIC[: len(opening)]:
        other = "does not speak this handshake: another program, or another version of kdp-edge"
        raise Unauthorised(says if opening.startswith(tls) else other)


def _proof(token: str, role: bytes, nonces: bytes) -> bytes:
    return hmac.digest(token.encode(), role + nonces, "sha256")
