# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge verify`: is a bundle whole, unchanged and sound? Offline, and nothing of it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    bundle: Annotated[Path, typer.Argument(help="Folder that `kdp-edge export` wrote.")],
    signed_by: Annotated[
        Path | None, typer.Option(help="Public key that must have signed the bundle (export --sign).")
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Check a bundle: every file as listed, none besides, the manifest's model, its golden vectors right.

    What agent, build, push and hil check before they use it.

    Example: `kdp-edge verify kdp-work/runs/…/bundles/firmware`

    Exit codes: 0 sound, 1 the golden vectors are not the model's or the signature is not that key's,
    2 damaged or no bundle.
    """
    from kdp_edge.base.errors import GATE_FAILED
    from kdp_edge.exporters.bundle import load_bundle, wrong_vectors
    from kdp_edge.exporters.bundle_signing import check_signed_by
    from kdp_edge.exporters.signing import load_public

    key = load_public(signed_by) if signed_by is not None else None
    opened = load_bundle(bundle)
    if key is not None:
        check_signed_by(bundle, key)
    signer = key.data.hex() if key is not None else None
    planner = opened.planner()
    wrong = wrong_vectors(opened, planner)
    if as_json:
        print_json(
            {"bundle": str(bundle), "target": opened.target, "task": planner.spec.task,
             "model_sha256": planner.model_sha256(), "files": len(opened.hashes), "signed_by": signer,
             "wrong_vectors": wrong, "passed": not wrong}
        )  # fmt: skip
    else:
        typer.echo(
            f"{bundle}: {len(opened.hashes)} files as listed, none besides; target {opened.target}, task "
            f"{planner.spec.task}, model {planner.model_sha256()[:16]}"
        )
        if signer is not None:
            typer.echo(f"signed by {signer[:16]}")
        typer.echo(f"golden vectors {'right' if not wrong else 'WRONG: ' + ', '.join(wrong)}")
    if wrong:
        raise typer.Exit(GATE_FAILED)
