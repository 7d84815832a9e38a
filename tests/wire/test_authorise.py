# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The agent's handshake: only the token opens it, whatever is sent; and the file that holds the token."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdp_edge.base.errors import USAGE, KdpError
from kdp_edge.wire import token_file
from kdp_edge.wire.authorise import MAGIC, NONCE, OPENING, PROOF, Gate, Knock, Unauthorised

TOKEN = "a-token-of-32-characters-or-more"
OTHER = "another-of-32-characters-or-more"


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104, written out."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).digest()


def recorded(token: str = TOKEN) -> tuple[bytes, bytes, bytes, bytes]:
    """The four messages of a handshake that succeeds."""
    gate, knock = Gate(token), Knock(token)
    opening = gate.feed(knock.opening)
    proof = knock.prove(opening)
    answer = gate.feed(proof)
    knock.check(answer)
    assert gate.open
    return knock.opening, opening, proof, answer


def test_both_sides_send_what_the_page_says_and_never_the_token() -> None:
    opening, answer, host, agent = recorded()
    assert opening[:8] == answer[:8] == b"kdpedge1" and len(opening) == len(answer) == 40
    nonces = opening[8:] + answer[8:]
    assert host == hmac_sha256(TOKEN.encode(), b"kdp-edge host" + nonces)
    assert agent == hmac_sha256(TOKEN.encode(), b"kdp-edge agent" + nonces)
    assert TOKEN.encode() not in opening + answer + host + agent


def test_nonces_are_new_each_time() -> None:
    runs = [recorded() for _ in range(50)]
    assert len({run[0] for run in runs}) == len({run[1] for run in runs}) == 50


@given(st.lists(st.integers(1, 20), min_size=1))
def test_pieces_of_any_size_open_it(sizes: list[int]) -> None:
    gate, knock = Gate(TOKEN), Knock(TOKEN)

    def fed(data: bytes) -> bytes:
        reply, at, turn = b"", 0, 0
        while at < len(data):
            size = sizes[turn % len(sizes)]
            reply += gate.feed(data[at : at + size])
            at, turn = at + size, turn + 1
        return reply

    knock.check(fed(knock.prove(fed(knock.opening))))
    assert gate.open


def test_another_token_opens_nothing_on_either_side() -> None:
    gate, knock = Gate(TOKEN), Knock(OTHER)
    proof = knock.prove(gate.feed(knock.opening))
    with pytest.raises(Unauthorised, match="has another token"):
        gate.feed(proof)
    assert not gate.open
    impostor = Gate(OTHER)
    knock = Knock(TOKEN)
    knock.prove(impostor.feed(knock.opening))
    for answer in (b"", bytes(PROOF), knock.prove(MAGIC + bytes(NONCE))):
        with pytest.raises(Unauthorised, match="did not prove our token"):
            knock.check(answer)


def test_a_recording_opens_nothing() -> None:
    opening, answer, host, agent = recorded()
    gate = Gate(TOKEN)
    gate.feed(opening)
    with pytest.raises(Unauthorised, match="has another token"):
        gate.feed(host)
    knock = Knock(TOKEN)
    knock.prove(answer)
    with pytest.raises(Unauthorised, match="did not prove"):
        knock.check(agent)


def test_nobody_is_let_in_with_the_other_sides_proof() -> None:
    """A caller that connects twice could have one agent answer the other's question."""
    first, second = Gate(TOKEN), Gate(TOKEN)
    opening = first.feed(MAGIC + bytes(NONCE))
    second.feed(opening)  # the first agent's nonce as ours
    with pytest.raises(Unauthorised):
        second.feed(opening[:PROOF])
    knock = Knock(TOKEN)
    with pytest.raises(Unauthorised, match="did not prove"):
        knock.check(knock.prove(MAGIC + bytes(NONCE)))


@settings(max_examples=500)
@given(st.lists(st.binary(max_size=120), max_size=8), st.booleans())
def test_no_bytes_but_the_proof_open_it(pieces: list[bytes], greeted: bool) -> None:
    gate = Gate(TOKEN)
    said = 0
    try:
        said += len(gate.feed(MAGIC + bytes(NONCE))) if greeted else 0
        for piece in pieces:
            said += len(gate.feed(piece))
    except Unauthorised:
        pass
    assert not gate.open and said <= OPENING


@settings(max_examples=500)
@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_host_takes_nothing_but_the_proof(opening: bytes, answer: bytes) -> None:
    knock = Knock(TOKEN)
    with pytest.raises(Unauthorised):
        knock.prove(opening)
        knock.check(answer)
    knock = Knock(TOKEN)
    knock.prove(MAGIC + opening[:NONCE].ljust(NONCE, b"\0"))
    with pytest.raises(Unauthorised):
        knock.check(answer)


@pytest.mark.parametrize("bit", range(0, 8 * PROOF, 5))
def test_one_wrong_bit_of_the_proof_is_refused(bit: int) -> None:
    gate, knock = Gate(TOKEN), Knock(TOKEN)
    proof = bytearray(knock.prove(gate.feed(knock.opening)))
    proof[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unauthorised):
        gate.feed(bytes(proof))
    assert not gate.open


def test_a_caller_that_talks_on_before_it_is_let_in_is_refused() -> None:
    gate, knock = Gate(TOKEN), Knock(TOKEN)
    proof = knock.prove(gate.feed(knock.opening))
    with pytest.raises(Unauthorised, match="went on talking"):
        gate.feed(proof + b"x")
    assert not gate.open


def test_each_side_says_what_the_other_seems_to_be() -> None:
    with pytest.raises(Unauthorised, match="speaks TLS, and this agent was started without --tls-cert"):
        Gate(TOKEN).feed(bytes.fromhex("16030100c4"))
    with pytest.raises(Unauthorised, match="expects TLS: give its certificate"):
        Knock(TOKEN).prove(bytes.fromhex("15030300020246"))
    for other in (b"HTTP/1.1 400 Bad Request", b"kdpedge2" + bytes(NONCE)):
        with pytest.raises(Unauthorised, match="does not speak this handshake"):
            Knock(TOKEN).prove(other)


def test_a_token_is_made_once_private_and_long(tmp_path: Path) -> None:
    path = tmp_path / "new" / "token"
    token, made = token_file.read_or_make(path)
    assert made and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(token) >= 43  # 256 bits in base64
    assert token_file.read_or_make(path) == (token, False) and token_file.read(path) == token
    assert token_file.read_or_make(tmp_path / "other")[0] != token


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666, 0o620, 0o601])
def test_a_token_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(mode)
    for read in (token_file.read, token_file.read_or_make):
        with pytest.raises(KdpError, match=rf"mode {mode:04o}, expected 0600.: chmod 600") as caught:
            read(path)
        assert caught.value.exit_code == USAGE and TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "short", TOKEN[:31], TOKEN + " " + TOKEN, "ä" * 40, "\0" * 40, "x" * 31 + "/"]
)
def test_what_is_no_token_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(KdpError, match="holds no token: expected at least 32") as caught:
        token_file.read(path)
    assert len(text) < 5 or text not in str(caught.value)


def test_a_token_file_is_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "missing"):
        with pytest.raises(KdpError, match=r"not a file|no such file"):
            token_file.read(path)
