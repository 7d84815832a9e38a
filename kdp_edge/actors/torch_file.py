# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Tensors from a PyTorch file, without running anything in it: `weights_only`, and never TorchScript."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError

MOST_BYTES = 256 << 20  # of a policy: 1,000 times what a microcontroller holds


def read_tensors(data: bytes, where: str) -> dict[str, np.ndarray]:
    """All tensors of a file's content by name, nested dictionaries joined by dots; float64 arrays.

    Raises:
        KdpError: TorchScript, anything but tensors in plain containers, or damaged.
    """
    import torch

    _check_zip(data, where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return {name: _array(tensor, name, where) for name, tensor in _flat(loaded)}
    except KdpError:
        raise
    except MemoryError:
        raise KdpError(f"{where}: holds tensors that do not fit into memory") from None
    except Exception as error:  # torch answers damage with kinds of many libraries
        reason = _reason(str(error))
        raise KdpError(f"{where}: {reason}") from None


def _reason(message: str) -> str:
    if "Unsupported global" in message or "weights_only" in message or "WeightsUnpickler" in message:
        return (
            "holds Python objects besides tensors, which are never loaded: they could run any program; save "
            "its state dict: torch.save(policy.state_dict(), 'policy.pt')"
        )
    return f"not a readable PyTorch file ({(message.splitlines() or ['?'])[0][:120]})"


def _check_zip(data: bytes, where: str) -> None:
    """Sizes as the archive's own list has them, before anything is unpacked."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return  # PyTorch before 1.6, or nothing that torch.load will take
    try:
        entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise KdpError(f"{where}: damaged archive ({error})") from None
    if any("/code/" in entry.filename or entry.filename.endswith("constants.pkl") for entry in entries):
        raise KdpError(
            f"{where}: TorchScript, a program with weights, which is never run; give the ONNX file that was "
            "exported beside it, or its state dict"
        )
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise KdpError(f"{where}: unpacks to more than {MOST_BYTES >> 20} MiB; no device holds such a policy")


def _flat(value: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    import torch

    if isinstance(value, torch.Tensor):
        yield prefix, value
    elif isinstance(value, dict) and depth < 8:
        for name, one in value.items():
            yield from _flat(one, f"{prefix}.{name}" if prefix else str(name), depth + 1)


def _array(tensor: Any, name: str, where: str) -> np.ndarray:
    if tensor.is_sparse or tensor.is_quantized or tensor.numel() * 8 > MOST_BYTES:
        raise KdpError(f"{where}: tensor {name} is sparse, quantized or too large; plain ones are carried")
    return np.asarray(tensor.detach().to(dtype=_double()).numpy())


def _double() -> Any:
    import torch

    return torch.float64


def read_bytes(path: Path) -> bytes:
    """A policy's file as it is; a missing or absurdly large one becomes a `KdpError`."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise KdpError(f"{path}: larger than {MOST_BYTES >> 20} MiB; no device holds such a policy")
        return path.read_bytes()
    except FileNotFoundError:
        raise KdpError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise KdpError(f"{path}: a folder, expected a file") from None
