# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Signed models: an image with a key takes what that key signed, and nothing older than what it has."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from kdp_edge.base.errors import USAGE, KdpError
from kdp_edge.exporters import firmware
from kdp_edge.exporters.boards import BOARDS, BuildOptions, load_board
from kdp_edge.exporters.build import Image, compile_bundle
from kdp_edge.exporters.bundle import write_bundle
from kdp_edge.exporters.model_blob import KERNEL_IDS, blob_hash, model_blob
from kdp_edge.exporters.signing import SIGNATURE_BYTES, SigningKey, load_private, new_key
from kdp_edge.hil.push import push, slot_info
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import HelloFlag, Refusal
from kdp_edge.wire.protocol import NO_BLOB
from tests.push import eddsa
from tests.push.conftest import native_image, refusal, running, small, with_crc, with_values

COMPILED = 3  # sequence number of the model compiled in
NEW = small(1)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return made(tmp_path_factory.mktemp("key") / "key")


@pytest.fixture(scope="module")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return made(tmp_path_factory.mktemp("other") / "key")


def made(path: Path) -> SigningKey:
    new_key(path)
    return load_private(path)


@pytest.fixture(scope="module")
def signed(key: SigningKey, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """small(0), compiled in with number 3 and the key's public half."""
    folder = tmp_path_factory.mktemp("signed")
    return native_image(small(0), folder, public_key=key.public.data.hex(), sequence=COMPILED)


def signed_blob(planner: IntegerPlanner, sequence: int, key: SigningKey) -> bytes:
    return model_blob(planner, "portable", sequence, key)


@pytest.mark.parametrize("kernel", KERNEL_IDS)
def test_the_same_model_key_and_number_give_the_same_bytes(
    kernel: str, key: SigningKey, other_key: SigningKey
) -> None:
    blob = model_blob(NEW, kernel, 7, key)
    assert blob == model_blob(NEW, kernel, 7, key)
    assert blob_hash(blob) == blob_hash(model_blob(NEW, kernel, 7)) != blob_hash(model_blob(NEW, kernel, 8))
    assert blob[-SIGNATURE_BYTES:] != model_blob(NEW, kernel, 7, other_key)[-SIGNATURE_BYTES:]


def test_a_signature_is_right_by_the_equations_of_rfc_8032(key: SigningKey, other_key: SigningKey) -> None:
    blob = signed_blob(NEW, 7, key)
    message, signature = b"kdp-edge model 1" + blob_hash(blob), blob[-SIGNATURE_BYTES:]
    assert eddsa.verifies(signature, key.public.data, message)
    assert not eddsa.verifies(signature, key.public.data, message + b"\0")
    assert not eddsa.verifies(signature, other_key.public.data, message)


def test_a_signed_model_is_taken_and_there_after_a_restart(
    signed: Image, key: SigningKey, tmp_path: Path
) -> None:
    with running(signed, tmp_path / "flash") as link:
        hello = link.hello()
        takes = hello.flags & (HelloFlag.TAKES_SIGNED | HelloFlag.TAKES_UNSIGNED)
        assert (takes, hello.sequence, hello.blob_sha256) == (HelloFlag.TAKES_SIGNED, COMPILED, NO_BLOB)
        pushed = push(link, NEW, key=key, sequence=4)
        assert pushed.bytes > 0 and (pushed.sequence, pushed.narrowed) == (4, False)
        assert push(link, NEW, key=key, sequence=4).bytes == 0
    with running(signed, tmp_path / "flash") as link:
        hello = link.hello()
        assert hello.blob_sha256 == blob_hash(model_blob(NEW, "portable", 4)).hex()
        assert (hello.sequence, hello.model_sha256) == (4, NEW.model_sha256())


def test_what_is_not_signed_with_the_key_of_the_image_is_refused(
    signed: Image, key: SigningKey, other_key: SigningKey
) -> None:
    right = signed_blob(NEW, 4, key)
    with running(signed) as link:
        assert refusal(link, model_blob(NEW, "portable", 4)) == Refusal.BAD_SIGNATURE
        assert refusal(link, signed_blob(NEW, 4, other_key)) == Refusal.BAD_SIGNATURE
        bundle = bytearray(right)
        bundle[-SIGNATURE_BYTES:] = key.sign(b"kdp-edge bundle 1" + blob_hash(right))
        assert refusal(link, with_crc(bundle)) == Refusal.BAD_SIGNATURE
        assert refusal(link, with_values(right, NEW, act_high=[2.0])) == Refusal.BAD_SIGNATURE
        assert link.hello().blob_sha256 == NO_BLOB
        assert refusal(link, right) is None


def test_one_changed_bit_anywhere_is_refused(signed: Image, key: SigningKey) -> None:
    right, rng = signed_blob(NEW, 4, key), random.Random(0)
    signature = len(right) - SIGNATURE_BYTES
    places = [7, 46, 152, 153, 159, *rng.sample(range(16, signature), 10)]
    places += [signature, *rng.sample(range(signature, len(right)), 6), len(right) - 1]
    with running(signed) as link:
        for place in places:
            changed = bytearray(right)
            changed[place] ^= 1 << rng.randrange(8)
            expected = Refusal.BAD_BLOB if place == 7 else Refusal.BAD_SIGNATURE
            assert refusal(link, with_crc(changed)) == expected, place
        assert refusal(link, right) is None


def test_an_older_model_is_refused_also_one_that_was_taken_before(
    signed: Image, key: SigningKey, tmp_path: Path
) -> None:
    with running(signed, tmp_path / "flash") as link:
        for number in (0, 1, COMPILED):  # not above the model compiled in
            assert refusal(link, signed_blob(NEW, number, key)) == Refusal.OLDER
        first, second = signed_blob(NEW, 5, key), signed_blob(small(2), 9, key)
        assert refusal(link, first) is None
        assert refusal(link, second) is None
        assert refusal(link, first) == Refusal.OLDER  # a replay
        assert refusal(link, signed_blob(small(3), 8, key)) == Refusal.OLDER
        assert refusal(link, signed_blob(small(3), 9, key)) == Refusal.OLDER  # same number, other content
        assert refusal(link, second) is None
        assert link.hello().sequence == 9
    with running(signed, tmp_path / "flash") as link:
        assert refusal(link, first) == Refusal.OLDER
        assert link.hello().blob_sha256 == blob_hash(second).hex()
        assert refusal(link, signed_blob(NEW, 2**32 - 1, key)) is None


def test_the_signature_is_looked_at_before_the_content(signed: Image, other_key: SigningKey) -> None:
    """Limits out of order are BAD_BLOB under a right signature, and not looked at under a wrong one."""
    wrong = with_values(signed_blob(NEW, 4, other_key), NEW, act_low=[5.0], act_high=[-5.0])
    with running(signed) as link:
        assert refusal(link, wrong) == Refusal.BAD_SIGNATURE


def test_a_right_signature_does_not_excuse_limits_out_of_order(signed: Image, key: SigningKey) -> None:
    blob = bytearray(with_values(signed_blob(NEW, 4, key), NEW, act_low=[5.0], act_high=[-5.0]))
    blob[-SIGNATURE_BYTES:] = key.sign(b"kdp-edge model 1" + blob_hash(blob))
    with running(signed) as link:
        assert refusal(link, with_crc(blob)) == Refusal.BAD_BLOB


def tamper(flash: Path, slot: int) -> None:
    """Raise the action's limits of the model in a slot of `flash`; every CRC is right afterwards."""
    data = bytearray(flash.read_bytes())
    start = slot * len(data) // 2
    size = int.from_bytes(data[start + 40 : start + 44], "little")
    blob = with_values(bytes(data[start + 32 : start + 32 + size]), NEW, act_high=[100.0])
    record = bytearray(data[start : start + 32])
    record[8:12] = blob[12:16]
    record[16:20] = struct.pack("<I", zlib.crc32(record[:16]))
    data[start : start + 32 + size] = record + blob
    flash.write_bytes(data)


def test_a_slot_that_was_tampered_with_gives_way_at_the_next_start(
    signed: Image, key: SigningKey, tmp_path: Path
) -> None:
    flash = tmp_path / "flash"
    first, second = signed_blob(NEW, 4, key), signed_blob(NEW, 5, key)
    with running(signed, flash) as link:
        assert refusal(link, first) is None
        assert refusal(link, second) is None
    for slot, survivor in ((1, blob_hash(first).hex()), (0, NO_BLOB)):
        tamper(flash, slot)
        with running(signed, flash) as link:
            hello = link.hello()
            assert hello.blob_sha256 == survivor
            assert hello.flags & HelloFlag.SELFTEST_PASSED
            assert slot_info(link).slots[slot].state == 1  # whole by its CRC: the signature was what told


def test_an_unsigned_model_in_flash_is_not_used_by_a_signed_image(
    old: Image, signed: Image, tmp_path: Path
) -> None:
    with running(old, tmp_path / "flash") as link:
        push(link, NEW)
    with running(signed, tmp_path / "flash") as link:
        assert link.hello().blob_sha256 == NO_BLOB
        assert link.hello().model_sha256 == small(0).model_sha256()


def test_the_host_says_what_is_missing_before_it_sends(signed: Image, key: SigningKey) -> None:
    with running(signed) as link:
        for options, words in (
            ({}, r"takes signed models only; give --key FILE and --sequence 4 or more"),
            ({"key": key}, r"has sequence 3, this one 0; give a --sequence above that"),
            ({"key": key, "sequence": 3}, r"has sequence 3, this one 3"),
        ):
            with pytest.raises(KdpError, match=words) as error:
                push(link, NEW, **options)  # type: ignore[arg-type]
            assert error.value.exit_code == USAGE
        assert slot_info(link).slots[0].state == 0


def test_without_a_key_a_board_takes_what_its_file_allows(tmp_path: Path) -> None:
    board = tmp_path / "strict" / "native"
    shutil.copytree(BOARDS / "native", board)
    described = (board / "board.toml").read_text()
    (board / "board.toml").write_text(described.replace("unsigned = true", "unsigned = false"))
    strict = native_image(small(0), tmp_path, str(board))
    with running(strict) as link:
        assert not link.hello().flags & (HelloFlag.TAKES_SIGNED | HelloFlag.TAKES_UNSIGNED)
        assert refusal(link, model_blob(NEW, "portable")) == Refusal.NOT_TAKEN
        with pytest.raises(KdpError, match="takes no models over the link: it holds no key"):
            push(link, NEW)


def test_without_a_key_any_model_may_come_back(old: Image) -> None:
    with running(old) as link:
        assert link.hello().flags & HelloFlag.TAKES_UNSIGNED
        push(link, small(2), sequence=9)
        assert push(link, NEW, sequence=1).bytes > 0
        assert link.hello().sequence == 1


def test_an_image_holds_the_verifier_only_and_is_repeatable(key: SigningKey, tmp_path: Path) -> None:
    options = BuildOptions(public_key=key.public.data.hex(), sequence=COMPILED)
    bundle = write_bundle(small(0), "firmware", tmp_path / "bundle", firmware.write, lambda *_: [], {})
    first, second = (compile_bundle(bundle.path, "stm32f405", tmp_path / n, options) for n in ("a", "b"))
    assert first.elf.read_bytes() == second.elf.read_bytes()
    assert key.public.data in first.bin.read_bytes() and key.data[:32] not in first.bin.read_bytes()
    listed = subprocess.run(["arm-none-eabi-nm", first.elf], capture_output=True, text=True, check=True)
    names = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert "crypto_eddsa_check" in names
    for other in ("crypto_eddsa_sign", "crypto_x25519", "crypto_argon2", "crypto_aead_lock"):
        assert other not in names


def test_options_that_do_not_go_together() -> None:
    native = load_board("native")
    with pytest.raises(KdpError, match="give --signed, too"):
        BuildOptions(sequence=3).defines(native)
    with pytest.raises(KdpError, match=r"sequence is 4294967295, expected 0\.\.4294967294"):
        BuildOptions(public_key="00" * 32, sequence=2**32 - 1).defines(native)
