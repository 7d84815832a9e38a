# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the machine refuses, as one line: what, where, what to do. The one place where such errors end.

Nothing here is a program error of ours: those keep their traceback, and exit with 70 (EX_SOFTWARE of
sysexits.h), never with 1, which says that a gate failed.
"""

from __future__ import annotations

import errno
import os

from kdp_edge.base.errors import DEVICE_MISSING, USAGE, KdpError

# errno -> what to do about it
_REMEDIES = {
    errno.ENOSPC: "free some space, or choose another folder (KDP_EDGE_HOME, --out)",
    errno.EDQUOT: "free some of your quota, or choose another folder (KDP_EDGE_HOME, --out)",
    errno.EFBIG: "the limit of file sizes (ulimit -f) is too low; raise it, or choose another folder",
    errno.EROFS: "choose a folder that can be written (KDP_EDGE_HOME, --out)",
    errno.EACCES: "change its permissions, or choose another folder (KDP_EDGE_HOME, --out)",
    errno.EPERM: "change its permissions, or choose another folder (KDP_EDGE_HOME, --out)",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "a link leads back to itself; remove it",
    errno.EMFILE: "too many open files (ulimit -n); raise the limit",
    errno.ENFILE: "too many open files on this computer; close some programs",
    errno.ENOMEM: "free some memory, or ask for less",
    errno.ENOENT: "check the path; a link may name what is gone",
    errno.ENOTDIR: "a part of the path is a file; choose another",
    errno.EISDIR: "it is a folder; give a file",
    errno.EEXIST: "move it away, or choose another name",
}

# module -> extra of this package that brings it
_EXTRAS = {
    "torch": "train", "minari": "train", "faiss": "train", "tensorboard": "train", "filelock": "train",
    "h5py": "train", "mujoco": "hil", "gymnasium": "hil", "gymnasium_robotics": "hil", "ray": "cluster",
    "tensorrt_rtx": "trt-check", "tflite_micro": "tflm", "pyarrow": "formats", "zarr": "formats",
    "monocypher": "signed",
}  # fmt: skip
# of the core: absent only where the installation is incomplete, or on another platform
_CORE = {
    "numpy": "numpy", "scipy": "scipy", "safetensors": "safetensors", "onnx": "onnx", "rich": "rich",
    "onnxruntime": "onnxruntime", "serial": "pyserial", "jinja2": "jinja2",
    "matplotlib": "matplotlib", "cyclonedx": "cyclonedx-python-lib",
}  # fmt: skip


def explained(error: BaseException) -> KdpError | None:
    """`error` as one line with an exit code, or None for an error of ours."""
    if isinstance(error, KdpError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return _missing(error)
    if isinstance(error, UnicodeEncodeError):
        shown = ascii(error.object[error.start : error.end])
        return KdpError(f"encoding {error.encoding} cannot hold {shown}; set PYTHONIOENCODING=utf-8")
    if isinstance(error, MemoryError):
        return KdpError("not enough memory for this; free some, or ask for less")
    if isinstance(error, OSError):
        return _refused(error)
    return None


def _missing(error: ModuleNotFoundError) -> KdpError | None:
    name = (error.name or "").partition(".")[0]
    if name in _EXTRAS:
        return KdpError(
            f"this command needs the package {name}, which is not installed: "
            f"pip install 'kdp-edge[{_EXTRAS[name]}]' (from a clone: pip install -e '.[{_EXTRAS[name]}]')"
        )
    if name in _CORE:
        return KdpError(f"this command needs the package {name}: pip install {_CORE[name]}")
    return None


def _refused(error: OSError) -> KdpError:
    """Full disks, missing permissions, names too long: the system's own words, the file, the remedy."""
    if isinstance(error, BrokenPipeError):
        return KdpError("the program that reads this output ended", USAGE)
    named = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    where = " -> ".join(named)
    what = error.strerror or str(error) or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0, "")
    if not remedy and isinstance(error, ConnectionError | TimeoutError):
        return KdpError(f"{what}: check that the device or program at the other end runs", DEVICE_MISSING)
    line = f"{where}: {what}" if where else what
    return KdpError(f"{line}; {remedy}" if remedy else line)
