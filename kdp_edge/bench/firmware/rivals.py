# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Denoising and cloning as integer nets beside a policy's own: what they would cost in deployed form.

Of the policy's shapes and rules, with random weights: for time, which does not depend on weights. Their
scores, trained, are in the suite.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
import torch

from kdp_edge.bench.diffusion import TIME_FEATURES, ddim_steps, time_features
from kdp_edge.exporters.c_layout import kernel_named
from kdp_edge.exporters.c_model import golden_plans
from kdp_edge.exporters.c_source import ArrayTexts, c_arrays
from kdp_edge.exporters.net_layout import lay_out
from kdp_edge.quantization import reference
from kdp_edge.quantization.integer_net import IntegerNet, Linear
from kdp_edge.quantization.latents import latents
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_net

STEPS = (20, 5, 1)  # evaluations of a plan: `bench_schedules` of firmware/bench/bench_rivals.h
ONE = 1 << 15  # of what a step keeps and gains
CASES = ("kdp", *(f"diffusion-{steps}" for steps in STEPS), "clone")


@dataclass(frozen=True)
class Step:
    """One denoising step in integers: noisy <- round((keep * noisy + gain * clean) / ONE).

    bias int32 [width]: of the first layer at this step's noise level.
    """

    bias: np.ndarray
    keep: int
    gain: int


@dataclass(frozen=True)
class Rivals:
    """`denoiser`: [observation | noisy window] -> clean window; `clone`: observation -> window."""

    planner: IntegerPlanner
    denoiser: IntegerNet
    schedules: tuple[tuple[Step, ...], ...]
    clone: IntegerNet

    def macs(self, case: str) -> int:
        """Multiply-accumulates of one plan, all candidates; the critic ranks two or more."""
        k = self.planner.spec.k
        if case == "kdp":
            return self.planner.macs
        if case == "clone":
            return self.clone.macs
        assert self.planner.critic is not None, "an actor has no rivals"
        return k * (STEPS[CASES.index(case) - 1] * self.denoiser.macs + (k > 1) * self.planner.critic.macs)


def rivals_of(planner: IntegerPlanner, width: int, blocks: int, seed: int = 0) -> Rivals:
    """The rivals of a policy, whose nets have `blocks` of `width` neurons as its generator has."""
    spec = planner.spec
    inputs = spec.obs_dim + spec.window_size
    with_level = random_net("denoiser", inputs + TIME_FEATURES, width, blocks, spec.window_size, seed + 2)
    first = with_level.linears[0]
    of_level = first.weight[:, inputs:].astype(np.int64)
    first = replace(first, weight=np.ascontiguousarray(first.weight[:, :inputs]))
    denoiser = _with_first(with_level, first)
    schedules = tuple(_schedule(denoiser, of_level, count) for count in STEPS)
    clone = random_net("clone", spec.obs_dim, width, blocks, spec.window_size, seed + 3)
    return Rivals(planner, denoiser, schedules, clone)


def _schedule(denoiser: IntegerNet, of_level: np.ndarray, count: int) -> tuple[Step, ...]:
    found, bias = [], denoiser.linears[0].bias
    for step in ddim_steps(count):
        level = np.rint(time_features(torch.as_tensor(step.level)).numpy() * 127).astype(np.int64)
        moved = (bias + of_level @ level).astype(np.int32)
        found.append(Step(moved, round(step.keep * ONE), round(step.gain * ONE)))
    return tuple(found)


def _with_first(net: IntegerNet, first: Linear) -> IntegerNet:
    return replace(net, operations=(first, *net.operations[1:]))


