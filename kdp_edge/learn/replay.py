# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A training step on a GPU as one launch: its kernels are recorded once and replayed (CUDA graphs).

A step of nets this small is some hundred kernels of a few microseconds each, and a processor that launches
them one by one takes longer than they run. Recorded work reads and writes the same memory at every replay,
so batches are copied into it. (CUDA C++ Programming Guide, "CUDA Graphs"; torch.cuda.CUDAGraph.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from kdp_edge.learn import distributed


class Replay:
    """A function of tensors on the GPU that is recorded at its second call; elsewhere it is just called.

    The first call makes what must be there before: libraries' handles, the optimizer's averages. What is no
    tensor is part of the record, so each of its values gets a record of its own. Several processes average
    gradients between kernels and record nothing, nor does who looks for a fault with CUDA_LAUNCH_BLOCKING.
    """

    def __init__(self, work: Callable[..., Tensor]) -> None:
        """`work` must not wait for the GPU, and must draw no random numbers; it returns a loss."""
        self.work = work
        self.blocking = os.environ.get("CUDA_LAUNCH_BLOCKING") == "1"  # which no recording bears
        self.records: dict[tuple[Hashable, ...], _Record | None] = {}

    def __call__(self, *arguments: Tensor | Hashable) -> Tensor:
        """What `work` returns; the tensor is overwritten by the next call."""
        batch = [argument for argument in arguments if isinstance(argument, Tensor)]
        if not batch[0].is_cuda or distributed.size() > 1 or self.blocking:
            return self.work(*arguments)
        key = tuple(argument for argument in arguments if not isinstance(argument, Tensor))
        if key not in self.records:
            self.records[key] = None
            return self._aside(arguments)
        record = self.records[key]
        if record is None:
            record = self.records[key] = _Record(self.work, arguments)
        return record.replay(batch)

    def _aside(self, arguments: tuple[Tensor | Hashable, ...]) -> Tensor:
        """On a stream of its own, as recording will be."""
        here, stream = torch.cuda.current_stream(), torch.cuda.Stream()
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            loss = self.work(*arguments)
        here.wait_stream(stream)
        return loss


class _Record:
    def __init__(self, work: Callable[..., Tensor], arguments: tuple[Tensor | Hashable, ...]) -> None:
        own = [a.clone() if isinstance(a, Tensor) else a for a in arguments]
        self.batch = [a for a in own if isinstance(a, Tensor)]
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = work(*own)

    def replay(self, batch: list[Tensor]) -> Tensor:
        for own, given in zip(self.batch, batch, strict=True):
            own.copy_(given)
        self.graph.replay()
        return self.loss
