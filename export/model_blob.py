# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Planner -> one flat block of bytes that a running firmware takes as its model (firmware/core/kdp_blob.c).

A fixed header (`_HEADER`: dimensions, spec, hashes, widths of the two nets, sequence number), then arrays in
a fixed order, each starting at a multiple of 16: their places and sizes follow from the header, so there
is no offset that could point somewhere else; then a signature, all 0 when there is none. Little-endian.
The nets are laid out for one kernel.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.c_layout import kernel_named
from kdp_edge.exporters.c_model import GOLDEN_VECTORS, check_deployable, golden_plans
from kdp_edge.exporters.net_layout import LayerArrays, NetArrays, lay_out
from kdp_edge.exporters.signing import SIGNATURE_BYTES, SigningKey
from kdp_edge.quantization.plan import FLOAT_LISTS, IntegerPlanner, PlanSpec

MAGIC = b"KDPB"
VERSION = 3
KERNEL_IDS = {"portable": 1, "m4": 2, "mve": 3, "dual": 4}  # KDP_KERNEL_* of firmware/nn/kdp_nn.h
MAX_BLOCKS = 8  # of one net
MAX_WIDTH = 2048
ALIGNMENT = 16
WORD = 32  # bytes that flash programs at once: the whole blob is a multiple of it

# magic, version, kernel, ahead, size, crc | obs_dim ... critic_steps | margin, seed, safe_steps, millihertz,
# deadline | golden_count, silent_steps | model, schema | per net: width, blocks, 0, inner sizes | sequence,
# fill
_HEADER = struct.Struct(f"<4sHBBII HBBBBBB iIIII HH 32s32s {2 * f'HBB{MAX_BLOCKS}H'} I4x".replace(" ", ""))
_CRC_AT, _CRC_FROM = 12, 16
SIGNED_AS = b"kdp-edge model 1"  # KDP_TRUST_DOMAIN of firmware/core/kdp_trust.h
_BIAS_LIMIT = 1 << 29  # the parser's bound, which needs no sum over weights


def model_blob(
    planner: IntegerPlanner, kernel: str, sequence: int = 0, key: SigningKey | None = None
) -> bytes:
    """The blob of `planner` for a firmware with `kernel`; the same arguments give the same bytes.

    Args:
        sequence: uint32; a device that takes signed models takes none with a smaller number than it has.
        key: signs the content; without it there is no signature.

    Raises:
        KdpError: unknown kernel, or a planner that the firmware or that kernel cannot run.
    """
    check_deployable(planner)
    layout, spec = kernel_named(kernel), planner.spec
    if spec.is_actor:
        raise KdpError(f"task {spec.task}: an imported actor cannot be pushed; build its image and flash it")
    for net in planner.nets:
        largest = max(int(np.abs(linear.bias.astype(np.int64)).max()) for linear in net.linears)
        if largest >= _BIAS_LIMIT:
            raise KdpError(f"integer net {net.name}: a bias of {largest}, expected below {_BIAS_LIMIT}")
    nets = [lay_out(net, spec.obs_dim, layout) for net in planner.nets]
    parts = [*_spec_arrays(spec), *_golden_arrays(planner)]
    for arrays in nets:
        parts += _net_arrays(arrays)
    body = b"".join(_aligned(part.tobytes()) for part in parts)
    body += bytes(-(_HEADER.size + len(body)) % WORD)
    size = _HEADER.size + len(body) + SIGNATURE_BYTES
    blob = bytearray(
        _header(planner, nets, KERNEL_IDS[kernel], size, sequence) + body + bytes(SIGNATURE_BYTES)
    )
    if key is not None:
        blob[-SIGNATURE_BYTES:] = key.sign(SIGNED_AS + blob_hash(blob))
    struct.pack_into("<I", blob, _CRC_AT, zlib.crc32(blob[_CRC_FROM:]))
    return bytes(blob)


def blob_hash(blob: bytes | bytearray) -> bytes:
    """SHA-256 of all but the CRC, which covers the signature, and the signature, which is made of it."""
    return hashlib.sha256(blob[:_CRC_AT] + blob[_CRC_FROM:-SIGNATURE_BYTES]).digest()


def blob_crc(blob: bytes) -> int:
    """The CRC-32 that the header carries, over everything behind it."""
    return int.from_bytes(blob[_CRC_AT:_CRC_FROM], "little")


def _header(planner: IntegerPlanner, nets: list[NetArrays], kernel: int, size: int, sequence: int) -> bytes:
    spec = planner.spec
    shapes: list[int] = []
    for net in nets:
        inner = [block.inner_size for block in net.blocks]
        if len(inner) > MAX_BLOCKS or max([net.width, *inner]) > MAX_WIDTH:
            raise KdpError(
                f"planner of task {spec.task}: a net has {len(inner)} blocks and width {net.width}; "
                f"a pushed model takes {MAX_BLOCKS} and {MAX_WIDTH} - flash it instead"
            )
        shapes += [net.width, len(inner), 0, *inner, *[0] * (MAX_BLOCKS - len(inner))]
    dims = (spec.obs_dim, spec.act_dim, spec.horizon, spec.chunk, spec.k, spec.latent_dim, spec.critic_steps)
    scalars = (spec.margin, spec.seed, spec.safe_steps, spec.rate_mhz, spec.deadline_us)
    hashes = (bytes.fromhex(planner.model_sha256()), bytes.fromhex(spec.schema_sha256()))
    lead = (MAGIC, VERSION, kernel, spec.ahead, size, 0)
    return _HEADER.pack(*lead, *dims, *scalars, GOLDEN_VECTORS, spec.silent_steps, *hashes, *shapes, sequence)


def _spec_arrays(spec: PlanSpec) -> Iterator[np.ndarray]:
    for name in FLOAT_LISTS:
        yield np.asarray(getattr(spec, name), "<f4")
    yield np.asarray(spec.latent_table, np.int8)
    yield np.asarray(spec.safe_hold, np.uint8)


def _golden_arrays(planner: IntegerPlanner) -> list[np.ndarray]:
    """kdp_golden [n], observations float32 [n, obs_dim], first actions float32 [n, act_dim]."""
    vectors = golden_plans(planner)
    return [vectors.rows.astype("<u4"), vectors.observations.astype("<f4"), vectors.actions.astype("<f4")]


def _net_arrays(net: NetArrays) -> list[np.ndarray]:
    arrays = [*_layer(net.shared), *_layer(net.first)]
    for block in net.blocks:
        arrays += [*_layer(block.inner), *_layer(block.branch)]
        # multiplier and shift in front of the tables
        arrays.append(
            np.concatenate([[block.add.multiplier, block.add.shift, 0, 0], block.add.tables]).astype("<i4")
        )
    return [*arrays, *_layer(net.last)]


def _layer(layer: LayerArrays) -> tuple[np.ndarray, np.ndarray]:
    return layer.weights.astype(np.int8), layer.rows.astype("<i4")


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
