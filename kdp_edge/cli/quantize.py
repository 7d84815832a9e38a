# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge quantize`: a trained run -> its integer planner, checked in the closed loop."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kdp_edge.base.errors import KdpError
from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.quantization.plan import IntegerPlanner
    from kdp_edge.run import Run

CHECK_EPISODES = 10


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def quantize(
        run: Path = typer.Option(None, help="Run folder; default: the newest run."),
        per_tensor: bool = typer.Option(
            False, help="One weight scale per layer, for TFLite-Micro before September 2024."
        ),
        check_episodes: int = typer.Option(
            None,
            min=0,
            help="Play N episodes, float against integers; a loss above 3 points and half their standard "
            "deviation fails. Default: 10 where the robot has a plant that can be played here.",
        ),
        qat: bool = typer.Option(
            None,
            "--qat/--no-qat",
            help="Fine-tune the integers to the trained net's answers (half a minute, needs torch); kept "
            "where that is better. Default: where the check finds that they lose a point of score, or 2 % of "
            "the episodes' standard deviation.",
        ),
        explain: bool = typer.Option(
            False, "--explain", help="Say how far the rounding of each tensor moves an action."
        ),
        max_change: list[str] = typer.Option(
            [],
            metavar="[NAME=]VALUE",
            help="Largest change of an action between two steps, in its unit; repeatable. Default: 1.5 times "
            "what 99.9 % of the data's steps stay below.",
        ),
        safe_action: list[str] = typer.Option(
            [],
            metavar="[NAME=]VALUE",
            help="What a stop plays, in the action's unit, or hold; repeatable. Default: the robot file's.",
        ),
        safe_steps: int = typer.Option(
            None, help="Steps without a plan made in time before the stop is latched. Default: 0.1 s of them."
        ),
        silent_steps: int = typer.Option(
            None, help="Periods of silence before a device plays by its own clock. Default: 2."
        ),
        deadline_ms: float = typer.Option(
            None, help="Deadline of a plan by the device's clock. Default: a control period."
        ),
        k: int = typer.Option(None, min=1, max=64, help="Candidates of a plan. Default: as trained."),
        margin: float = typer.Option(
            None, help="By which another candidate must beat the plan of latent 0. Default: as trained."
        ),
        chunk: int = typer.Option(
            None, min=1, help="Steps of a plan that are played before the next. Default: as trained."
        ),
        ahead: bool = typer.Option(
            False,
            "--ahead",
            help="Make the next plan in a chunk's last step, behind its answer, of that step's observation: "
            "no action waits for its plan. Needs --chunk 2 or more.",
        ),
        as_json: bool = JSON_OPTION,
    ) -> None:
        """Quantize generator and critic of a run to int8; the result is the run's `integer/` folder.

        Example: `kdp-edge quantize --max-change elbow=0.2`
        """
        from kdp_edge.cli.common import choose_run
        from kdp_edge.quantization.limits import Wishes
        from kdp_edge.quantization.policy import coarse_signals, quantize_run
        from kdp_edge.tasks.robot import HOLD

        chosen = choose_run(run, quiet=as_json)
        wishes = Wishes(
            max_change, safe_action, safe_steps, silent_steps, deadline_ms, k, margin, chunk, ahead
        )
        plain = quantize_run(chosen, per_channel=not per_tensor, wishes=wishes)
        planner, checked = _checked(chosen, plain, check_episodes, qat)
        spec = planner.spec
        result = {
            "run": str(chosen.path),
            "model_sha256": planner.model_sha256(),
            "macs_per_plan": planner.macs,
            "k": planner.spec.k,
            "limits": {
                name: {
                    "unit": unit,
                    "low": low,
                    "high": high,
                    "max_change": rate,
                    "safe": HOLD if hold else safe,
                }
                for name, unit, low, high, rate, safe, hold in zip(
                    spec.act_names,
                    spec.act_units,
                    spec.act_low,
                    spec.act_high,
                    spec.act_rate,
                    spec.safe_action,
                    spec.safe_hold,
                    strict=True,
                )
            },
            "change_known": chosen.action_change() is not None or bool(max_change),
            "coarse_signals": coarse_signals(chosen, planner),
        }
        if explain:
            from kdp_edge.quantization.losses import action_losses

            result["losses_percent"] = action_losses(chosen, planner)
        result |= checked
        if as_json:
            print_json(result)
        else:
            _print(result)
        if not result.get("passed", True):
            raise typer.Exit(1)


def _checked(
    run: Run, plain: IntegerPlanner, episodes: int | None, qat: bool | None
) -> tuple[IntegerPlanner, dict[str, Any]]:
    """The integers that are kept, and what was found of them; why, where no check can be had."""
    if episodes == 0 and not qat:
        return plain, {}
    if find_spec("torch") is None:
        if qat or episodes:
            raise KdpError("torch is missing: pip install 'kdp-edge[train]'")
        return plain, {"unchecked": "torch is missing: pip install 'kdp-edge[train]'"}
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.play.best_integers import Best, best_integers

    def best(count: int) -> Best:
        with stage_bars() as show:
            return best_integers(run, plain, count, qat, show)

    unchecked = {}
    try:
        found = best(CHECK_EPISODES if episodes is None else episodes)
    except KdpError as error:
        if episodes is not None:
            raise
        unchecked = {"unchecked": str(error)}
        found = best(0)
    tuning = {} if found.tuning is None else {"qat": found.tuning}
    return found.planner, (found.verdict or {}) | unchecked | tuning


def _print(result: dict[str, Any]) -> None:
    typer.echo(f"Quantized {result['run']}")
    typer.echo(f"  {result['macs_per_plan']:,} multiply-accumulates per plan of {result['k']} candidates")
    typer.echo(f"  model {result['model_sha256'][:16]}")
    for name, of in result["limits"].items():
        typer.echo(
            f"  {name}: {of['low']:g} to {of['high']:g} {of['unit']}, at most {of['max_change']:.3g} a step; "
            f"a stop plays {of['safe']}"
        )
    if not result["change_known"]:
        typer.echo(
            "  note: this run does not say how fast its data's actions change, so no rate is limited: "
            "train again, or give --max-change"
        )
    for name, levels in result["coarse_signals"].items():
        typer.echo(
            f"  note: {name}: 98 % of the data use {levels} of 255 int8 levels, because few rows lie far "
            "outside; if they are glitches, drop them, import and train again"
        )
    for name, loss in result.get("losses_percent", {}).items():
        typer.echo(f"  rounding {name}: {loss:.2f} % of half an action's range (root mean square)")
    if "qat" in result:
        _print_tuning(result["qat"])
    if "unchecked" in result:
        typer.echo(f"  note: not checked in the closed loop: {result['unchecked']}")
    if "float_score" in result:
        verdict = "passed" if result["passed"] else "FAILED"
        typer.echo(
            f"  score float {result['float_score']:.1f}, integers {result['integer_score']:.1f}: "
            f"{result['difference']:+.1f} points, limit {result['limit']:.1f}: {verdict}"
        )


def _print_tuning(tuning: dict[str, Any]) -> None:
    error = tuning["action_error_percent"]
    typer.echo(
        f"  fine-tuned on {tuning['states']:,} states: actions are off by {error['tuned']:.2f} instead of "
        f"{error['plain']:.2f} % of half their range"
    )
    if "episodes" in tuning:
        typer.echo(
            f"  {tuning['episodes']} other episodes return {tuning['tuned_return']:,.1f}, without "
            f"{tuning['plain_return']:,.1f}"
        )
    if not tuning["kept"]:
        typer.echo("  note: fine-tuned integers are no better: the plain ones are kept")
