# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Every field of every reply against the twin's prediction, and which byte of a plan differs."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np

from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import LinkLost
from kdp_edge.hil.scenario import Mismatch, Recording
from kdp_edge.quantization.plan import IntegerPlanner, PlanSpec
from kdp_edge.wire.numbers import Refusal
from kdp_edge.wire.protocol import Refused, StateReply, StepReply
from kdp_edge.wire.twin import Reply, Twin

MAX_BYTES = 20  # differing plan bytes recorded for one mismatch
KEPT = 10  # mismatches recorded with expected and got
EXAMINED = 3  # mismatches for which the device is asked for every candidate


def check_action(spec: PlanSpec, action: np.ndarray) -> None:
    """Raise `LinkLost` for an action float32 [act_dim] outside the limits, whatever CRC it came with."""
    low, high = spec.float32("act_low"), spec.float32("act_high")
    right = (action >= low) & (action <= high)
    if right.all():
        return
    if not np.isfinite(action).all():
        raise LinkLost(f"the device sent an action that is not a number ({action}); not applied")
    i = int(np.flatnonzero(~right)[0])
    raise LinkLost(
        f"the device sent {spec.act_names[i]} = {action[i]:g}, outside {low[i]:g} to {high[i]:g}; not applied"
    )


class ReplyCheck:
    """Counts replies and mismatches of one device into `recording`."""

    def __init__(self, link: Link, planner: IntegerPlanner, recording: Recording) -> None:
        self._link, self._planner, self._recording = link, planner, recording
        self._episode, self._step, self._plan_index = 0, 0, 0
        self._planned_of: np.ndarray | None = None

    def place(self, episode: int, step: int, plan_index: int, planned_of: np.ndarray | None = None) -> None:
        """Where the next reply belongs; `planned_of`: what the plan that begins in it was made of."""
        self._episode, self._step, self._plan_index = episode, step, plan_index
        self._planned_of = planned_of

    def state(self, request: str, twin: Twin, got: StateReply) -> None:
        """What RESET or ARM answered: state and pace, and no steps of the device's own in lockstep."""
        different = state_differences(request, twin, got)
        if different:
            self._record(different, None)

    def reply(
        self, expected: Reply | Refusal, got: StepReply | Refused, observation: np.ndarray | None
    ) -> bool:
        """Whether a reply to STEP or TICK is the predicted one; if not, find out what differs."""
        self._recording.replies += 1
        different = differences(expected, got)
        if not different:
            return True
        examine = self._recording.mismatched < EXAMINED and not isinstance(got, Refused)
        found: list[dict[str, Any]] = []
        note = ""
        if examine and self._planned_of is not None:
            place = (self._episode, self._plan_index, self._planned_of)
            found, note = differing_bytes(self._link, self._planner, *place)
        self._record(different, observation, found, note)
        return False

    def _record(
        self,
        different: dict[str, dict[str, Any]],
        observation: np.ndarray | None,
        plan_bytes: list[dict[str, Any]] | None = None,
        note: str = "",
    ) -> None:
        self._recording.mismatched += 1
        if self._recording.mismatched > KEPT:
            return
        seen = None if observation is None else _readable(observation)
        self._recording.mismatches.append(
            Mismatch(self._episode, self._step, different, seen, self._plan_index, plan_bytes or [], note)
        )


def state_differences(request: str, twin: Twin, got: StateReply) -> dict[str, dict[str, Any]]:
    """Fields of an answer to RESET or ARM that are not as the twin stands after the same request."""
    wanted = {"state": int(twin.state), "pace": int(twin.pace), "own": 0}
    different: dict[str, dict[str, Any]] = {
        f"{name} after {request}": {"expected": value, "got": getattr(got, name)}
        for name, value in wanted.items()
        if getattr(got, name) != value
    }
    if twin.previous.tobytes() != got.action.tobytes():
        different[f"action after {request}"] = {
            "expected": _readable(twin.previous),
            "got": _readable(got.action),
        }
    return different


def differences(expected: Reply | Refusal, got: StepReply | Refused) -> dict[str, dict[str, Any]]:
    """Fields of `got` that are not as predicted; actions are compared as bits, `ticks` not at all."""
    if isinstance(expected, Refusal) or isinstance(got, Refused):
        refusal = expected.name if isinstance(expected, Refusal) else "a reply"
        answer = _refusal_name(got.code) if isinstance(got, Refused) else "a reply"
        return {} if refusal == answer else {"refusal": {"expected": refusal, "got": answer}}
    result: dict[str, dict[str, Any]] = {}
    if _predicted(expected) != _predicted(got):
        for name, wanted, found in zip(_PREDICTED, _predicted(expected), _predicted(got), strict=True):
            if wanted != found:
                result[name] = {"expected": int(wanted), "got": int(found)}
    if got.own:
        result["own"] = {"expected": 0, "got": got.own}  # in lockstep silence means nothing
    if expected.action.astype("<f4").tobytes() != got.action.astype("<f4").tobytes():
        result["action"] = {"expected": _readable(expected.action), "got": _readable(got.action)}
    return result


_PREDICTED = ("step", "state", "flags", "candidate", "age", "digest")
_predicted = attrgetter(*_PREDICTED)


def _refusal_name(code: int) -> str:
    return Refusal(code).name if code in set(Refusal) else f"code {code}"


def _readable(values: np.ndarray) -> list[Any]:
    return [float(v) if np.isfinite(v) else str(v) for v in values]


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
