# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What several commands share: options and the choice of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kdp_edge.base.errors import KdpError

if TYPE_CHECKING:
    from kdp_edge.exporters.bundle import Bundle
    from kdp_edge.quantization.plan import IntegerPlanner
    from kdp_edge.run import Run

JSON_OPTION = typer.Option(False, "--json", help="Print one JSON object for machines instead of text.")

TOKEN_OPTION = typer.Option(
    help="The token of an agent over TCP, in a file; or set KDP_EDGE_TOKEN.", metavar="FILE"
)
CERTIFICATE_OPTION = typer.Option(
    "--tls-cert", help="The certificate of an agent over TCP: encrypt, and talk to no other.", metavar="FILE"
)


def print_json(value: Any) -> None:
    """Print `value` as one JSON object on standard output."""
    typer.echo(json.dumps(value, indent=2, sort_keys=True))


def choose_run(path: Path | None, quiet: bool = False, task: str | None = None) -> Run:
    """The run at `path`, or the one that finished last (of `task`); then say which, unless `quiet`."""
    from kdp_edge.run import Run, newest_run

    if path is not None:
        if task is not None:
            raise KdpError("give --run or --task, not both")
        return Run.load(path)
    run = newest_run(task)
    if not quiet:
        typer.echo(f"Newest run: {run.path}", err=True)
    return run


def policy_source(run: Path | None, bundle: Path | None, quiet: bool = False) -> Run | Bundle:
    """A run, quantized if it was not yet, or a verified bundle."""
    from kdp_edge.exporters.bundle import load_bundle

    if run is not None and bundle is not None:
        raise KdpError("--run and --bundle exclude each other; give one")
    if bundle is not None:
        return load_bundle(bundle)
    chosen = choose_run(run, quiet)
    integer_planner(chosen)
    return chosen


def say_model(planner: IntegerPlanner, score: float | None, board: str) -> None:
    """Say, before anything is written onto a device, what is about to be."""
    known = f"score {score:.1f}" if score is not None else "score not known: kdp-edge eval"
    typer.echo(
        f"{board} gets task {planner.spec.task}, {known}, model {planner.model_sha256()[:16]}", err=True
    )


def of_policy(found: dict[str, Any], run: Run, planner: IntegerPlanner) -> dict[str, Any]:
    """What was measured of a run's integers, and of which: the content of a result file."""
    from kdp_edge.base.provenance import git_commit

    return {**found, "task": run.config.task, "model_sha256": planner.model_sha256(), "git": git_commit()}


def integer_planner(run: Run) -> IntegerPlanner:
    """The integer planner of a run; a run that is not quantized yet is, and the user is told."""
    from kdp_edge.quantization.policy import is_quantized, planner_of

    if not is_quantized(run):
        typer.echo(f"Not quantized yet: quantizing {run.path}", err=True)
    return planner_of(run)
