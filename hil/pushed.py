# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Is the model that was pushed to a device the one that its HELLO claims? A blob may claim anything."""

from __future__ import annotations

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.exporters.model_blob import KERNEL_IDS, blob_hash, model_blob
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.protocol import NO_BLOB, Hello


def check_pushed(hello: Hello, planner: IntegerPlanner, where: str) -> None:
    """Raise `KdpError` (3) if the device uses a pushed model whose content is not that of `planner`.

    The hash of the content is the device's own; the blob is made here again and hashed as well.
    """
    if hello.blob_sha256 == NO_BLOB:
        return
    expected = blob_hash(model_blob(planner, kernel_name(hello.kernel), hello.sequence)).hex()
    if hello.blob_sha256 != expected:
        raise KdpError(
            f"{where}: the pushed model's content has SHA-256 {hello.blob_sha256[:16]}, the policy here "
            f"{expected[:16]}: it is another one, whatever it claims to be; push this one: kdp-edge push",
            DEVICE_MISSING,
        )


def kernel_name(number: int) -> str:
    """The kernel's name by its number on the link."""
    names = {known: name for name, known in KERNEL_IDS.items()}
    if number not in names:
        raise KdpError(f"the device names kernel {number}, expected one of {names}; flash again")
    return names[number]
