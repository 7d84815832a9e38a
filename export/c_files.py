# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The C files of a bundle: what a program needs to plan, what a device on the link needs besides.

src/    firmware/nn, what of firmware/core is behind kdp_policy.h, the generated policy: compile all of it
link/   the rest of firmware/core: for a device on the link, on a port of yours
"""

from __future__ import annotations

import re
from pathlib import Path

from kdp_edge.exporters.boards import FIRMWARE

POLICY = ("bytes", "clock", "failsafe", "float", "frame", "latents", "planner", "policy", "selftest")
MAIN = "kdp_main.c"
NETS = ("generator", "critic")
SRC, LINK = "src", "link"
PLAN = "plan"  # of a tflm bundle
_MODEL = "_model.h"


def policy_sources() -> list[Path]:
    """Files of firmware/core and firmware/nn that a program with a policy needs."""
    core = [path for path in _c_files("core") if path.stem.removeprefix("kdp_") in POLICY]
    return [*core, *_c_files("nn")]


def link_sources() -> list[Path]:
    """The other files of firmware/core."""
    return [path for path in _c_files("core") if path.stem.removeprefix("kdp_") not in POLICY]


def invoke_sources() -> list[Path]:
    """What a program needs to plan with another inference: kdp_net_invoke.h instead of kernels."""
    core = [path for path in _c_files("core") if path.stem.removeprefix("kdp_") in POLICY]
    headers = [FIRMWARE / "nn" / f"kdp_{name}.h" for name in ("compiler", "constant_time", "error", "nn")]
    return [*core, *headers, *_c_files("invoke")]


def _c_files(room: str) -> list[Path]:
    return sorted((FIRMWARE / room).glob("*.[ch]"))


def prefix_of(folder: Path, room: str = SRC) -> str:
    """What the generated files in a folder of the bundle `folder` begin with."""
    (header,) = (folder / room).glob(f"*{_MODEL}")
    return header.name.removesuffix(_MODEL)


def generated(folder: Path, kernel: str) -> list[Path]:
    """The generated sources in the bundle `folder` that have something in them for `kernel`."""
    prefix = prefix_of(folder)
    nets = [folder / SRC / f"{prefix}_{net}_{kernel}.c" for net in NETS]
    return [folder / SRC / f"{prefix}_model.c", *(path for path in nets if path.is_file())]


def generated_headers(folder: Path, room: str = SRC) -> list[Path]:
    """The headers of those."""
    own = {path.name for path in (*policy_sources(), *invoke_sources())}
    return sorted(path for path in (folder / room).glob("*.h") if path.name not in own)


def header_for_ours(folder: Path, room: str = SRC) -> str:
    """Text of a kdp_model.h for our own programs (kdp_main.c), of a policy that has another prefix."""
    prefix = prefix_of(folder, room)
    lines = [f'#include "{prefix}{_MODEL}"']
    for path in generated_headers(folder, room):
        text = path.read_text(encoding="utf-8")
        macros = re.findall(rf"^#define {prefix.upper()}_(\w+)", text, re.MULTILINE)
        lines += [f"#define KDP_{name} {prefix.upper()}_{name}" for name in dict.fromkeys(macros)]
    lines += [f"#define kdp_{name} {prefix}_{name}" for name in ("model_data", *NETS)]
    return "\n".join([*lines, ""])
