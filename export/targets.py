# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The targets of `kdp-edge export`: one module each, all with the same two functions.

write(planner, folder) -> details for the manifest, or None
verify(folder, planner) -> the checks made against the integer reference, or None
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from kdp_edge.base.errors import KdpError
from kdp_edge.base.folders import check_writable
from kdp_edge.base.lookup import unknown
from kdp_edge.exporters.bundle import BUNDLE, Bundle, write_bundle
from kdp_edge.exporters.bundle import model_card as card_of
from kdp_edge.exporters.c_model import check_deployable
from kdp_edge.exporters.firmware import Form
from kdp_edge.exporters.signing import SigningKey
from kdp_edge.quantization.float_net import Layers
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import planner_of
from kdp_edge.quantization.trained import trained_layers
from kdp_edge.run import Run
from kdp_edge.tasks import Robot

TARGETS = {
    "jetson": "NVIDIA Jetson: Q/DQ ONNX for TensorRT, engine builder, agent",
    "sbc": "Raspberry Pi class: integer ONNX for ONNX Runtime, agent",
    "tflm": "your own TFLite-Micro firmware: .tflite, C arrays, op list, arena size",
    "firmware": "this project's firmware: generated C99",
}


def target_module(name: str) -> ModuleType:
    """The module of target `name`; an unknown one becomes a `KdpError` that lists all."""
    if name not in TARGETS:
        raise unknown("target", name, TARGETS)
    return import_module(f"kdp_edge.exporters.{name}")


def export(
    source: Run | Path | str,
    target: str,
    out: Path | None = None,
    key: SigningKey | None = None,
    form: Form | None = None,
) -> Bundle:
    """Write the bundle of a run for one target and verify it against the integer reference.

    Args:
        source: the run, or its folder; it is quantized if it is not yet.
        target: jetson, sbc, tflm or firmware.
        out: folder of the bundle; without it RUN/bundles/TARGET.
        key: signs the bundle's list of files.
        form: of the C: prefix of its names, for targets firmware and tflm; packages for other ecosystems,
            for target firmware.

    Raises:
        KdpError: unknown target, a form for another target, bad run, or a check that did not pass (exit
            code 1): nothing is left behind.
    """
    target_module(target)
    check_form(target, form)
    run = source if isinstance(source, Run) else Run.load(Path(source))
    folder = run.path / "bundles" / target if out is None else Path(out)
    check_writable(folder, BUNDLE)  # before a run is quantized for it
    planner = planner_of(run)
    known = provenance(run) | measured(run, planner)
    trained = trained_layers(run, planner) if target == "jetson" else None
    return export_planner(planner, target, folder, known, key, run.task().robot, trained, form)


def check_form(target: str, form: Form | None) -> None:
    """Raise `KdpError` where a form of the C is asked for and the target has none."""
    if form is None or target == "firmware":
        return
    if target != "tflm":
        raise KdpError(f"--prefix and --package are for target firmware; target {target} has no such C")
    if form.packages:
        raise KdpError("--package is for target firmware; a tflm bundle is compiled with your TFLite-Micro")


def model_card(source: Run | Bundle, planner: IntegerPlanner) -> str:
    """The model card of a run or a bundle, Markdown."""
    if isinstance(source, Run):
        return card_of(planner, provenance(source) | measured(source, planner))
    return (source.path / "MODEL_CARD.md").read_text(encoding="utf-8")


def provenance(run: Run) -> dict[str, Any]:
    """Where a bundle's model comes from; no paths and no times, so two exports are the same bytes."""
    data, chosen = run.provenance.get("data", {}), run.metrics.get("recipe", {}).get("choices", [])
    known = {
        "run": run.path.name,
        "seed": run.config.seed,
        "data": data.get("name"),
        "data_sha256": data.get("sha256"),
        "git": run.provenance.get("git"),
        "spread_ratio": run.metrics.get("spread_ratio"),
        "behaviour_score": run.metrics.get("behaviour_score"),
        **({"mujoco": run.simulator} if run.simulator else {}),
        "recipe": "; ".join(choice["why"] for choice in chosen) or None,
    }
    return {key: value for key, value in known.items() if value is not None}


def measured(run: Run, planner: IntegerPlanner) -> dict[str, Any]:
    """How well the run plans, where measured: with `float`, and of this planner `integer` and `qat`."""
    known = run.evaluation()
    for name in ("integer", "qat"):
        if known.get(name, {}).get("model_sha256") != planner.model_sha256():
            known.pop(name, None)
    kept = {name: known[name] for name in ("float", "integer", "qat") if name in known}
    return {"evaluation": kept} if kept else {}


def export_planner(
    planner: IntegerPlanner,
    target: str,
    out: Path,
    provenance: Mapping[str, Any],
    key: SigningKey | None = None,
    robot: Robot | None = None,
    trained: Mapping[str, Layers] | None = None,
    form: Form | None = None,
) -> Bundle:
    """Write the verified bundle of `planner` for `target` at `out`.

    Args:
        trained: the layers before quantization, for the float models of target jetson.
        form: of the C, for targets firmware and tflm.
    """
    module = target_module(target)
    check_form(target, form)
    check_deployable(planner)  # every target serves the same protocol, or what is made of it does
    special = {name: value for name, value in (("trained", trained), ("form", form)) if value}
    write = partial(module.write, **special)
    return write_bundle(planner, target, out, write, module.verify, provenance, key, robot)
