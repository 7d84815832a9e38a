# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Bytes cut, flipped and taken from elsewhere: every layout answers with one line, or with the right data."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.data import store
from kdp_edge.data.formats.found import Choice
from kdp_edge.data.formats.registry import FORMATS
from kdp_edge.data.importing import Source, import_set

from .test_layouts import LOGGED, robot_of
from .writers import WRITERS, walks

CASES = 24


@pytest.fixture(autouse=True)
def minari_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(home / "minari"))


def damaged(content: bytes, rng: np.random.Generator, case: int) -> bytes:
    """Cut, flipped in some bits, emptied, or with a piece of it somewhere else."""
    kind, changed = case % 4, bytearray(content)
    if kind == 0:
        return bytes(changed[: int(rng.integers(0, len(content)))])
    if kind == 1:
        for place in rng.integers(0, len(content), 6):
            changed[place] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        start = int(rng.integers(0, len(content)))
        changed[start : start + 64] = bytes(len(changed[start : start + 64]))
    else:
        here, there = rng.integers(0, len(content), 2)
        changed[here : here + 32] = changed[there : there + 32]
    return bytes(changed)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", FORMATS)
def test_damage_is_one_line(home: Path, layout: str) -> None:
    path, rng, refused = WRITERS[layout](home, walks()), np.random.default_rng(7), 0
    choice = LOGGED if layout in ("csv", "parquet") else Choice()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    whole = {file: file.read_bytes() for file in files if file.stat().st_size}
    for case in range(CASES):
        file = list(whole)[int(rng.integers(len(whole)))]
        file.write_bytes(damaged(whole[file], rng, case))
        try:
            import_set(Source(str(path), format=layout, choice=choice), "walks", robot_of(layout), force=True)
            store.load_data("walks")
        except KdpError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 2000, f"case {case}: {file}"
        file.write_bytes(whole[file])
    assert refused > CASES // 6


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_a_layout_taken_for_another_is_one_line(home: Path, layout: str, other: str) -> None:
    if layout == other or {layout, other} <= {"csv", "parquet"} or "minari" in (layout, other):
        shutil.rmtree(home / "minari", ignore_errors=True)
        return
    path = WRITERS[layout](home, walks())
    with pytest.raises(KdpError) as refused:
        import_set(Source(str(path), format=other), "walks", robot_of(other))
    assert "\n" not in str(refused.value)
