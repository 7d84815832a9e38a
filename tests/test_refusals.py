# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the machine refuses is one line and exit 2 or 3: never a traceback, never 1."""

from __future__ import annotations

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.cli import complete
from kdp_edge.cli.refusals import explained
from kdp_edge.exporters.boards import BOARDS
from kdp_edge.exporters.toolchain import run
from tests.export.runs import write_run

MAIN = "from kdp_edge.__main__ import main; main()"


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of random weights in a workspace of its own."""
    return write_run(tmp_path_factory.mktemp("workspace") / "runs" / "tiny")


def kdp(*arguments: str, home: Path, before: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.argv = ['kdp-edge', *{list(arguments)!r}]\n{before}\n{MAIN}"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
        env={**os.environ, "KDP_EDGE_HOME": str(home), "COLUMNS": "100", **env},
    )  # fmt: skip


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr and done.returncode != 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("kdp-edge: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "choose a folder that can be written"),
        (errno.EFBIG, "ulimit -f"),
        (errno.ENAMETOOLONG, "shorter name"),
        (errno.ELOOP, "a link leads back"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_every_os_error_names_file_cause_and_remedy(code: int, said: str) -> None:
    line = explained(OSError(code, os.strerror(code), "/a/file"))
    assert line is not None and line.exit_code == 2
    assert str(line).startswith(f"/a/file: {os.strerror(code)}") and said in str(line)


def test_errors_of_ours_keep_their_traceback() -> None:
    assert explained(ZeroDivisionError("x")) is None and explained(KeyError("x")) is None
    assert explained(ModuleNotFoundError("no", name="kdp_edge.nosuch")) is None


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        (("train", "maze2d-umaze"), "torch", "kdp-edge[train]"),
        (("eval",), "torch", "kdp-edge[train]"),
        (("hil",), "gymnasium", "kdp-edge[hil]"),
        (("data", "import", "x.hdf5", "--name", "x", "--rate-hz", "50"), "h5py", "kdp-edge[train]"),
        (("data", "policy", "hopper-medium"), "torch", "kdp-edge[train]"),
        (("bench", "training", "hopper-medium"), "torch", "kdp-edge[train]"),
    ],
)
def test_a_missing_extra_is_named_by_every_command(
    tmp_path: Path, tiny_run: Path, command: tuple[str, ...], module: str, extra: str
) -> None:
    (tmp_path / "x.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n")
    hidden = f"sys.modules[{module!r}] = None"
    arguments = [str(tmp_path / a) if a.endswith(".hdf5") else a for a in command]
    done = kdp(*arguments, home=tiny_run.parent.parent, before=hidden)
    assert done.returncode == 2 and extra in one_line(done) and "pip install" in done.stderr


@pytest.mark.parametrize("kind", ["a file", "dangling", "read-only", "a loop"])
def test_a_workspace_that_cannot_be_written_is_one_line(tmp_path: Path, kind: str) -> None:
    home = tmp_path / "home"
    if kind == "a file":
        home.write_text("mine")
    elif kind == "dangling":
        home.symlink_to("/proc/nowhere/else")
    elif kind == "a loop":
        home.symlink_to(home)
    else:
        home = Path("/proc/1/kdp-work")
    done = kdp("data", "make", "maze2d-umaze", "--steps", "1000", "--workers", "1", home=home)
    assert done.returncode == 2
    assert any(word in one_line(done) for word in ("KDP_EDGE_HOME", "give another", "remove it"))


def test_a_limit_of_file_sizes_is_one_line(tmp_path: Path, tiny_run: Path) -> None:
    before = (
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (4096, {resource.RLIM_INFINITY}))"
    )
    done = kdp("export", "--target", "sbc", "--out", str(tmp_path / "b"), home=tiny_run.parent.parent,
               before=before)  # fmt: skip
    assert done.returncode == 2 and "File too large" in one_line(done)
    assert list(tmp_path.iterdir()) == []


def test_a_name_too_long_is_one_line(tmp_path: Path) -> None:
    done = kdp("data", "make", "maze2d-umaze", "--name", "n" * 300, "--steps", "1000", home=tmp_path)
    assert done.returncode == 2 and "name" in one_line(done)


def test_output_that_cannot_be_encoded_is_shown_as_it_can_be(tiny_run: Path) -> None:
    done = kdp("runs", home=tiny_run.parent.parent, PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and "hopper-medium-expert" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hil", "--device", "serial:/dev/ttyS0@1099511627776"), "not a baud rate from 50 to"),
        (("hil", "--device", "serial:/dev/ttyS0@-1"), "not a baud rate"),
        (("hil", "--device", "agent:localhost:99999"), "not of the form agent:HOST:PORT"),
        (
            ("flash", "--board", "stm32f405", "--port", "/dev/ttyS0", "--baud", "-1"),
            "expected 1200 to 115200",
        ),
        (
            ("flash", "--board", "stm32f405", "--port", "/dev/ttyS0", "--baud", "1099511627776"),
            "1200 to 115200",
        ),
        (("hil", "--gate-return", "nan"), "--gate-return is given nan"),
        (("build", "--board", "stm32f40"), "did you mean stm32f405?"),
        (("export", "--target", "jetsn"), "did you mean jetson?"),
        (("hil", "--device", "natve"), "did you mean native?"),
        (("hil", "--device", "qemu:stm32f40"), "did you mean stm32f405?"),
        (("hil", "--fault", "flp"), "did you mean flip?"),
        (("eval", "--task", "hoper-medium"), "no finished run of task"),
        (
            ("flash", "--board", "stm32f405", "--port", "/dev/ttyS0"),
            "give one of --image, --run, --bundle, --task",
        ),
        (("push", "--device", "native"), "give one of --bundle, --run, --task"),
    ],
)
def test_numbers_and_names_are_checked(tiny_run: Path, arguments: tuple[str, ...], said: str) -> None:
    done = kdp(*arguments, home=tiny_run.parent.parent)
    assert done.returncode == 2 and said in one_line(done)


def test_a_host_name_that_is_none_is_one_line(tiny_run: Path) -> None:
    done = kdp("hil", "--device", f"agent:{'x' * 70}:5", home=tiny_run.parent.parent)
    assert done.returncode == 3 and "no agent at" in one_line(done)


def test_an_interrupt_says_one_line(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", MAIN, "data", "make", "maze2d-umaze", "--workers", "1"],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "KDP_EDGE_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    time.sleep(4)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 130 and errors.count("interrupted") == 1 and "Traceback" not in errors


def test_help_answers_to_h(tmp_path: Path) -> None:
    for command in (["-h"], ["hil", "-h"], ["data", "make", "-h"]):
        done = kdp(*command, home=tmp_path)
        assert done.returncode == 0 and "Usage" in done.stdout


def test_errors_keep_their_code() -> None:
    line = explained(KdpError("x", 4))
    assert line is not None and line.exit_code == 4


def test_what_does_not_fit_is_a_sentence_with_sizes(tmp_path: Path, tiny_run: Path) -> None:
    board = tmp_path / "small"
    shutil.copytree(BOARDS / "stm32f405", board)
    text = (board / "board.toml").read_text().replace("flash_bytes = 524288 #", "flash_bytes = 20000 #")
    text = text.replace('"stm32f405"', '"small"').replace('["../stm32/', f'["{BOARDS}/stm32/')
    text = text.replace('"../stm32/', f'"{BOARDS}/stm32/').replace(
        "flash_bytes = 524288", "flash_bytes = 20000"
    )
    (board / "board.toml").write_text(text)
    home = tiny_run.parent.parent
    done = kdp("build", "--board", str(board), "--out", str(tmp_path / "image"), home=home)
    line = one_line(done)
    assert done.returncode == 2 and "does not fit board small (20,000 bytes of flash" in line
    assert "region `FLASH' overflowed by" in line and not (tmp_path / "image").exists()


def test_a_board_outside_the_package_is_built(tmp_path: Path, tiny_run: Path) -> None:
    board = tmp_path / "mine"
    shutil.copytree(BOARDS / "stm32f405", board)
    text = (board / "board.toml").read_text().replace('"stm32f405"', '"mine"')
    (board / "board.toml").write_text(text.replace('"../stm32/', f'"{BOARDS}/stm32/'))
    done = kdp("build", "--board", str(board), "--out", str(tmp_path / "image"), home=tiny_run.parent.parent)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "image" / "image.elf").is_file()


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            "ld: final link failed: No space left on device\ncollect2: error: ld returned 1 exit status",
            "free some",
        ),
        ("x.c:1: fatal error: y.h: No such file\ncompilation terminated.", "fatal error: y.h"),
        (
            "ld: a.o: undefined reference to `f'\ncollect2: error: ld returned 1 exit status",
            "undefined reference",
        ),
        ("ld: region `FLASH' overflowed by 1234 bytes", "region `FLASH' overflowed by 1,234 bytes"),
    ],
)
def test_a_tools_cause_is_told_not_its_last_line(output: str, said: str) -> None:
    program = f"import sys; sys.stderr.write({output!r}); sys.exit(1)"
    with pytest.raises(KdpError, match=re.escape(said)):
        run([sys.executable, "-c", program])


def test_a_path_that_looks_like_markup_is_printed_as_it_is(tmp_path: Path, tiny_run: Path) -> None:
    out = tmp_path / "x[" / "b]y"
    done = kdp("export", "--target", "sbc", "--out", str(out), home=tiny_run.parent.parent)
    assert done.returncode == 0 and str(out) in done.stdout


def test_a_data_set_that_the_disk_cannot_take_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kdp_edge.data import store

    usage = type("usage", (), {"free": 1 << 20})
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(KdpError, match=r"needs about 66 MiB, .* has 1 MiB left"):
        store._check_room(tmp_path / "set", 50 << 20)


@pytest.mark.parametrize(
    ("machine", "said"), [("aarch64", "x86-64 Linux only"), ("x86_64", "kdp-edge[tflm]")]
)
def test_doctor_passes_without_tflite_micro_and_says_how_to_get_it(
    tmp_path: Path, machine: str, said: str
) -> None:
    before = (
        f"import platform; platform.machine = lambda: {machine!r}\n"
        "import kdp_edge.cli.doctor as d; known = d.versions\n"
        "d.versions = lambda names: {n: '1' for n in names if n != 'tflite-micro'}\n"
        "d.shutil.which = lambda name: '/usr/bin/' + name"
    )
    done = kdp("doctor", "--json", home=tmp_path, before=before)
    assert done.returncode == 0 and said in done.stdout


def test_an_agent_without_its_packages_says_what_to_install(tmp_path: Path, tiny_run: Path) -> None:
    bundle = tmp_path / "bundle"
    assert kdp("export", "--target", "sbc", "--out", str(bundle), home=tiny_run.parent.parent).returncode == 0
    for module in ("numpy", "safetensors"):
        program = (
            f"import sys; sys.modules[{module!r}] = None; sys.path.insert(0, {str(bundle)!r})\n"
            f"import runpy; sys.argv = ['agent.py']\n"
            f"runpy.run_path({str(bundle / 'agent.py')!r}, run_name='__main__')"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert done.returncode == 3 and f"agent: the package {module} is missing" in done.stderr
        assert "Traceback" not in done.stderr
    for options in (["--listen", "127.0.0.1:99999"], ["--bench", "-1"], ["--bench", "0"]):
        done = subprocess.run(
            [sys.executable, str(bundle / "agent.py"), *options], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2 and "Traceback" not in done.stderr


def test_the_shell_completes_names(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDP_EDGE_HOME", str(tiny_run.parent.parent))
    assert complete.boards("stm32f") == ["stm32f405"] and complete.targets("t") == ["tflm"]
    assert "hopper-medium" in complete.tasks("hopper-m") and "qemu:stm32f405" in complete.devices("qemu:")
    done = kdp("build", home=tiny_run.parent.parent, _KDP_EDGE_COMPLETE="complete_bash",
               COMP_WORDS="kdp-edge build --board stm32f", COMP_CWORD="3")  # fmt: skip
    assert "stm32f405" in done.stdout


def test_a_reader_that_ends_is_no_failed_gate(tiny_run: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "kdp_edge", "docs", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "KDP_EDGE_HOME": str(tiny_run.parent.parent)},
    )  # fmt: skip
    assert child.stdout is not None and child.stderr is not None
    child.stdout.close()
    errors = child.stderr.read().decode()
    assert child.wait(60) != 1 and "Traceback" not in errors
