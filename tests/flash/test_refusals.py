# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An STM32 that refuses, a port that talks, one that echoes: told apart, and nothing is called incomplete."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from kdp_edge.base.errors import DEVICE_MISSING, USAGE, KdpError
from kdp_edge.exporters.boards import load_board
from kdp_edge.hil.flash.stm32_rom import RomClient, chip_of, flash
from kdp_edge.hil.link import Link
from tests.flash.fake_rom import ACK, BASE, NAK, FakeRom

IMAGE = bytes(range(256)) * 16


class Wire:
    """A pipe to whatever `answer` makes of what is sent; `chatter` comes unasked at every read."""

    def __init__(self, answer: Callable[[bytes], bytes], chatter: bytes = b"") -> None:
        self._answer, self._chatter, self._waiting = answer, chatter, bytearray()

    def write(self, data: bytes) -> None:
        self._waiting += self._answer(data)

    def read(self, timeout: float) -> bytes:
        if not self._waiting and not self._chatter:
            time.sleep(min(timeout, 0.002))
        data = bytes(self._waiting) + self._chatter
        self._waiting.clear()
        time.sleep(0.001 if self._chatter else 0)
        return data

    def close(self) -> None:
        pass


class Protected:
    """A ROM that refuses some commands, or what follows them."""

    def __init__(self, commands: frozenset[int] = frozenset(), after: frozenset[int] = frozenset()) -> None:
        self.rom, self._commands, self._after, self._refused = FakeRom(), commands, after, False

    def answer(self, data: bytes) -> bytes:
        if len(data) == 2 and data[0] ^ data[1] == 0xFF and data[0] in self._commands:
            return NAK
        if self._refused and data != b"\xff":
            self._refused = False
            return NAK
        if len(data) == 2 and data[0] ^ data[1] == 0xFF and data[0] in self._after:
            self._refused = True
            return ACK
        return self.rom.feed(data)


def refused(wire: Wire) -> KdpError:
    client = RomClient(wire, patience=0.05, erase_patience=0.05, tries=4)
    with pytest.raises(KdpError) as caught:
        flash(client, chip_of(load_board("stm32f405")), BASE, IMAGE)
    assert "incomplete" not in str(caught.value)
    return caught.value


def test_readout_protection_is_named() -> None:
    chip = Protected(commands=frozenset({0x11, 0x31, 0x44, 0x21}))
    error = refused(Wire(chip.answer))
    assert "readout protection (RDP) is on" in str(error) and "nothing was written" in str(error)
    assert error.exit_code == USAGE and chip.rom.operations == 0


def test_write_protection_is_named() -> None:
    chip = Protected(after=frozenset({0x44}))
    error = refused(Wire(chip.answer))
    assert "write-protected" in str(error) and "nothing was written" in str(error)
    assert chip.rom.operations == 0


@pytest.mark.parametrize(
    "chatter",
    [b"$GPGGA,123519,4807.038,N*47\r\n", b"boot: hello from another firmware\r\n", b"\x9a\x03\xf1" * 9],
)
def test_a_port_that_talks_is_named_with_what_it_says(chatter: bytes) -> None:
    error = refused(Wire(lambda data: b"", chatter))
    assert "talks on this port before it is asked" in str(error) and chatter[:4].hex(" ") in str(error)
    assert error.exit_code == DEVICE_MISSING


def test_a_port_that_echoes_is_named() -> None:
    error = refused(Wire(lambda data: data))
    assert "it echoes what is sent" in str(error) and error.exit_code == DEVICE_MISSING


def test_answers_that_are_none_of_the_roms_are_shown() -> None:
    error = refused(Wire(lambda data: b"\x55"))
    assert "55 55" in str(error) and "baud rate" in str(error)


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (Wire(lambda data: b""), "nothing came at all"),
        (Wire(lambda data: data), "what is sent comes back"),
        (Wire(lambda data: b"", b"U-Boot 2026.01 starting\r\n"), "another program talks there"),
        (Wire(lambda data: b"", b"\xf3\x80\x0c\x99"), "another baud rate"),
    ],
)
def test_who_does_not_answer_hello_is_told_apart(wire: Wire, said: str) -> None:
    with pytest.raises(KdpError, match=said) as caught:
        Link(wire).hello(0.5)
    assert caught.value.exit_code == DEVICE_MISSING and "no answer to HELLO" in str(caught.value)
