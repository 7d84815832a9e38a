# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A second opinion: NVIDIA's own ONNX parser and builder from the package tensorrt-rtx; needs no GPU.

It builds for GPUs other than Jetson's and reads newer opsets, so it adds to `trt_rules` and replaces
nothing. `pip install 'kdp-edge[trt-check]'`.
"""

from __future__ import annotations

import re
from typing import Any


def problems(model: bytes, batch: int) -> list[str]:
    """What parser and builder say against an ONNX file; empty when an engine was built."""
    import tensorrt_rtx as trt

    log = _log_class(trt)()
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model):
        return [parser.get_error(i).desc() for i in range(parser.num_errors)] or ["not parsed"]
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shape = tuple(batch if size == -1 else size for size in tensor.shape)
        profile.set_shape(tensor.name, shape, shape, shape)
    config.add_optimization_profile(profile)
    if builder.build_serialized_network(network, config) is None:
        return log.errors or ["no engine was built"]
    return []


def _log_class(trt: Any) -> Any:
    class Log(trt.ILogger):  # type: ignore[misc]  # NVIDIA's package has no types
        """Keeps what went wrong, but not that this host has no driver."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: object, message: str) -> None:
            bad = (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR)
            if severity in bad and not re.search("cudaError|CUDA init", message):
                self.errors.append(message)

    return Log
