# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Zarr stores and npz archives: both versions, zips, and what they may declare, leave out or unpickle."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from kdp_edge.base.errors import KdpError
from kdp_edge.data import store
from kdp_edge.data.importing import OwnRobot, Source, import_set

from .writers import LAST, RATE, ogbench, walks, zarr_buffer

ROBOT = OwnRobot(RATE, safe=("hold",))


def refusal(path: Path, robot: OwnRobot = ROBOT) -> str:
    with pytest.raises(KdpError) as refused:
        import_set(Source(str(path)), "arm", robot)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value) and not store.exists("arm")
    return str(refused.value)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("zipped", [False, True])
def test_both_versions_are_read_as_folder_and_as_zip(home: Path, version: int, zipped: bool) -> None:
    path = zarr_buffer(home, walks(), version)
    if zipped:
        path = Path(shutil.make_archive(str(path), "zip", path))
    import_set(Source(str(path)), "arm", ROBOT)
    np.testing.assert_array_equal(store.load_data("arm").observations, walks()["observations"][~LAST])


def metadata(path: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    file = path / name / ".zarray"
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))


def pickled(path: Path) -> None:
    metadata(path, "data/state", lambda said: said.update(dtype="|O", filters=[{"id": "pickle"}]))


def pickle_filter(path: Path) -> None:
    metadata(path, "data/state", lambda said: said.update(filters=[{"id": "pickle"}]))


def huge(path: Path) -> None:
    metadata(path, "data/state", lambda said: said.update(shape=[10**13, 3]))


def huge_chunk(path: Path) -> None:
    metadata(path, "data/state", lambda said: said.update(chunks=[10**13, 3]))


def negative(path: Path) -> None:
    metadata(path, "data/state", lambda said: said.update(shape=[-5, 3]))


def no_shape(path: Path) -> None:
    metadata(path, "data/state", lambda said: said.pop("shape"))


def texts(path: Path) -> None:
    metadata(path, "data/state", lambda said: said.update(dtype="<U4"))


def no_chunk(path: Path) -> None:
    for chunk in (path / "data" / "action").glob("[0-9]*"):
        chunk.unlink()


def cut_chunk(path: Path) -> None:
    chunk = path / "data" / "state" / "1.0"
    chunk.write_bytes(chunk.read_bytes()[:-20])


def linked_chunk(path: Path) -> None:
    chunk = path / "data" / "state" / "1.0"
    chunk.unlink()
    chunk.symlink_to("/etc/passwd")


def no_json(path: Path) -> None:
    (path / "data" / "state" / ".zarray").write_text("{")


def no_ends(path: Path) -> None:
    shutil.rmtree(path / "meta" / "episode_ends")


def set_ends(ends: list[float], dtype: str = "i8") -> Callable[[Path], None]:
    def change(path: Path) -> None:
        shutil.rmtree(path / "meta" / "episode_ends")
        root = zarr.open_group(path, mode="a", zarr_format=2)
        root.create_array("meta/episode_ends", data=np.array(ends, dtype))

    return change


def short_actions(path: Path) -> None:
    shutil.rmtree(path / "data" / "action")
    zarr.open_group(path, mode="a", zarr_format=2).create_array("data/action", data=np.ones((99, 2), "f4"))


