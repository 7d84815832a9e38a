# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""SHA256SUMS.sig: a signature beside a bundle's list of files, which binds the list to whoever holds the key.

The list alone finds damage: who changes a file on purpose lists it anew. The device does not look at it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.exporters import checksums
from kdp_edge.exporters.signing import SigningKey, VerifyKey, load_signature, signature_text

SIGNED_AS = b"kdp-edge bundle 1"  # a signature of a model is none of a bundle


def sign_bundle(folder: Path, key: SigningKey) -> None:
    """Write the signature of the complete bundle in `folder` into it."""
    (folder / checksums.SIGNATURE).write_text(signature_text(key.sign(_message(folder))), encoding="utf-8")


def check_signed_by(folder: Path, key: VerifyKey) -> None:
    """Raise `KdpError` (1) unless the private half of `key` signed the list of the bundle in `folder`.

    That the files are those of the list is for `checksums.check` to say.
    """
    file = folder / checksums.SIGNATURE
    if not file.is_file():
        raise KdpError(f"{file}: missing, the bundle is not signed; kdp-edge export --sign KEY", GATE_FAILED)
    if not key.accepts(load_signature(file), _message(folder)):
        raise KdpError(
            f"{file}: not the signature of this {checksums.FILE} by key {key.data.hex()[:16]}; the bundle "
            "was changed, or another key signed it: do not use it",
            GATE_FAILED,
        )


def _message(folder: Path) -> bytes:
    return SIGNED_AS + hashlib.sha256((folder / checksums.FILE).read_bytes()).digest()
