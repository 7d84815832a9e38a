"""Every field of every reply against the twin's prediction, and which byte of a plan differs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import LinkLost
from kdp_edge.hil.protocol import Refused, StepReply
from kdp_edge.hil.twin import Refusal, Reply
from kdp_edge.quantize.plan import IntegerPlanner

MAX_BYTES = 20  # differing plan bytes recorded for one mismatch


@dataclass(frozen=True)
class Mismatch:
    """A reply that is not the predicted one."""

    episode: int
    step: int
    differences: dict[str, dict[str, Any]]  # field -> {"expected": …, "got": …}
    observation: list[float]
    plan_index: int
    plan_bytes: list[dict[str, Any]] = field(default_factory=list)  # see `differing_bytes`
    note: str = ""


def differences(expected: Reply | Refusal, got: StepReply | Refused) -> dict[str, dict[str, Any]]:
    """Fields of `got` that are not as predicted; actions are compared as bits, `ticks` not at all."""
    if isinstance(expected, Refusal) or isinstance(got, Refused):
        wanted = expected.name if isinstance(expected, Refusal) else "a reply"
        found = _refusal_name(got.code) if isinstance(got, Refused) else "a reply"
        return {} if wanted == found else {"refusal": {"expected": wanted, "got": found}}
    result: dict[str, dict[str, Any]] = {}
    for name in ("step", "state", "flags", "candidate", "age", "digest"):
        pair = {"expected": int(getattr(expected, name)), "got": int(getattr(got, name))}
        if pair["expected"] != pair["got"]:
            result[name] = pair
    if expected.action.astype("<f4").tobytes() != got.action.astype("<f4").tobytes():
        result["action"] = {"expected": _readable(expected.action), "got": _readable(got.action)}
    return result


def _refusal_name(code: int) -> str:
    return Refusal(code).name if code in set(Refusal) else f"code {code}"


def _readable(action: np.ndarray) -> list[Any]:
    return [float(v) if np.isfinite(v) else str(v) for v in action]


def differing_bytes(
    link: Link, planner: IntegerPlanner, episode: int, index: int, observation: np.ndarray
) -> tuple[list[dict[str, Any]], str]:
    """Ask the device for each candidate of a plan (PLAN) and compare it with the twin's.

    Returns:
        ([{"candidate", "byte", "what", "expected", "got"}, …], a note in words).
    """
    expected = planner.plan(observation, episode, index)
    found: list[dict[str, Any]] = []
    try:
        for candidate in range(planner.spec.k):
            reply = link.plan(episode, index, candidate, observation)
            window = expected.windows[candidate]
            for at in np.flatnonzero(reply.window != window):
                found.append(
                    _byte(candidate, int(at), _meaning(planner, int(at)), window[at], reply.window[at])
                )
            score, wanted = reply.scores[candidate], expected.scores[candidate]
            if score != wanted:
                found.append(_byte(candidate, len(window), "score", wanted, score))
    except (LinkLost, Refused) as error:
        return found[:MAX_BYTES], f"PLAN stopped at candidate {candidate}: {error}"
    if not found:
        return [], "PLAN repeats the plan without a difference: the plan is right, the control state is not"
    first = found[0]
    note = (
        f"{len(found)} bytes of the plan differ; the first is {first['what']} of candidate "
        f"{first['candidate']}: expected {first['expected']}, got {first['got']}"
    )
    return found[:MAX_BYTES], note


def _byte(candidate: int, at: int, what: str, expected: np.int8, got: np.int8) -> dict[str, Any]:
    return {"candidate": candidate, "byte": at, "what": what, "expected": int(expected), "got": int(got)}


def _meaning(planner: IntegerPlanner, at: int) -> str:
    spec = planner.spec
    step, signal = divmod(at, spec.obs_dim + spec.act_dim)
    return f"step {step} {[*spec.obs_names, *spec.act_names][signal]}"
