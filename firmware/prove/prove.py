# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Prove the firmware's core with Frama-C: no run-time error and no broken assertion, whatever comes.

Eva runs each program of this folder (any bytes, any model of a shape, any flash, any clock); WP proves with
Z3 the assertions that Eva cannot follow. Any alarm, any unproven goal, and any function of the core that
nothing reached fails. `make prove`, with a few more shapes `make prove ALL=--all`; Frama-C, Why3 and Z3 are
Debian packages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORE, NN = HERE.parent / "core", HERE.parent / "nn"
COMMON = ("-machdep", "gcc_x86_64", "-kernel-warn-key", "annot-error=abort")

WP = {"kdp_frame.c": "encode,close_block,kdp_frame_encode,kdp_put_u16,kdp_put_u32"}
NOT_REACHED = {"kdp_word"}  # the M4 kernel's
NOT_ANALYSED = {"kdp_main.c"}  # initialises and polls for ever, as device.c and link.c do

Shape = dict[str, int]


def shape(*sizes: int) -> Shape:
    """obs, act, horizon, k, latent, critic steps | width, inner, blocks of the generator | of the critic."""
    names = "OBS ACT HORIZON K LATENT CRITIC_STEPS WIDTH INNER BLOCKS CRITIC_WIDTH CRITIC_INNER CRITIC_BLOCKS"
    return dict(zip(names.split(), sizes, strict=True))


SMALL = shape(3, 2, 4, 3, 3, 2, 16, 16, 1, 8, 8, 0)
SHAPES = {
    "small": SMALL,
    "least": shape(1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0),
    "odd": shape(5, 3, 3, 5, 17, 2, 7, 9, 2, 5, 3, 1),
    "tiles": shape(4, 4, 2, 6, 4, 1, 8, 12, 1, 4, 4, 1),
    "groups": shape(2, 1, 2, 8, 1, 2, 3, 2, 1, 2, 1, 0),
}
LARGE = shape(250, 8, 3, 4, 9, 3, 1, 1, 0, 1, 1, 0)  # the largest observation


@dataclass(frozen=True)
class Analysis:
    """One program for Eva; a function that two of the sources define is the first one's."""

    name: str
    sources: tuple[str, ...]
    options: tuple[str, ...]
    defines: Shape
    canary: bool = False  # must give an alarm
    through: str = ""  # a function that it must reach, or it shows nothing


def core(*names: str) -> tuple[str, ...]:
    return tuple(str(CORE / f"kdp_{name}.c") for name in names)


def ours(*names: str) -> tuple[str, ...]:
    return tuple(str(HERE / name) for name in names)


KERNELS = tuple(str(NN / f"kdp_{name}.c") for name in ("nn", "tiles", "actor"))
SERVER = core(
    *("server", "engine", "failsafe", "frame", "push", "selftest", "slots", "blob", "planner", "latents"),
    *("sha256", "trust", "policy"),
)
SPLIT_DEVICE = (
    "kdp_failsafe_step:0,kdp_failsafe_tick:0,make_plan:0,kdp_slot_newest:255,"
    "kdp_blob_parse:0,try_spare:0,kdp_engine_use:0,kdp_policy_step:0,kdp_policy_place:0"
)
SPLIT_POLICY = (
    "kdp_failsafe_step:0,kdp_failsafe_tick:0,make_plan:0,kdp_policy_step:0,"
    "kdp_policy_place:0,kdp_policy_init:-13"
)
PLANNER = ("-eva-slevel", "40", "-eva-auto-loop-unroll", "70")
DEVICE = (
    *("-eva-slevel-function", "serve:0,ask_anything:0,ask:0,push_data:0"),
    *("-eva-split-return-function", SPLIT_DEVICE),
)
POLICY = ("-eva-slevel-function", "serve:0,call_anything:0", "-eva-split-return-function", SPLIT_POLICY)
BLOB = (
    *("-eva-slevel", "10", "-eva-auto-loop-unroll", "16"),
    *("-eva-slevel-function", "take_floats:0,kdp_crc32:0,take_layer:0,take_shared:0,take_add:0"),
)
ACTOR = ("-eva-slevel", "100", "-eva-auto-loop-unroll", "16")
LINK = (
    *("-eva-slevel", "4", "-eva-use-spec", "kdp_frame_encode"),
    *("-eva-split-return-function", "kdp_receiver_push:0:-48,finish:0:-48"),
)
HEADER = (
    *("-eva-slevel", "200", "-eva-auto-loop-unroll", "16"),
    *("-eva-split-return-function", "dimensions_fit:0,read_shape:0"),
)


