# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge check-tensorrt`: any ONNX file against the rules of TensorRT, without TensorRT or a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.exporters.trt_rules import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check-tensorrt")(check_tensorrt)


def check_tensorrt(
    model: Annotated[Path | None, typer.Argument(help="ONNX file; from any exporter.")] = None,
    profile: Annotated[
        str, typer.Option(help="Release to check for: jetpack6 (TensorRT 10.3) or tensorrt11.")
    ] = "jetpack6",
    precision: Annotated[
        str, typer.Option(help="In which the layers shall run: int8, fp16 or fp32.")
    ] = "int8",
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Fail also what only runs in another precision, or our bundles forbid."
        ),
    ] = False,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules instead; no file needed.")] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Check an ONNX file for TensorRT: what is rejected, what is built but computes something else.

    Exit code: 0 no rule is broken, 1 one is, 2 the file is not readable as ONNX.

    Example: `kdp-edge check-tensorrt model.onnx`
    """
    if rules:
        _print_rules(as_json)
        return
    if model is None:
        raise KdpError("no MODEL.onnx given; try: kdp-edge check-tensorrt model.onnx")
    from kdp_edge.base.lookup import unknown
    from kdp_edge.exporters.trt_rules import PRECISIONS, PROFILES, check_file

    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    report = check_file(model, PROFILES[profile], strict, precision)
    if as_json:
        print_json(report.to_json())
    else:
        _print(report)
    if not report.passed:
        raise typer.Exit(GATE_FAILED)


def _print(report: Report) -> None:
    for finding in report.findings:
        typer.echo(f"{report.model}: {finding}")
    advice = len(report.findings) - len(report.faults)
    faults = len(report.faults)
    verdict = "passed" if report.passed else f"{faults} fault{'s' if faults > 1 else ''}"
    typer.echo(
        f"{report.model}: {verdict}, {report.profile.name}" + (f"; {advice} to know" if advice else "")
    )


def _print_rules(as_json: bool) -> None:
    from kdp_edge.exporters.trt_rules import RULES

    if as_json:
        print_json(
            {"rules": [{"id": r.id, "cost": r.cost, "meaning": r.meaning, "advice": r.advice} for r in RULES]}
        )
        return
    for rule in RULES:
        typer.echo(f"{rule.id:20} {rule.cost:9} {rule.meaning}")
