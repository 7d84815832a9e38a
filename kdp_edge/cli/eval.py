# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge eval`: the float planner in the simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    app.command("eval")(evaluate)


def evaluate(
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
    task: Annotated[str | None, typer.Option(help="Newest run of this task.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Number of episodes; their seeds count up.")] = 10,
    seed: Annotated[int | None, typer.Option(help="Seed of the first episode; default 1000.")] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Candidates per plan; 1 plays latent 0.")] = None,
    margin: Annotated[
        float | None, typer.Option(help="Critic units that a candidate must gain over latent 0.")
    ] = None,
    samples: Annotated[bool, typer.Option("--samples", help="Draw candidate 0 too.")] = False,
    perturb: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Play on another plant: noise-1, -5 or -10, bias-5, late-half, late-one, mass+10, mass-10, "
            "friction-20, actuators-10 or all; repeatable, all at once.",
        ),
    ] = None,
    chunk: Annotated[
        int | None, typer.Option(min=1, help="Steps of a plan that are played; default: the run's.")
    ] = None,
    ahead: Annotated[
        bool,
        typer.Option("--ahead", help="Plan in a chunk's last step for the next one, as quantize --ahead."),
    ] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Play episodes in MuJoCo and print return and D4RL-normalised score.

    Noise and bias are in percent of each signal's standard deviation over the data; the rest is in percent of
    the plant's own, and late is in control steps.

    Example: `kdp-edge eval --episodes 20 --perturb noise-5 --perturb mass+10`
    """
    from kdp_edge.run import Run, newest_run

    chosen = Run.load(run) if run else newest_run(task)
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.base.provenance import other_simulator
    from kdp_edge.base.statistics import span, success_text
    from kdp_edge.play.evaluate import FIRST_SEED
    from kdp_edge.play.evaluate import evaluate as play

    first = FIRST_SEED if seed is None else seed
    candidates = chosen.config.k if k is None else k
    with progress_bar("episodes in lockstep", chosen.task().max_episode_steps) as progress:
        played = play(
            chosen, episodes=episodes, seed=first, k=k, margin=margin, sample_all=samples,
            perturb=perturb or (), progress=progress, chunk=chunk, ahead=ahead,
        )  # fmt: skip
    result = played.summary()
    behaviour = chosen.metrics.get("behaviour_score")  # an imported actor was trained elsewhere
    if as_json:
        print_json(
            {"run": str(chosen.path), "task": chosen.config.task, "k": candidates,
             "perturbed": perturb or [], "behaviour_score": behaviour,
             "notes": other_simulator(chosen.simulator), **result}
        )  # fmt: skip
        return
    print(f"run {chosen.path}{'' if run else ' (the newest)'}")
    plant = f", plant with {', '.join(perturb)}" if perturb else ""
    print(f"{chosen.config.task}, K={candidates}, {episodes} episodes from seed {first}{plant}")
    for note in other_simulator(chosen.simulator):
        print(f"note: {note}")
    print(f"return {result['return_mean']:.1f}, mean length {result['length_mean']:.0f}")
    if result["success_rate"] is not None:
        print(f"success {success_text(result)}")
    beside = "" if behaviour is None else f"; behaviour {behaviour}"
    print(f"score {result['score_mean']:.1f} (95 %: {span(result['score_ci95'])}){beside}")
