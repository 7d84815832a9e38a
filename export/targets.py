"""The targets of `kdp-edge export`: one module each, all with the same two functions.

write(planner, folder) -> details for the manifest, or None
verify(folder, planner) -> the checks made against the integer reference, or None
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from kdp_edge.base.lookup import unknown
from kdp_edge.exporters.bundle import Bundle, write_bundle
from kdp_edge.quantization.plan import IntegerPlanner

TARGETS = {
    "jetson": "NVIDIA Jetson: Q/DQ ONNX for TensorRT, engine builder, agent",
    "sbc": "Raspberry Pi class: QOperator ONNX for ONNX Runtime, agent",
    "tflm": "your own TFLite-Micro firmware: .tflite, C arrays, op list, arena size",
    "firmware": "this project's firmware: generated C99",
}


def target_module(name: str) -> ModuleType:
    """The module of target `name`; an unknown one becomes a `KdpError` that lists all."""
    if name not in TARGETS:
        raise unknown("target", name, TARGETS)
    return import_module(f"kdp_edge.exporters.{name}")


def export(planner: IntegerPlanner, target: str, out: Path, provenance: Mapping[str, Any]) -> Bundle:
    """Write the verified bundle of `planner` for `target` at `out`."""
    module = target_module(target)
    return write_bundle(planner, target, out, module.write, module.verify, provenance)
