# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the host shows to an agent over TCP, and what it expects of it."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.wire import token_file

VARIABLE = "KDP_EDGE_TOKEN"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Credentials:
    """Files as the command line gives them; each is read when an agent is opened that needs it."""

    token_file: Path | None = None  # without it: KDP_EDGE_TOKEN, or the file that an agent here makes
    certificate: Path | None = None  # the agent's own, PEM; without it the link is not encrypted

    def token(self) -> str:
        """The token; raises `KdpError` when there is none, or its file is not private."""
        if self.token_file is not None:
            return token_file.read(self.token_file)
        if VARIABLE in os.environ:
            return token_file.checked(os.environ[VARIABLE], VARIABLE)
        usual = token_file.usual_path()
        if usual.exists():
            return token_file.read(usual)
        raise KdpError(
            f"an agent over TCP asks for its token, and there is none here: copy the agent's file and give "
            f"--token-file FILE, or set {VARIABLE} (looked for {usual} as well)"
        )

    def pinned(self) -> tuple[ssl.SSLContext, bytes] | None:
        """A context that trusts the agent's certificate and nothing else, and that certificate as DER."""
        if self.certificate is None:
            return None
        if not self.certificate.is_file():
            raise KdpError(f"{self.certificate}: no such file; copy the agent's --tls-cert here")
        text = self.certificate.read_text(encoding="ascii", errors="replace")
        first = _CERTIFICATE.search(text)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # the certificate itself is compared, whatever its name
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it need not be signed by itself
        try:
            der = ssl.PEM_cert_to_DER_cert(first[0] if first else "")
            context.load_verify_locations(cadata=der)
        except (ssl.SSLError, ValueError) as error:
            raise KdpError(
                f"{self.certificate}: no PEM certificate ({error}); copy the agent's --tls-cert here"
            ) from None
        return context, der
