# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Training in several processes, started by torchrun: each draws its share of every batch.

Gradients are averaged, so that all processes hold the same nets after every step; the first one (rank
0) alone prints, logs and writes. In a process of its own, without torchrun, all of this does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from kdp_edge.base.errors import KdpError
from kdp_edge.run import RunConfig

SHARED = ("batch", "anchor_batch", "improve_batch", "value_batch", "distill_batch", "plant_batch")
T = TypeVar("T")


@contextmanager
def group() -> Iterator[None]:
    """Join the other processes of this torchrun, if there are any."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    dist.init_process_group(backend, timeout=timedelta(days=1))  # rank 0 may make a data set first
    try:
        yield
    finally:
        dist.destroy_process_group()


def size() -> int:
    """Processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process; 0 is the one that prints and writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def share_of(config: RunConfig) -> RunConfig:
    """The configuration with this process's part of every batch; together they make the whole."""
    for name in SHARED:
        if getattr(config, name) % size():
            fail(f"{name} {getattr(config, name)} cannot be shared by {size()} processes; start 1, 2, 4 or 8")
    return replace(config, **{name: getattr(config, name) // size() for name in SHARED})


def average(gradient: Tensor) -> None:
    """Replace `gradient` by its mean over all processes."""
    if size() > 1:
        dist.all_reduce(gradient)
        gradient.div_(size())


def gather(value: T) -> list[T]:
    """Every process's `value`, in order of rank."""
    found: list[Any] = [value] * size()
    if size() > 1:
        dist.all_gather_object(found, value)
    return found


def wait() -> None:
    """Until all processes are here."""
    if size() > 1:
        dist.barrier()


@contextmanager
def first_alone() -> Iterator[None]:
    """Rank 0 goes first, the others after it: they find what it has cached."""
    if rank():
        wait()
    yield
    if not rank():
        wait()


def from_first(make: Callable[[], T]) -> T:
    """What `make` returns on rank 0, on all ranks; its `KdpError` ends all of them."""
    if size() == 1:
        return make()
    box: list[Any] = [None, None, 0]
    if rank() == 0:
        try:
            box[0] = make()
        except KdpError as error:
            box[1:] = [str(error), error.exit_code]
    dist.broadcast_object_list(box)
    if box[1] is not None:
        fail(box[1], box[2])
    return box[0]


def fail(message: str, exit_code: int = 2) -> NoReturn:
    """Raise a `KdpError` that all ranks raise, so that one line is printed, not one for each."""
    if rank():
        raise SystemExit(exit_code)
    raise KdpError(message, exit_code)
