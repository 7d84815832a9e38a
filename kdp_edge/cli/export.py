# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge export`: a run -> a verified bundle for one target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdp_edge.cli import complete
from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.exporters.bundle import Bundle
    from kdp_edge.run import Run


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def export(
        target: Annotated[
            str,
            typer.Option(help="jetson, sbc, tflm or firmware.", autocompletion=complete.targets),
        ],
        run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
        out: Annotated[
            Path | None, typer.Option(help="Folder for the bundle; default: RUN/bundles/TARGET.")
        ] = None,
        sign: Annotated[
            Path | None, typer.Option(help="Private key that signs the bundle's list of files.")
        ] = None,
        prefix: Annotated[
            str | None,
            typer.Option(help="Targets firmware, tflm: what all generated C names begin with; default: kdp."),
        ] = None,
        package: Annotated[
            list[str] | None,
            typer.Option(
                help="Target firmware: also as a package for zephyr, arduino, esp-idf, platformio or "
                "cmsis-pack; may be given more than once."
            ),
        ] = None,
        as_json: bool = JSON_OPTION,
    ) -> None:
        """Write the bundle of a run for one target and verify it against the integer reference.

        Example: `kdp-edge export --target jetson`
        """
        from kdp_edge.base.folders import check_writable
        from kdp_edge.cli.common import choose_run, integer_planner
        from kdp_edge.exporters import targets
        from kdp_edge.exporters.bundle import BUNDLE
        from kdp_edge.exporters.c_model import PREFIX
        from kdp_edge.exporters.firmware import Form
        from kdp_edge.exporters.signing import load_private

        if out is not None:
            check_writable(out, BUNDLE)
        targets.target_module(target)  # a wrong name should not cost a quantization first
        key = load_private(sign) if sign is not None else None
        form = None
        if prefix is not None or package:
            form = Form(PREFIX if prefix is None else prefix, tuple(dict.fromkeys(package or ())))
        targets.check_form(target, form)
        chosen = choose_run(run, quiet=as_json)
        integer_planner(chosen)
        bundle = targets.export(chosen, target, out, key, form)
        if as_json:
            print_json(_result(bundle, chosen))
        else:
            _print(bundle)


def _result(bundle: Bundle, run: Run) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "run": str(run.path),
        "bundle": str(bundle.path),
        "target": bundle.target,
        "model_sha256": manifest["model_sha256"],
        "files": manifest["files"],
        "details": manifest["details"],
        "verification": manifest["verification"],
        "passed": True,
    }


def _by_top_folder(bundle: Bundle) -> dict[str, list[int]]:
    """File sizes by file name, those in a folder together under `<folder>/`."""
    rows: dict[str, list[int]] = {}
    for name in sorted(bundle.hashes):
        top, slash, _ = name.partition("/")
        rows.setdefault(top + slash, []).append((bundle.path / name).stat().st_size)
    return rows


def _print(bundle: Bundle) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    files = Table(title=f"{bundle.manifest['task']} for {bundle.target}", title_justify="left")
    files.add_column("file")
    files.add_column("bytes", justify="right")
    for name, sizes in _by_top_folder(bundle).items():
        label = name if not name.endswith("/") else f"{name} ({len(sizes)} files)"
        files.add_row(label, f"{sum(sizes):,}")
    checks = Table(title="Compared with the integer reference", title_justify="left")
    for column in ("check", "limit", "found", "over"):
        checks.add_column(column, justify="left" if column == "check" else "right")
    for check in bundle.manifest["verification"]:
        checks.add_row(check["name"], f"{check['limit']:g}", f"{check['value']:g}", f"{check['count']:,}")
    console.print(files)
    console.print(checks)
    console.print(f"Verified bundle: {bundle.path}", soft_wrap=True, markup=False, highlight=False)