def no_action(path: Path) -> None:
    shutil.rmtree(path / "data" / "action")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (pickled, "'state' (--observations) has dtype object, expected numbers"),
        (pickle_filter, "'state' (--observations) has dtype object, expected numbers"),
        (huge, "chunks of 'data/state' declare 120,000,000,000,000 bytes"),
        (huge_chunk, "chunks of 'data/state' declare 120,000,000,000,000 bytes"),
        (negative, "data/state: metadata are no Zarr array's"),
        (no_shape, "data/state: metadata are no Zarr array's"),
        (texts, "'state' (--observations) has dtype <U4, expected numbers"),
        (no_chunk, "no chunk of 'data/action' is there"),
        (cut_chunk, "not a readable Zarr store"),
        (linked_chunk, "'data/state/1.0' is a link, expected the data themselves"),
        (no_json, "'data/state/.zarray' is damaged"),
        (no_ends, "no replay buffer (there: data/action, data/img, data/state)"),
        (set_ends([20, 60, 40, 120]), "meta/episode_ends holds 40 at 2, expected numbers that grow"),
        (set_ends([20, 130]), "meta/episode_ends ends with 130, the arrays have 120 rows"),
        (set_ends([20.0, 120.0], "f8"), "meta/episode_ends has shape [2] and dtype float64"),
        (set_ends([0, 120]), "meta/episode_ends holds 0 at 0"),
        (short_actions, "arrays of different length (state 120, action 99)"),
        (no_action, "nothing is called 'action' (--actions)"),
    ],
)
def test_a_store_that_is_damaged_or_lies_is_refused_by_name(
    home: Path, damage: Callable[[Path], None], message: str
) -> None:
    path = zarr_buffer(home, walks())
    damage(path)
    assert message in refusal(path)


def test_absent_chunks_and_rows_after_the_last_end_are_noted(home: Path) -> None:
    arrays = walks()
    arrays["actions"][:50] = 0  # Zarr leaves out chunks that hold its fill value only
    path = zarr_buffer(home, arrays)
    (path / "data" / "action" / "0.0").unlink(missing_ok=True)
    set_ends([40, 80])(path)
    notes = "\n".join(import_set(Source(str(path)), "arm", ROBOT).meta["notes"])
    assert "1 of 3 chunks of 'data/action' are absent" in notes
    assert "40 rows after the last of meta/episode_ends are not read" in notes
    assert store.load_data("arm").ends.sum() == 2


def saved(home: Path, **changed: np.ndarray) -> Path:
    arrays = {**walks(), "terminals": LAST.astype(np.float32), **changed}
    file = home / "arm.npz"
    names = ("observations", "actions", "terminals")
    np.savez(file, **{name: arrays[name] for name in names if arrays[name].size})
    return file


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"terminals": np.zeros(0)}, "array 'terminals' is missing (there: actions, observations)"),
        ({"terminals": np.zeros(120)}, "array 'terminals' marks no end in 120 rows"),
        ({"terminals": np.full(120, 2.0)}, "array 'terminals' holds values other than 0 and 1"),
        ({"terminals": np.zeros(119)}, "array 'terminals' has shape [119]"),
        ({"terminals": LAST | np.roll(LAST, -1)}, "marks two rows in a row: OGBench's compact form"),
        ({"observations": np.zeros((99, 3))}, "array 'observations' has shape [99, 3]"),
        (
            {"observations": np.array([{}] * 120, object)},
            "array 'observations' has shape [120] and dtype object",
        ),
        ({"observations": np.zeros((120, 64, 64, 3), np.uint8)}, "holds images ([64, 64, 3] a row)"),
        ({"actions": np.ones((120, 1), np.int64)}, "field 'actions' has dtype int64"),
        ({"observations": np.full((120, 3), np.nan)}, "holds NaN or infinity in 120 rows"),
    ],
)
def test_an_archive_that_is_none_of_ogbenchs_is_refused_by_name(
    home: Path, changed: dict[str, np.ndarray], message: str
) -> None:
    assert message in refusal(saved(home, **changed))


def test_an_archive_that_declares_more_than_it_holds_is_refused_before_it_is_read(home: Path) -> None:
    path = home / "arm.npz"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 3), }"
    entry = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + bytes(24)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("observations", "actions", "terminals"):
            archive.writestr(f"{name}.npy", entry)
    assert "array 'observations' declares [1000000000000, 3] of float32, 12,000,000,000,000 bytes" in refusal(
        path
    )


def test_ogbench_names_its_environment(home: Path) -> None:
    made = import_set(Source(str(ogbench(home, walks()))), "arm", ROBOT)
    assert made.meta["environment"] == "ogbench:pointmaze-medium-v0"
