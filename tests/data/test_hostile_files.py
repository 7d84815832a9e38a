# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Files that are damaged or lie: one line and nothing read, whatever they declare or point at."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.data import hdf5, store
from kdp_edge.data.importing import Source, import_set
from kdp_edge.data.making import rollout
from kdp_edge.data.making.make import make
from kdp_edge.data.making.policy import POLICIES, load_policy
from kdp_edge.data.windows import cached_nearest, make_windows
from kdp_edge.tasks import get_task
from kdp_edge.window import Normalizer

from .test_misread import ROBOT, walks, written


def soft_loop(file: h5py.File, home: Path) -> None:
    file["rewards"], file["other"] = h5py.SoftLink("/other"), h5py.SoftLink("/rewards")


def nowhere(file: h5py.File, home: Path) -> None:
    file["rewards"] = h5py.SoftLink("/nothing")


def external_link(file: h5py.File, home: Path) -> None:
    with h5py.File(home / "other.hdf5", "w") as other:
        other["rewards"] = np.zeros(120, np.float32)
    file["rewards"] = h5py.ExternalLink(str(home / "other.hdf5"), "/rewards")


def link_to_external(file: h5py.File, home: Path) -> None:
    external_link(file, home)
    file.move("rewards", "hidden")
    file["rewards"] = h5py.SoftLink("/hidden")


def external_storage(file: h5py.File, home: Path) -> None:
    (home / "secret").write_bytes(bytes(480))
    file.create_dataset("rewards", (120,), "f4", external=[(str(home / "secret"), 0, 480)])


def virtual(file: h5py.File, home: Path) -> None:
    layout = h5py.VirtualLayout((120,), "f4")
    layout[:] = h5py.VirtualSource(str(home / "other.hdf5"), "rewards", (120,))
    file.create_virtual_dataset("rewards", layout)


def bomb(file: h5py.File, home: Path) -> None:
    file.create_dataset("rewards", (11_000_000_000,), "f4", chunks=(1 << 20,), fillvalue=1.0)


def text(file: h5py.File, home: Path) -> None:
    file["rewards"] = ["one"] * 120


def record(file: h5py.File, home: Path) -> None:
    file["rewards"] = np.zeros(120, [("a", "f4"), ("b", "f4")])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (soft_loop, "is a link that leads to itself"),
        (nowhere, "is a link that leads nowhere"),
        (external_link, "links to another file"),
        (link_to_external, "links to another file"),
        (external_storage, "keeps its values in another file"),
        (virtual, "keeps its values in another file"),
        (bomb, "declares 44,000,000,000 bytes"),
        (text, "has dtype object"),
        (record, "expected numbers or booleans"),
    ],
)
def test_hostile_fields_are_refused_by_name(
    home: Path, damage: Callable[[h5py.File, Path], None], message: str
) -> None:
    arrays = walks()
    del arrays["rewards"]
    path = written(home, arrays)
    with h5py.File(path, "a") as file:
        damage(file, home)
    with pytest.raises(KdpError, match=message) as refused:
        import_set(Source(path), "arm", ROBOT)
    assert path in str(refused.value) and "field 'rewards'" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("damage", [external_link, external_storage, virtual, bomb, nowhere])
def test_a_file_that_minari_reads_is_checked_as_a_whole(
    home: Path, damage: Callable[[h5py.File, Path], None]
) -> None:
    path = written(home, {"episode_0/actions": np.zeros(3)})
    hdf5.check_file(Path(path))
    with h5py.File(path, "a") as file:
        damage(file, home)
    with pytest.raises(KdpError, match="field 'rewards'"):
        hdf5.check_file(Path(path))


def test_a_group_that_holds_itself_ends(home: Path) -> None:
    path = written(home, {"a/b": np.zeros(3)})
    with h5py.File(path, "a") as file:
        file["a/again"] = file["a"]
    with pytest.raises(KdpError, match="'a/again' stands for one that is there already"):
        hdf5.check_file(Path(path))


def test_arrays_larger_than_the_memory_are_refused() -> None:
    with pytest.raises(KdpError, match="its arrays declare 4,611,686,018,427,387,904 bytes"):
        hdf5.check_memory(1 << 62, Path("large.hdf5"))


