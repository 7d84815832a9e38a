# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A model pushed to the nRF52840's image over its serial port, on a model of its flash controller."""

from __future__ import annotations

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import firmware
from kdp_edge.exporters.boards import BuildOptions, load_board
from kdp_edge.exporters.build import Image, compile_bundle
from kdp_edge.exporters.bundle import write_bundle
from kdp_edge.exporters.signing import SigningKey, load_private, new_key
from kdp_edge.hil.link import Link
from kdp_edge.hil.push import push
from tests.firmware.chip_nrf52840 import NVMC, PAGE, SLOT_BYTES, SLOTS, Nrf52840
from tests.push.conftest import small


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    path = tmp_path_factory.mktemp("key") / "key"
    new_key(path)
    return load_private(path)


@pytest.fixture(scope="module")
def image(key: SigningKey, tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("nrf52840")
    bundle = write_bundle(small(0), "firmware", folder / "bundle", firmware.write, lambda *_: [], {})
    options = BuildOptions(public_key=key.public.data.hex())
    return compile_bundle(bundle.path, "nrf52840", folder / "image", options)


def test_a_signed_model_is_taken_used_and_there_after_a_restart(image: Image, key: SigningKey) -> None:
    chip = Nrf52840(image)
    link = Link(chip)
    first, second = small(1), small(2)
    assert push(link, first, key=key, sequence=1).slot == 0  # three of its plans are compared, byte for byte
    before = bytes(chip.flash[:SLOT_BYTES])
    assert push(link, second, key=key, sequence=2).slot == 1
    assert chip.flash[:SLOT_BYTES] == before and chip.refused == 0
    assert (chip.values[NVMC + 0x504], chip.values[NVMC + 0x540]) == (0, 1)  # read only again, cache on again
    link.reboot()
    hello = link.hello()
    assert (hello.model_sha256, hello.sequence) == (second.model_sha256(), 2)


def test_an_erase_clears_every_page_of_its_slot_and_feeds_the_watchdog(image: Image, key: SigningKey) -> None:
    chip = Nrf52840(image)
    erased: list[int] = []
    clear = chip._erase
    chip._erase = lambda at: (erased.append(at), clear(at))[1]  # type: ignore[method-assign]
    push(Link(chip), small(1), key=key, sequence=1)
    assert erased == list(range(0, SLOT_BYTES, PAGE))
    assert set(chip.flash[SLOT_BYTES - PAGE : SLOT_BYTES]) == {0xFF}


def test_a_flash_that_takes_nothing_or_never_ends_leaves_the_model(image: Image, key: SigningKey) -> None:
    chip = Nrf52840(image)
    link = Link(chip)
    before = link.hello().model_sha256
    chip._erase = lambda _at: None  # type: ignore[method-assign]
    with pytest.raises(KdpError, match="its flash does not hold what was written"):
        push(link, small(1), key=key, sequence=1)
    load = chip.load
    chip.load = lambda at: 0 if at == NVMC + 0x400 else load(at)  # type: ignore[method-assign]
    with pytest.raises(KdpError):
        push(link, small(1), key=key, sequence=1)
    assert link.hello().model_sha256 == before
    assert link.selftest().passed


def test_slots_lie_behind_the_largest_image() -> None:
    board = load_board("nrf52840")
    assert board.flash_start + board.flash_bytes == SLOTS
