# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Planner -> kdp_model.h and .c: dimensions, plan spec, golden vectors and hashes as C99 constants.

The nets themselves come from `c_source`. Floats are written as hexadecimal literals, so the
compiler reads back exactly the bits of the spec; the text depends on the planner alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.c_signals import signal_macros, string_literal
from kdp_edge.exporters.c_source import declared
from kdp_edge.exporters.licence import c_head
from kdp_edge.quantization.plan import FLOAT_LISTS, IntegerPlanner, PlanSpec, check
from kdp_edge.wire.frame import MAX_BODY

GOLDEN_VECTORS = 16
PREFIX = "kdp"  # of everything generated, unless another one is asked for
_LINE = 104


def check_deployable(planner: IntegerPlanner) -> None:
    """Raise `KdpError` unless the firmware can serve `planner`: sizes of frames and exact limits."""
    spec = planner.spec
    where = f"plan spec of task {spec.task}"
    ranges = {
        "obs_dim": (spec.obs_dim, 1, 250),
        "act_dim": (spec.act_dim, 1, 64),
        "horizon": (spec.horizon, 1, 254),
        "latent_dim": (spec.latent_dim, 0, 255),
        "PLAN reply (3 + 5 + k + window bytes)": (8 + spec.k + spec.window_size, 0, MAX_BODY),
        "margin": (spec.margin, -(2**30), 2**30),
        "seed": (spec.seed, 0, 2**32 - 1),
        "safe_steps": (spec.safe_steps, 0, 2**32 - 1),
        "deadline_us": (spec.deadline_us, 1, 2**32 - 1),
    }
    for name, (found, low, high) in ranges.items():
        if not low <= found <= high:
            raise KdpError(f"{where}: {name} is {found}, the firmware takes {low}..{high}")
    check(planner, where)


def header(planner: IntegerPlanner, prefix: str = PREFIX) -> str:
    """Text of <prefix>_model.h."""
    macro = f"{prefix.upper()}_MODEL"
    spec = planner.spec
    dimensions = {
        "OBS_DIM": spec.obs_dim,
        "ACT_DIM": spec.act_dim,
        "HORIZON": spec.horizon,
        "K": spec.k,
        "LATENT_DIM": spec.latent_dim,
        "CRITIC_STEPS": spec.critic_steps,
        "AHEAD": int(spec.ahead),
    }
    arguments = f"{', '.join(f'{macro}_{name}' for name in dimensions)}, {macro}_SCRATCH"
    times = {
        "CHUNK": spec.chunk,
        "RATE_MILLIHERTZ": spec.rate_mhz,
        "PERIOD_US": round(1e9 / spec.rate_mhz),
        "DEADLINE_US": spec.deadline_us,
    }
    return "\n".join(
        [
            *c_head(_title(planner)),
            f"#ifndef {macro}_H",
            f"#define {macro}_H",
            "",
            *(f'#include "{prefix}_{net.name}.h"' for net in reversed(planner.nets)),
            '#include "kdp_policy.h"',
            "",
            *(f"#define {macro}_{name} {value}u" for name, value in dimensions.items()),
            "",
            "/* Control steps played of a plan; control rate and period; the time one plan may take. */",
            *(f"#define {macro}_{name} {value}u" for name, value in times.items()),
            "",
            "/* observation[...] and action[...]: index, unit */",
            f"#define {macro}_TASK {string_literal(spec.task)}",
            *signal_macros(f"{macro}_OBS", spec.obs_names, spec.obs_units),
            *signal_macros(f"{macro}_ACT", spec.act_names, spec.act_units),
            "",
            f"#define {macro}_SCRATCH \\",
            f"    {_scratch(planner, prefix)}",
            "",
            "/* Bytes of memory that this model needs: for kdp_policy_init, for kdp_server_init. */",
            f"#define {macro}_MEMORY \\",
            *_call("KDP_POLICY_MEMORY", arguments),
            f"#define {macro}_SERVER_MEMORY \\",
            *_call("KDP_SERVER_MEMORY", arguments),
            "",
            *declared(f"extern const kdp_model {prefix}_model_data;"),
            "",
            "#endif",
            "",
        ]
    )


def _scratch(planner: IntegerPlanner, prefix: str) -> str:
    needs = [f"{prefix}_{net.name}_scratch({prefix}_model_k)".upper() for net in planner.nets]
    return needs[0] if planner.critic is None else f"KDP_LARGER({', '.join(needs)})"


