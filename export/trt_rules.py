# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Rules that an ONNX file must keep for TensorRT to run it in int8, fp16 or fp32, checked without TensorRT.

TensorRT rejects some of these faults only on the device, and accepts others in silence and computes
something else (unsigned zero-points, a weight axis that fits a square matrix by chance). Each rule is
one function of `trt_file_rules`, `trt_quantizer_rules` or `trt_bundle_rules`; `check` runs them on any
ONNX file, valid or not. The cases of the tests hold them against NVIDIA's own parser and builder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import trt_bundle_rules, trt_file_rules, trt_quantizer_rules
from kdp_edge.exporters.trt_graph import Graph
from kdp_edge.exporters.trt_rule import (
    JETPACK6,
    PRECISIONS,
    PROFILES,
    TENSORRT11,
    Cost,
    Finding,
    Profile,
    Rule,
)

__all__ = [
    "JETPACK6",
    "PRECISIONS",
    "PROFILES",
    "RULES",
    "TENSORRT11",
    "Cost",
    "Finding",
    "Profile",
    "Report",
    "Rule",
    "check",
    "check_file",
]

RULES: tuple[Rule, ...] = (*trt_file_rules.RULES, *trt_quantizer_rules.RULES, *trt_bundle_rules.RULES)
LARGEST = 2**31 - 1  # bytes of a protobuf


@dataclass(frozen=True)
class Report:
    """All findings of a file; `strict`: those that only cost speed, or a promise of ours, fail it too."""

    model: str
    profile: Profile
    findings: list[Finding]
    strict: bool
    precision: str

    @property
    def faults(self) -> list[Finding]:
        """The findings that fail the file."""
        return [f for f in self.findings if self.strict or f.cost in (Cost.REJECTED, Cost.WRONG)]

    @property
    def passed(self) -> bool:
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "profile": self.profile.key,
            "strict": self.strict,
            "precision": self.precision,
            "passed": self.passed,
            "findings": [asdict(finding) for finding in self.findings],
        }


def check(
    data: bytes,
    profile: Profile = JETPACK6,
    *,
    name: str = "model",
    folder: Path | None = None,
    costs: frozenset[Cost] = frozenset(Cost),
    precision: str = "int8",
) -> list[Finding]:
    """Every broken rule of the ONNX file `data`; empty when TensorRT will read it as int8.

    Args:
        name: what errors call the file.
        folder: where the file lies; data stored beside it are looked for there.
        costs: which rules to hold it against.
        precision: in which its layers shall run, one of `PRECISIONS`.
    Raises:
        KdpError: `data` is not an ONNX model, or one without end.
    """
    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # protobuf has an exception of its own per backend
        raise KdpError(f"{name} is not an ONNX file: {_one_line(error)}; export the model again") from error
    if not model.HasField("graph"):
        raise KdpError(f"{name} is not an ONNX file: it has no graph; export the model again")
    broken = _not_text(model)
    if broken is not None:
        raise KdpError(f"{name} is not an ONNX file: a {broken} is not UTF-8; export the model again")
    try:
        graph = Graph(model, folder)
    except KdpError as error:
        raise KdpError(f"{name}: {error}") from error
    return [
        Finding(rule.id, rule.cost, _one_line(where), _one_line(message), rule.advice)
        for rule in RULES
        if rule.cost in costs and precision in rule.precisions
        for where, message in rule.find(graph, profile)
    ]


def check_file(
    path: Path, profile: Profile = JETPACK6, strict: bool = False, precision: str = "int8"
) -> Report:
    """Hold a file against the rules; those of our own bundles only if `strict`.

    Raises:
        KdpError: the file cannot be read, or is not an ONNX model.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise KdpError(
                f"{path} has {size:,} bytes, an ONNX file at most {LARGEST:,}; store its weights beside it"
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise KdpError(f"{path} cannot be read: {reason}; give the path of an .onnx file") from error
    costs = frozenset(Cost) if strict else frozenset(Cost) - {Cost.BUNDLE}
    findings = check(data, profile, name=str(path), folder=path.parent, costs=costs, precision=precision)
    return Report(str(path), profile, findings, strict, precision)


def _not_text(message: Message) -> str | None:
    """A field of text, anywhere in `message`, whose bytes are none; protobuf hands them on as they are."""
    for field, value in message.ListFields():
        values = value if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else [value]
        if field.type == FieldDescriptor.TYPE_STRING and any(isinstance(one, bytes) for one in values):
            return str(field.full_name)
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            found = next((text for one in values if (text := _not_text(one)) is not None), None)
            if found is not None:
                return found
    return None


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
