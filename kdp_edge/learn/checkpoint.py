# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Files that training writes: a checkpoint to go on from, and safetensors of what it learned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import atomic_path
from kdp_edge.learn import distributed


@contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """Keep other trainings out of `folder`, whose files they would overwrite; ends with the process.

    Raises:
        KdpError: another process, or another group of torchrun's, has it.
    """
    lock = FileLock(folder / ".lock", timeout=0)

    def acquire() -> None:
        try:
            lock.acquire()
        except Timeout:
            raise KdpError(
                f"{folder}: another process is training here; wait until it ends, or stop it"
            ) from None

    distributed.from_first(acquire)
    try:
        yield
    finally:
        lock.release()


def save_checkpoint(path: Path, saved: dict[str, Any]) -> None:
    """Write plain data and tensors, or leave the earlier file as it was."""
    with atomic_path(path) as temporary:
        torch.save(saved, temporary)


def load_checkpoint(path: Path, device: str) -> dict[str, Any]:
    """What `save_checkpoint` wrote; raises `KdpError` when the file is damaged."""
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        first = str(error).splitlines()[0]
        raise KdpError(f"{path}: not a readable checkpoint ({first}); delete it to start again") from None


def save_weights(path: Path, state: dict[str, Tensor]) -> None:
    """Write a `state_dict` as safetensors."""
    save_arrays(path, {name: tensor.cpu().numpy() for name, tensor in state.items()})


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as safetensors."""
    from safetensors.numpy import save_file

    with atomic_path(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)
