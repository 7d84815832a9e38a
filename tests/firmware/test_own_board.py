# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A board of one's own, outside the package, by the steps of docs/port.md."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.boards import BOARDS, load_board
from kdp_edge.hil.devices import qemu
from kdp_edge.hil.link import Link
from kdp_edge.quantization.plan import IntegerPlanner
from tests.firmware.on_link import play


@pytest.fixture
def my_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Cortex-M3 that the package lacks, from the folder that is closest to it."""
    monkeypatch.setenv("KDP_EDGE_HOME", str(tmp_path / "kdp-work"))
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(BOARDS / "mps2-an386", tmp_path / "my-board"))
    text = (folder / "board.toml").read_text(encoding="utf-8")
    text = text.replace('"mps2-an386"', '"my-board"', 1).replace("cortex-m4", "cortex-m3")
    text = text.replace('kernel = "m4"', 'kernel = "portable"').replace("mps2-an386", "mps2-an385")
    (folder / "board.toml").write_text(text, encoding="utf-8")
    header = (folder / "board.h").read_text(encoding="utf-8")
    (folder / "board.h").write_text(header.replace("mps2-an386", "my-board"), encoding="utf-8")
    return folder


def test_it_is_built_emulated_and_equals_the_twin(my_board: Path, small_planner: IntegerPlanner) -> None:
    board = load_board("./my-board")
    assert (board.name, board.given, board.runs) == ("my-board", str(my_board), "in emulation: QEMU")
    with qemu.open_device("./my-board", small_planner) as device:
        link = Link(device.pipe, timeout=5.0)
        assert link.hello().board == "my-board"
        play(link, small_planner, 40)


def test_what_it_shares_is_looked_for_beside_it_and_in_the_package(my_board: Path) -> None:
    shared = BOARDS / "mps" / "mps.c"
    assert load_board("./my-board").shared()[0] == shared
    nearer = my_board.parent / "mps" / "mps.c"
    nearer.parent.mkdir()
    shutil.copyfile(shared, nearer)
    assert load_board("./my-board").shared()[0] == nearer
    text = (my_board / "board.toml").read_text(encoding="utf-8")
    (my_board / "board.toml").write_text(text.replace("../mps/slots.c", "../mps/slits.c"), encoding="utf-8")
    with pytest.raises(KdpError, match=r"board\.toml: sources: no \.\./mps/slits\.c, neither .* nor "):
        load_board("./my-board").shared()


def test_a_board_that_qemu_lacks_is_told_by_its_file(my_board: Path) -> None:
    text = (my_board / "board.toml").read_text(encoding="utf-8")
    (my_board / "board.toml").write_text(text.replace("machine =", "#"), encoding="utf-8")
    with pytest.raises(KdpError, match=r"board\.toml: no machine, so QEMU has no board './my-board'"):
        qemu.check("./my-board")
