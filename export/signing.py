# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Keys and signatures: EdDSA as Monocypher makes it (edwards25519 with BLAKE2b, the equations of RFC 8032).

Deterministic: the same key and message give the same signature. A key is a text file of one line.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from kdp_edge.base.errors import KdpError

PRIVATE, PUBLIC, SIGNATURE = "kdp-edge-private-key-1", "kdp-edge-public-key-1", "kdp-edge-signature-1"
PRIVATE_BYTES, PUBLIC_BYTES, SIGNATURE_BYTES = 64, 32, 64
_NAMES = {PRIVATE: "private key", PUBLIC: "public key", SIGNATURE: "signature"}


@dataclass(frozen=True)
class VerifyKey:
    """The public half of a key."""

    data: bytes  # [32]

    def text(self) -> str:
        """As its file holds it, without the end of the line."""
        return f"{PUBLIC} {self.data.hex()}"

    def accepts(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` of `message` was made with the private half."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        return bool(_monocypher().signature_check(signature, self.data, message))


@dataclass(frozen=True)
class SigningKey:
    """A private key: seed and public half, 32 bytes each."""

    data: bytes = field(repr=False)

    @property
    def public(self) -> VerifyKey:
        """What verifies its signatures."""
        return VerifyKey(self.data[PUBLIC_BYTES:])

    def sign(self, message: bytes) -> bytes:
        """The signature [64] of `message`."""
        return bytes(_monocypher().signature_sign(self.data, message))


def new_key(path: Path) -> VerifyKey:
    """Write a new private key to `path`, readable by its owner only, and its public half to `path`.pub.

    Raises:
        KdpError: one of the two files is there already.
    """
    public_path = public_path_of(path)
    for file in (path, public_path):
        if os.path.lexists(file):
            raise KdpError(f"{file} is there already and is not overwritten; give another name")
    key = SigningKey(bytes(_monocypher().generate_signing_key_pair()[0]))
    _write_new(path, f"{PRIVATE} {key.data.hex()}\n", 0o600)
    _write_new(public_path, f"{key.public.text()}\n", 0o644)
    return key.public


def public_path_of(path: Path) -> Path:
    """Where the public half of the key at `path` lies."""
    return path.with_name(f"{path.name}.pub")


def load_private(path: Path) -> SigningKey:
    """The private key at `path`.

    Raises:
        KdpError: no key, damaged, or others may read it.
    """
    data = _read(path, PRIVATE, PRIVATE_BYTES)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(path.stat().st_mode)
        raise KdpError(f"{path}: others may read this private key (mode {mode:04o}); chmod 600 {path}")
    key = SigningKey(data)
    if not key.public.accepts(key.sign(b""), b""):
        raise KdpError(f"{path}: the two halves of the private key do not belong together; it is damaged")
    return key


def load_public(path: Path) -> VerifyKey:
    """The public key at `path`; raises `KdpError` for anything else, a private key included."""
    return VerifyKey(_read(path, PUBLIC, PUBLIC_BYTES))


def load_either(path: Path) -> VerifyKey:
    """The public key at `path`, or the public half of the private key there."""
    lines = _lines(path)
    return load_private(path).public if lines[:1] and lines[0].startswith(PRIVATE) else load_public(path)


def signature_text(signature: bytes) -> str:
    """A signature as its file holds it."""
    return f"{SIGNATURE} {signature.hex()}\n"


def load_signature(path: Path) -> bytes:
    """The signature [64] at `path`; raises `KdpError` for anything else."""
    return _read(path, SIGNATURE, SIGNATURE_BYTES)


def _read(path: Path, kind: str, size: int) -> bytes:
    lines = _lines(path)
    match = re.fullmatch(rf"{kind} ([0-9a-f]{{{2 * size}}})", lines[0]) if len(lines) == 1 else None
    if match is not None:
        return bytes.fromhex(match[1])
    found = next((name for start, name in _NAMES.items() if lines and lines[0].startswith(f"{start} ")), None)
    shown = f"it is a {found}" if found not in (None, _NAMES[kind]) else "it is none, or damaged"
    raise KdpError(f"{path}: expected a {_NAMES[kind]}, one line '{kind} <{2 * size} hex digits>'; {shown}")


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise KdpError(f"{path}: no such file; kdp-edge keys new FILE makes a key and FILE.pub")
    with path.open("rb") as file:
        return file.read(4096).decode("utf-8", errors="replace").splitlines()


def _write_new(path: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise KdpError(f"{path}: cannot be written: {error.strerror}; give another name") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)


def _monocypher() -> ModuleType:
    try:
        import monocypher
    except ImportError:
        raise KdpError("signatures need the package pymonocypher; pip install 'kdp-edge[signed]'") from None
    return monocypher  # type: ignore[no-any-return]