def planner(name: str, defines: Shape, *stubs: str, canary: bool = False) -> Analysis:
    sources = (*ours("planner.c", "any_model.c", *stubs), *core("planner", "frame", "latents"), *KERNELS)
    return Analysis(f"planner {name}", sources, PLANNER, defines, canary)


def blob(name: str, defines: Shape) -> Analysis:
    sources = (*ours("blob.c"), *core("blob", "frame", "planner", "sha256"), *KERNELS)
    return Analysis(f"blob {name}", sources, BLOB, defines)


def device(name: str, defines: Shape, *stubs: str) -> Analysis:
    stubs = ("any_model.c", "any_port.c", "any_plan.c", "any_arena.c", *stubs)
    sources = (*ours("device.c", *stubs), *SERVER, *KERNELS)
    rounds = defines["ACT"] + 20  # of the loops over an action, each with its own state
    options = (*DEVICE, "-eva-slevel", str(2 * rounds), "-eva-auto-loop-unroll", str(rounds))
    return Analysis(f"device {name}", sources, options, defines, through="kdp_failsafe_step")


def policy(name: str, defines: Shape) -> Analysis:
    stubs = ("any_model.c", "any_port.c", "any_plan.c", "any_arena.c")
    names = ("policy", "failsafe", "selftest", "planner", "frame", "latents")
    rounds = defines["ACT"] + 20
    options = (*POLICY, "-eva-slevel", str(2 * rounds), "-eva-auto-loop-unroll", str(rounds))
    sources = (*ours("policy.c", *stubs), *core(*names), *KERNELS)
    return Analysis(f"policy {name}", sources, options, defines, through="kdp_failsafe_step")


ANALYSES = (  # the longest first
    device("with slots", {**SMALL, "SLOT_BYTES": 4096}, "any_flash.c", "any_blob.c"),
    device("small, plans made ahead", {**SMALL, "AHEAD": 1}),
    device("least, requests that end where their memory does", {**SHAPES["least"], "EXACT": 17}),
    *(planner(name, defines, "any_arena.c") for name, defines in SHAPES.items()),
    planner("with the arena itself", SHAPES["least"]),
    *(policy(f"least, ahead {ahead}", {**SHAPES["least"], "AHEAD": ahead}) for ahead in (0, 1)),
    *(blob(name, SHAPES[name]) for name in ("small", "least")),
    Analysis("blob header", (*ours("blob_header.c"), *core("planner")), HEADER, {}),
    Analysis("widest layer", ours("widest.c"), ("-eva-slevel", "2100"), {}),
    Analysis("float32", (*ours("float.c"), *core("float")), (), {"KDP_SOFT_FLOAT": 1}),
    Analysis("actor", (*ours("actor.c"), *KERNELS), ACTOR, {}),
    Analysis("link", (*ours("link.c", "any_port.c"), *core("frame", "server", "policy")), LINK, {}),
    planner("with arrays that are one too short", {**SHAPES["least"], "ONE_SHORT": 1}, canary=True),
)
MORE = (device("large", LARGE), device("odd", SHAPES["odd"]), blob("odd", SHAPES["odd"]))  # with --all


@dataclass(frozen=True)
class Outcome:
    """What Frama-C said: alarms, reached and all statements of each function."""

    alarms: list[str]
    statements: dict[str, tuple[int, int]]
    defined: set[str]
    failure: str = ""


def frama_c(*arguments: str, defines: Shape) -> str:
    """Its output; Frama-C ends with 0 whatever it found, so a failure is a line of its own behind it."""
    flags = ["-DKDP_KERNEL=1", "-DKDP_UNSIGNED=1", *(f"-D{key}={value}" for key, value in defines.items())]
    cpp = " ".join([*flags, *(f"-I{folder}" for folder in (CORE, NN, HERE))])
    command = ["frama-c", *COMMON, f"-cpp-extra-args={cpp}", *arguments]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"\nexit {done.returncode}\n")