def source(planner: IntegerPlanner, prefix: str = PREFIX) -> str:
    """Text of <prefix>_model.c."""
    spec = planner.spec
    parts = [
        *c_head(_title(planner)),
        f'#include "{prefix}_model.h"',
        "",
        *(_array("float", name, map(float_literal, getattr(spec, name))) for name in FLOAT_LISTS),
        _array("int8_t", "latent_table", map(str, spec.latent_table)),
        _array("uint8_t", "safe_hold", (str(int(hold)) for hold in spec.safe_hold)),
        _bytes("sha256", planner.model_sha256()),
        _bytes("schema_sha256", spec.schema_sha256()),
        *_golden(planner),
        _model(spec, prefix),
    ]
    return "\n".join(parts)


def _call(macro: str, arguments: str) -> list[str]:
    lines = wrap(f"{macro}({arguments})", _LINE, initial_indent="    ", subsequent_indent=" " * 8)
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _title(planner: IntegerPlanner) -> str:
    return f"Generated: policy for task {planner.spec.task}, model {planner.model_sha256()[:16]}."


def golden_observations(spec: PlanSpec, count: int = GOLDEN_VECTORS) -> np.ndarray:
    """float32 [count, obs_dim]: over the quantizer's range, some beyond it, none outside the accepted one."""
    rng = np.random.default_rng(0)
    offset, gain, low, high = (
        np.asarray(v, np.float32) for v in (spec.obs_offset, spec.obs_gain, spec.obs_low, spec.obs_high)
    )
    integers = rng.uniform(-160, 160, (count, spec.obs_dim)).astype(np.float32)
    return np.clip(offset + integers / gain, low, high).astype(np.float32)


@dataclass(frozen=True)
class GoldenPlans:
    """What a device plans in its self-test, with the reference's answers.

    rows uint32 [n, 4]: episode, plan index, digest, chosen candidate; observations float32 [n, obs_dim];
    actions float32 [n, act_dim]: of the chosen plan's first step.
    """

    rows: np.ndarray
    observations: np.ndarray
    actions: np.ndarray


def golden_plans(planner: IntegerPlanner) -> GoldenPlans:
    """The golden vectors of the firmware."""
    observations = golden_observations(planner.spec)
    plans = [planner.plan(o, episode=i, index=3 * i) for i, o in enumerate(observations)]
    rows = np.array([[i, 3 * i, plan.digest, plan.best] for i, plan in enumerate(plans)], np.uint32)
    return GoldenPlans(rows, observations, np.stack([plan.actions[0] for plan in plans]))


def float_literal(value: float) -> str:
    """C99 literal of exactly float32(value)."""
    return f"{float(np.float32(value)).hex()}f"


def _golden(planner: IntegerPlanner) -> list[str]:
    vectors = golden_plans(planner)
    rows = [f"{{{e}u, {i}u, 0x{digest:08x}u, {best}u}}" for e, i, digest, best in vectors.rows.tolist()]
    return [
        _array("kdp_golden", "golden", rows),
        _array("float", "golden_observation", map(float_literal, vectors.observations.ravel())),
        _array("float", "golden_action", map(float_literal, vectors.actions.ravel())),
    ]


def _model(spec: PlanSpec, prefix: str) -> str:
    scalars: dict[str, str] = {
        "obs_dim": f"{spec.obs_dim}",
        "act_dim": f"{spec.act_dim}",
        "horizon": f"{spec.horizon}",
        "chunk": f"{spec.chunk}",
        "ahead": f"{int(spec.ahead)}",
        "k": f"{spec.k}",
        "latent_dim": f"{spec.latent_dim}",
        "critic_steps": f"{spec.critic_steps}",
        "margin": f"{spec.margin}",
        "seed": f"{spec.seed}u",
        "safe_steps": f"{spec.safe_steps}u",
        "silent_steps": f"{spec.silent_steps}u",
        "rate_millihertz": f"{spec.rate_mhz}u",
        "deadline_us": f"{spec.deadline_us}u",
    }
    arrays = [*FLOAT_LISTS, "latent_table", "safe_hold", "sha256", "schema_sha256"]
    fields = scalars | {name: name for name in arrays}
    critic = "NULL" if spec.is_actor else f"&{prefix}_critic"
    fields |= {"generator": f"&{prefix}_generator", "critic": critic, "golden_count": f"{GOLDEN_VECTORS}"}
    fields |= {name: name for name in ("golden", "golden_observation", "golden_action")}
    lines = [f"    .{name} = {value}," for name, value in fields.items()]
    return "\n".join([f"const kdp_model {prefix}_model_data = {{", *lines, "};", ""])


def _bytes(name: str, digest: str) -> str:
    return _array("uint8_t", name, [f"0x{byte:02x}" for byte in bytes.fromhex(digest)])


def _array(type_: str, name: str, values: Iterable[str]) -> str:
    items = list(values)
    return "\n".join([f"static const {type_} {name}[{len(items)}] = {{", *wrapped(items), "};", ""])


def wrapped(items: Sequence[str]) -> list[str]:
    """The items of an initialiser as indented lines of bounded length."""
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > _LINE:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return [*lines, line]
