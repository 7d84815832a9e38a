# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""EdDSA over edwards25519 with BLAKE2b, as in RFC 8032, section 5.1: a second opinion on Monocypher."""

from __future__ import annotations

import hashlib

Point = tuple[int, int]
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a: Point, b: Point) -> Point:
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def times(scalar: int, point: Point) -> Point:
    result = (0, 1)
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def decode(data: bytes) -> Point:
    number = int.from_bytes(data, "little")
    y, sign = number % 2**255, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (x * x - square) % P == 0, "not on the curve"
    return (x if x % 2 == sign else P - x), y


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def verifies(signature: bytes, public: bytes, message: bytes) -> bool:
    scalar = int.from_bytes(signature[32:], "little")
    challenge = hashlib.blake2b(signature[:32] + public + message).digest()
    right = add(decode(signature[:32]), times(int.from_bytes(challenge, "little") % ORDER, decode(public)))
    return scalar < ORDER and times(scalar, BASE) == right