def answers(rivals: Rivals) -> np.ndarray:
    """What every rival answers to the golden observations: digest and choice, uint32 [cases - 1, n, 2]."""
    planner, golden = rivals.planner, golden_plans(rivals.planner)
    spec, table = planner.spec, np.asarray(planner.spec.latent_table, np.int8)
    found = []
    for schedule in rivals.schedules:
        rows = []
        for (episode, index, *_), seen in zip(golden.rows.tolist(), golden.observations, strict=True):
            noise = latents(table, spec.seed, episode, index, spec.k, spec.window_size)
            state = np.repeat(planner.quantize_observation(seen)[None], spec.k, 0)
            windows = denoised(rivals.denoiser, schedule, state, noise)
            scores = np.zeros(spec.k, np.int8)
            if spec.k > 1:
                scores = planner.run_critic(np.concatenate([state, planner.judged(windows)], 1))[:, 0]
            rows.append((_digest(windows, scores), int(planner.choose(scores[None])[0])))
        found.append(rows)
    states = planner.quantize_observation(golden.observations)
    windows = reference.run(rivals.clone, states)
    found.append([(_digest(window, np.zeros(1, np.int8)), 0) for window in windows])
    return np.array(found, np.uint32)


def denoised(net: IntegerNet, schedule: tuple[Step, ...], state: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """int8 states [n, obs] and noise [n, window] -> clean windows int8 [n, window]."""
    noisy = noise
    for step in schedule:
        at_level = _with_first(net, replace(net.linears[0], bias=step.bias))
        clean = reference.run(at_level, np.concatenate([state, noisy], 1))
        total = step.keep * noisy.astype(np.int32) + step.gain * clean.astype(np.int32)
        noisy = ((total + ONE // 2) >> 15).clip(-128, 127).astype(np.int8)
    return clean


def _digest(windows: np.ndarray, scores: np.ndarray) -> int:
    return zlib.crc32(scores.tobytes(), zlib.crc32(np.ascontiguousarray(windows).tobytes()))


def sources(rivals: Rivals, kernel: str) -> dict[str, str]:
    """C files by name: the two nets, and bench_rival_data.c; bench_net.h says what scratch they need."""
    shared = rivals.planner.spec.obs_dim
    nets = (
        c_arrays(rivals.denoiser, "bench_denoiser", shared, kernel),
        c_arrays(rivals.clone, "bench_clone", 0, kernel),
    )
    files: dict[str, str] = {}
    for net in nets:
        files |= {f"{net.symbol}.h": net.header, f"{net.symbol}.c": net.source}
    scratch = max(nets[0].scratch_bytes(rivals.planner.spec.k), nets[1].scratch_bytes(1))
    files["bench_net.h"] = f"#define BENCH_SCRATCH KDP_LARGER({scratch}u, KDP_MODEL_SCRATCH)\n"
    files["bench_rival_data.c"] = _data(rivals, kernel)
    return files


def _data(rivals: Rivals, kernel: str) -> str:
    arrays, structs, layout = ArrayTexts("bench"), [], kernel_named(kernel)
    for count, schedule in zip(STEPS, rivals.schedules, strict=True):
        rows = []
        for i, step in enumerate(schedule):
            net = _with_first(rivals.denoiser, replace(rivals.denoiser.linears[0], bias=step.bias))
            laid_out = lay_out(net, rivals.planner.spec.obs_dim, layout).shared.rows
            name = arrays.add(f"bias{count}_{i}", "int32_t", laid_out)
            rows.append(f"    {{{name}, {step.keep}, {step.gain}}},")
        structs += [f"static const bench_step steps{count}[] = {{", *rows, "};"]
    listed = ", ".join(f"{{{count}, steps{count}}}" for count in STEPS)
    given = [
        "    {" + ", ".join(f"{{{digest}u, {best}u}}" for digest, best in case) + "},"
        for case in answers(rivals).tolist()
    ]
    return "\n".join(
        [
            '#include "bench_rivals.h"',
            *arrays.texts,
            *structs,
            f"const bench_schedule bench_schedules[{len(STEPS)}] = {{{listed}}};",
            f"const bench_answer bench_answers[{len(given)}][{len(answers(rivals)[0])}] = {{",
            *given,
            "};",
            "",
        ]
    )