def test_damaged_headers_are_one_line(home: Path) -> None:
    whole = Path(written(home, walks())).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for case in range(24):
        content = bytearray(whole)
        for place in rng.integers(8, 4000, 4):
            content[place] ^= 1 << int(rng.integers(8))
        file = home / f"damaged{case}.hdf5"
        file.write_bytes(content[: int(rng.integers(100, len(whole)))] if case % 3 == 0 else content)
        try:
            import_set(Source(str(file)), "arm", ROBOT, force=True)
        except KdpError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 8


@pytest.fixture
def data(home: Path) -> store.DataSet:
    import_set(Source(written(home, walks())), "arm", ROBOT)
    return store.load_data("arm")


def test_a_stored_set_that_is_damaged_says_how_to_get_it_back(data: store.DataSet) -> None:
    folder = store.dataset_path("arm")
    file = folder / "data" / "main_data.hdf5"
    whole = file.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:600] + bytes(200) + whole[800:]):
        file.write_bytes(damaged)
        with pytest.raises(KdpError, match="import it again: kdp-edge data import … --name arm --force"):
            store.load_data("arm")
    (folder / "kdp.json").write_text("[]")
    with pytest.raises(KdpError, match=r"kdp.json: no object"):
        store.load_data("arm")


def test_a_damaged_or_foreign_cache_is_made_again(data: store.DataSet) -> None:
    windows = make_windows(data, Normalizer.fit(data.observations), 4)
    distance2, row = cached_nearest(data, windows, 4, 8)
    (file,) = (store.dataset_path("arm") / "cache").glob("nearest-*.npz")
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    damaged: list[bytes] = [b"", whole[:100], whole[:-30], bytes(flipped)]
    for arrays in (
        {"distance2": distance2[:5], "row": row[:5].astype(np.int32)},
        {"distance2": distance2, "row": (row + len(row)).astype(np.int32)},
        {"distance2": distance2, "row": (row - len(row)).astype(np.int32)},
        {"distance2": distance2 * np.nan, "row": row.astype(np.int32)},
        {"distance2": distance2, "row": row.astype(np.float32)},
        {"distance2": distance2},
        {"distance2": np.array([{}], object), "row": row.astype(np.int32)},
    ):
        np.savez(file.with_suffix(".made.npz"), **arrays)
        damaged.append(file.with_suffix(".made.npz").read_bytes())
    for content in damaged:
        file.write_bytes(content)
        again = cached_nearest(data, windows, 4, 8)
        np.testing.assert_array_equal(again[0], distance2)
        np.testing.assert_array_equal(again[1], row)
        assert file.read_bytes() == whole


def test_a_policy_that_is_damaged_or_of_another_task_is_one_line(home: Path) -> None:
    whole = (POLICIES / "hopper_medium.npz").read_bytes()
    file = home / "mine.npz"
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (b"", b"text", whole[:200], whole[:-30], bytes(flipped)):
        file.write_bytes(content)
        with pytest.raises(KdpError, match=r"mine.npz: not a behaviour policy") as refused:
            load_policy(file)
        assert "\n" not in str(refused.value)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("W0.npy", b"\x93NUMPY\x01\x00\x06\x00{broken")
    with pytest.raises(KdpError, match="not a behaviour policy"):
        load_policy(file)
    file.write_bytes(whole)
    load_policy(file, 11, 3)
    with pytest.raises(KdpError, match="it takes 11 observations, the task has 17"):
        load_policy(file, 17, 6)
    with pytest.raises(KdpError, match="it gives 3 actions, the task has 6"):
        load_policy(file, 11, 6)


def test_without_shared_memory_one_process_makes_the_same_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = get_task("hopper-medium")
    usual = make(task, 1000, seed=0, workers=1, name="usual").meta["sha256"]

    class Refusing:
        def Value(self, *arguments: object) -> None:
            raise OSError(30, "Read-only file system")

    monkeypatch.setattr(rollout.multiprocessing, "get_context", lambda kind: Refusing())
    assert make(task, 1000, seed=0, workers=2, name="alone").meta["sha256"] == usual
    assert "Read-only file system" in capsys.readouterr().err