def read(output: str) -> Outcome:
    """The alarms and the coverage in Frama-C's output."""
    flat = re.sub(r"Warning:\s*\n\s+", "Warning: ", output)
    alarms = [line for line in flat.splitlines() if line.startswith("[eva:alarm]")]
    found = re.findall(r"^\s+(\w+): (\d+) stmts out of (\d+)", output, re.MULTILINE)
    # a number behind the name: the same header's function in another file
    statements = {re.sub(r"_\d+$", "", name): (int(reached), int(all_)) for name, reached, all_ in found}
    listed = re.search(r"Defined functions \(\d+\)\s+=+\n(.*?)\n\s*\n", output, re.DOTALL)
    defined = {re.sub(r"_\d+$", "", name) for name in re.findall(r"(\w+) \(", listed[1] if listed else "")}
    ended = "[metrics] Statements analyzed by Eva" in output and "\nexit " not in output
    return Outcome(alarms, statements, defined, "" if ended else output[-2000:])


def analyse(analysis: Analysis) -> tuple[Analysis, Outcome, float]:
    start = time.monotonic()
    options = ("-eva", "-warn-special-float", "none", "-eva-split-return", "auto", "-eva-no-print")
    output = frama_c(
        *analysis.sources,
        *options,
        *analysis.options,
        *("-then", "-metrics", "-metrics-eva-cover"),
        defines=analysis.defines,
    )
    return analysis, read(output), time.monotonic() - start


def prove_goals(source: str) -> tuple[str, str, float]:
    """Run WP on the functions of one file; what is wrong, or nothing."""
    start = time.monotonic()
    options = ("-wp", "-wp-rte", "-wp-prover", "z3", "-wp-timeout", "60", "-wp-par", "1")
    output = frama_c(str(CORE / source), *options, "-wp-fct", WP[source], defines={})
    goals = re.search(r"Proved goals:\s+(\d+) / (\d+)", output)
    wrong = "" if goals and goals[1] == goals[2] and int(goals[2]) > 0 else output[-3000:]
    return f"WP {source}" + (f", {goals[2]} goals" if goals else ""), wrong, time.monotonic() - start


def unreached(outcomes: list[Outcome]) -> list[str]:
    """Functions that neither Eva reached in any program nor WP proves."""
    proven = {name for names in WP.values() for name in names.split(",")}
    reached = {name for outcome in outcomes for name, (some, _) in outcome.statements.items() if some > 0}
    defined = {name for outcome in outcomes for name in outcome.defined}
    return sorted(defined - reached - proven - NOT_REACHED)


def not_analysed() -> list[str]:
    """Files of the core that no program includes."""
    analysed = {Path(source).name for analysis in ANALYSES for source in analysis.sources}
    return sorted({path.name for path in CORE.glob("*.c")} - analysed - NOT_ANALYSED)


def main() -> int:
    failed = False
    chosen = (*MORE, *ANALYSES) if "--all" in sys.argv[1:] else ANALYSES
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WHY3CONFIG"] = f"{folder}/why3.conf"
        subprocess.run(["why3", "config", "detect"], capture_output=True, check=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            goals = [pool.submit(prove_goals, source) for source in WP]
            outcomes = []
            for analysis, outcome, seconds in pool.map(analyse, chosen):
                empty = analysis.through and not outcome.statements.get(analysis.through, (0, 0))[0]
                wrong = outcome.failure or empty or (bool(outcome.alarms) != analysis.canary)
                said = f"{len(outcome.alarms)} alarms" + (
                    ", as it must" if analysis.canary and not wrong else ""
                )
                print(f"{'FAILED ' if wrong else ''}{analysis.name}: {said}, {seconds:.0f} s", flush=True)
                if wrong:
                    print(
                        "\n".join(outcome.alarms) or outcome.failure or f"{analysis.through} is not reached"
                    )
                failed |= bool(wrong)
                if not analysis.canary:
                    outcomes.append(outcome)
            for name, wrong_goals, seconds in (goal.result() for goal in goals):
                print(f"{'FAILED ' if wrong_goals else ''}{name}, {seconds:.0f} s\n{wrong_goals}".rstrip())
                failed |= bool(wrong_goals)
    missing = unreached(outcomes) + not_analysed()
    print(f"neither reached nor proven: {', '.join(missing) or 'nothing'}")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
