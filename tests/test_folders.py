# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Nothing of a user's is deleted or overwritten, by any command that writes a folder."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import atomic_path, check_result_file, write_text
from kdp_edge.base.folders import Purpose, check_writable, new_folder, sweep, written_folder
from kdp_edge.data.store import DATA_SET
from kdp_edge.exporters.build import IMAGE
from kdp_edge.exporters.bundle import BUNDLE
from kdp_edge.hil.report import REPORT


def _written(folder: Path) -> set[str] | None:
    return {"made", "sub/made"} if (folder / "made").is_file() else None


THING = Purpose("thing", _written)


def make(folder: Path, text: str = "new") -> None:
    with written_folder(folder, THING) as temporary:
        (temporary / "made").write_text(text)
        (temporary / "sub").mkdir()
        (temporary / "sub" / "made").write_text(text)


def content(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_absent_empty_and_own_folders_are_written(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("absent", "empty", "deep/er"):
        make(tmp_path / name)
        make(tmp_path / name, "newer")
        assert content(tmp_path / name) == {"made": "newer", "sub/made": "newer"}
    assert not list(tmp_path.rglob(".*"))  # no .tmp, no .old


@pytest.mark.parametrize("purpose", [THING, REPORT, BUNDLE, IMAGE, DATA_SET], ids=lambda p: p.name)
@pytest.mark.parametrize("name", ["thesis.txt", ".git/config", "manifest.json", "report.json", "build.json"])
def test_a_users_folder_is_refused_untouched(tmp_path: Path, purpose: Purpose, name: str) -> None:
    mine = tmp_path / "mine"
    (mine / name).parent.mkdir(parents=True)
    (mine / name).write_text('{"schema": 1}')  # only looks like ours
    with pytest.raises(
        KdpError, match=r"mine holds 1 file.*is (no|not a) .* of kdp-edge; give another --out"
    ):
        check_writable(mine, purpose)
    with pytest.raises(KdpError), written_folder(mine, purpose):
        pass
    assert content(mine) == {name: '{"schema": 1}'} and os.listdir(tmp_path) == ["mine"]


def test_a_file_of_the_users_in_a_folder_of_ours_is_refused_by_name(tmp_path: Path) -> None:
    make(tmp_path / "out")
    (tmp_path / "out" / "sub" / "notes.txt").write_text("mine")
    with pytest.raises(KdpError, match=r"out/sub/notes.txt is no part of the thing"):
        make(tmp_path / "out")
    assert content(tmp_path / "out")["sub/notes.txt"] == "mine"


def test_a_file_and_a_folder_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(KdpError, match="file is a file, expected a folder for a thing"):
        check_writable(tmp_path / "file", THING)
    with pytest.raises(KdpError, match="file is a file, not a folder"):
        check_writable(tmp_path / "file" / "below", THING)
    with pytest.raises(KdpError, match=r"/proc cannot be written: "):
        check_writable(Path("/proc/kdp-edge-test"), THING)
    assert (tmp_path / "file").read_text() == "mine"


def test_links_are_followed_to_what_they_name(tmp_path: Path) -> None:
    (tmp_path / "disk" / "there").mkdir(parents=True)
    link, dangling = tmp_path / "link", tmp_path / "dangling"
    link.symlink_to(tmp_path / "disk" / "there")
    dangling.symlink_to(tmp_path / "disk" / "made-now")
    for one in (link, dangling):
        for text in ("first", "second"):
            make(one, text)
            assert one.is_symlink() and content(one.resolve())["made"] == text
    assert sorted(os.listdir(tmp_path)) == ["dangling", "disk", "link"]
    assert sorted(os.listdir(tmp_path / "disk")) == ["made-now", "there"]


def test_what_goes_wrong_inside_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path / "out", "old")
    with pytest.raises(KeyboardInterrupt), written_folder(tmp_path / "out", THING) as temporary:
        (temporary / "made").write_text("half")
        raise KeyboardInterrupt
    assert content(tmp_path / "out")["made"] == "old" and os.listdir(tmp_path) == ["out"]


def test_what_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(KdpError, match="mine"), written_folder(tmp_path / "out", THING):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine").write_text("thesis")
    assert content(tmp_path / "out") == {"mine": "thesis"}


def _loop(folder: Path, count: int) -> None:
    for number in range(count):
        make(folder, str(number))


def test_readers_always_find_a_whole_folder_while_two_write_it(tmp_path: Path) -> None:
    make(tmp_path / "out")
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_loop, args=(tmp_path / "out", 150)) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert (tmp_path / "out").is_dir()  # an exchange has no moment without
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert set(content(tmp_path / "out")) == {"made", "sub/made"} and os.listdir(tmp_path) == ["out"]


def test_leftovers_of_killed_processes_are_swept_and_living_ones_are_not(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from tests.test_folders import THING, written_folder\n"
        "with written_folder(Path(sys.argv[1]), THING) as t:\n"
        "    (t / 'made').write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out")], check=False)
    assert done.returncode == -9 and len(os.listdir(tmp_path)) == 1
    with written_folder(tmp_path / "out", THING) as alive:
        (alive / "made").write_text("alive")
        sweep(tmp_path / "out")
        assert alive.is_dir()
    assert os.listdir(tmp_path) == ["out"]


def test_where_folders_cannot_be_exchanged_a_kill_between_renames_is_mended(tmp_path: Path) -> None:
    make(tmp_path / "out", "old")
    os.rename(tmp_path / "out", tmp_path / ".out.abcdefgh.old")  # killed here
    sweep(tmp_path / "out")
    assert content(tmp_path / "out")["made"] == "old"


def test_two_new_folders_of_one_name_are_two(tmp_path: Path) -> None:
    made = [new_folder(tmp_path / "20261125-report") for _ in range(3)]
    assert [path.name for path in made] == ["20261125-report", "20261125-report-2", "20261125-report-3"]


def _raises(call: Callable[[], object]) -> str:
    with pytest.raises(KdpError) as caught:
        call()
    return str(caught.value)


def test_a_result_file_replaces_only_an_earlier_result(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("my thesis")
    assert "is no earlier result" in _raises(lambda: check_result_file(file))
    assert "is a folder" in _raises(lambda: check_result_file(tmp_path))
    file.write_text('{"rows": []}')
    check_result_file(file)
    check_result_file(tmp_path / "absent.json")


def test_half_written_files_of_killed_processes_are_swept(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom kdp_edge.base.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as t:\n"
        "    t.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "file.json")], check=False)
    assert len(os.listdir(tmp_path)) == 1
    with atomic_path(tmp_path / "file.json") as alive:
        alive.write_text("alive")
        write_text(tmp_path / "file.json", "other")  # sweeps what is not locked
        assert alive.read_text() == "alive"
    assert os.listdir(tmp_path) == ["file.json"] and (tmp_path / "file.json").read_text() == "alive"
