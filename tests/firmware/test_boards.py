# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""board.toml: what is not understood is refused, by file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import boards


@pytest.mark.parametrize("table", ["", "[limits]", "[flash]", "[flash.stm32_rom]", "[slots]", "[bench]"])
def test_an_unknown_key_is_refused_by_file_and_key(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (boards.BOARDS / "stm32f405" / "board.toml").read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(["", *lines]) if line.split(" #")[0] == table)
    file = tmp_path / "stm32f405" / "board.toml"
    file.parent.mkdir()
    file.write_text("\n".join([*lines[:at], "colour = 1", *lines[at:]]), encoding="utf-8")
    monkeypatch.setattr(boards, "BOARDS", tmp_path)
    with pytest.raises(KdpError, match="unknown key 'colour'") as refused:
        boards.load_board("stm32f405")
    assert str(file) in str(refused.value)
