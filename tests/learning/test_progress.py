# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a long job says where no bar can be drawn."""

from __future__ import annotations

import pytest

from kdp_edge.base import progress


def test_in_a_pipe_a_line_comes_once_a_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with progress.stage_bars() as show, progress.progress_bar("episodes", 9) as bar:
        for step in range(200):
            now += 1.0
            show("actor", step * 1000, 240_000)
        bar(9)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "actor: 59,000 of 240,000",
        "actor: 119,000 of 240,000",
        "actor: 179,000 of 240,000",
        "episodes: 9 of 9",
    ]
