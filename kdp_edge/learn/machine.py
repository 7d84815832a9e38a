# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What of this machine training uses."""

from __future__ import annotations

from pathlib import Path

import torch

from kdp_edge.base.errors import KdpError


def pick_device(device: str) -> str:
    """`auto` becomes cuda where there is one; raises `KdpError` if cuda is asked for in vain."""
    if device not in ("auto", "cpu", "cuda"):
        raise KdpError(f"--device {device}: expected auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise KdpError("--device cuda: this machine's torch sees no CUDA device; use --device cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def check_device(device: str, folder: Path) -> None:
    """Raise `KdpError` where a training in `folder`, which runs on `device`, cannot go on here."""
    if device == "cuda" and not torch.cuda.is_available():
        raise KdpError(
            f"{folder}: trained on a GPU (device cuda in config.json), and this machine's torch sees none; "
            f"go on where there is one, or train again with --device cpu"
        )


def gpu_of(device: str) -> str:
    """`, ` and the name of the GPU that `device` is; nothing of a processor."""
    return f", {torch.cuda.get_device_name()}" if device == "cuda" else ""


def pick_precision(precision: str, device: str) -> str:
    """`auto` becomes bfloat16 where it is multiplied faster than float32: by AMX, AVX-512 BF16, CUDA."""
    if precision not in ("auto", "float32", "bfloat16"):
        raise KdpError(f"--precision {precision}: expected auto, float32 or bfloat16")
    if precision != "auto":
        return precision
    if device == "cuda":
        fast = torch.cuda.is_bf16_supported()
    else:
        able = torch.cpu.get_capabilities()
        fast = able.get("amx_bf16") or able.get("avx512_bf16")
    return "bfloat16" if fast else "float32"
