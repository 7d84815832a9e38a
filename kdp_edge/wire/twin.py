"""The twin: the host's prediction of each reply of a device, plan and fail-safe included.

`Twin` is the executable specification of firmware/core: `kdp_failsafe.c` holds the same states, the
same order of checks and the same float32 arithmetic. The one thing the twin cannot know is the
device's own clock, so a plan that overran its deadline is told to it (`overrun=True`, from the
reply's flag); what must follow from an overrun is predicted like everything else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kdp_edge.quantization.plan import IntegerPlanner, Plan, PlanSpec
from kdp_edge.wire.numbers import Flag, Refusal, State
from kdp_edge.wire.protocol import FailSafeCounters, StepReply


@dataclass(frozen=True)
class Reply:
    """The predicted part of a reply to STEP or TICK (protocol.md: everything but the tick count)."""

    step: int
    state: State
    flags: Flag
    candidate: int  # chosen candidate of the plan in use
    age: int  # index into the plan of the action played; 255 when none is
    digest: int  # of the last plan made, 0 before the first
    action: np.ndarray  # float32 [act_dim]

    def timed(self, ticks: int) -> StepReply:
        """As a device sends it, with the time of its plan."""
        numbers = (self.step, int(self.state), int(self.flags), self.candidate, self.age, self.digest)
        return StepReply(*numbers, self.action, ticks)


NO_PLAN = 255


@dataclass
class Twin:
    """State of one device as the host predicts it; float32 throughout."""

    planner: IntegerPlanner
    state: State = State.IDLE
    counters: FailSafeCounters = field(default_factory=FailSafeCounters)
    episode: int = 0
    plan_count: int = 0
    last_step: int = -1
    plan: Plan | None = None
    age: int = NO_PLAN
    safe_count: int = 0
    previous: np.ndarray | None = None

    def reset(self, episode: int) -> State:
        """RESET: a new episode; forgets the plan, keeps a latch."""
        self.episode, self.plan_count, self.last_step = episode, 0, -1
        self.plan, self.age, self.safe_count = None, NO_PLAN, 0
        self.previous = np.asarray(self.planner.spec.safe_action, np.float32)
        if self.state != State.LATCHED:
            self.state = State.RUNNING
        return self.state

    def arm(self) -> State:
        """ARM: leave the latch; the next RESET starts over."""
        if self.state == State.LATCHED:
            self.state = State.IDLE
        return self.state

    def step(self, step: int, observation: np.ndarray, overrun: bool = False) -> Reply | Refusal:
        """STEP: an observation float32 [obs_dim] for control step `step`."""
        refusal = self._admit(step)
        if refusal is not None:
            return refusal
        gap = step - self.last_step
        self.last_step = step
        if self.state == State.LATCHED:
            return self._reply(Flag(0), self._safe_action(), NO_PLAN)
        observation = np.asarray(observation, np.float32)
        if not self._acceptable(observation):
            self.counters.bad_observations += 1
            return self._fall_back(Flag.BAD_OBSERVATION, gap)
        if self.plan is not None and self.age != NO_PLAN and self.age + gap < self.planner.spec.chunk:
            self.age += gap
            return self._play(Flag(0))
        return self._plan(observation, overrun, gap)

    def tick(self, step: int) -> Reply | Refusal:
        """TICK: control step `step` passed without an observation."""
        refusal = self._admit(step)
        if refusal is not None:
            return refusal
        gap = step - self.last_step
        self.last_step = step
        if self.state == State.LATCHED:
            return self._reply(Flag(0), self._safe_action(), NO_PLAN)
        self.counters.missed += 1
        return self._fall_back(Flag.MISSED, gap)

    def _admit(self, step: int) -> Refusal | None:
        if self.state == State.IDLE:
            return Refusal.NOT_READY
        if step <= self.last_step:
            self.counters.stale += 1
            return Refusal.STALE
        return None

    def _acceptable(self, observation: np.ndarray) -> bool:
        spec = self.planner.spec
        low, high = np.asarray(spec.obs_low, np.float32), np.asarray(spec.obs_high, np.float32)
        # comparisons with NaN are false, so this rejects it as well
        return bool(np.all((observation >= low) & (observation <= high)))

    def _plan(self, observation: np.ndarray, overrun: bool, gap: int) -> Reply:
        fresh = self.planner.plan(observation, self.episode, self.plan_count)
        self.plan_count = (self.plan_count + 1) & 0xFFFFFFFF
        self.counters.plans += 1
        if overrun:
            self.counters.overruns += 1
            reply = self._fall_back(Flag.PLANNED | Flag.OVERRUN, gap, fresh.digest)
            # late for this step, but right for the next: it becomes the plan to replay from
            self.plan, self.age = fresh, 0
            return reply
        self.plan, self.age = fresh, 0
        return self._play(Flag.PLANNED)

    def _play(self, flags: Flag) -> Reply:
        assert self.plan is not None
        self.state, self.safe_count = State.RUNNING, 0
        return self._reply(flags, self.plan.actions[self.age], self.age)

    def _fall_back(self, flags: Flag, gap: int, digest: int | None = None) -> Reply:
        spec = self.planner.spec
        if self.plan is not None and self.age != NO_PLAN and self.age + gap < spec.horizon:
            self.age += gap
            self.state = State.REPLAYING
            self.counters.replayed += 1
            return self._reply(flags, self.plan.actions[self.age], self.age, digest)
        self.age = NO_PLAN
        self.safe_count += 1
        self.counters.safe += 1
        if self.safe_count > spec.safe_steps:
            self.state = State.LATCHED
            self.counters.latches += 1
        else:
            self.state = State.SAFE
        return self._reply(flags, self._safe_action(), NO_PLAN, digest)

    def _safe_action(self) -> np.ndarray:
        return np.asarray(self.planner.spec.safe_action, np.float32)

    def _reply(self, flags: Flag, wanted: np.ndarray, age: int, digest: int | None = None) -> Reply:
        assert self.previous is not None
        action = limit_action(self.planner.spec, wanted, self.previous)
        if not np.array_equal(action, wanted):
            flags |= Flag.LIMITED
            self.counters.limited += 1
        self.previous = action
        if digest is None:
            digest = self.plan.digest if self.plan is not None else 0
        candidate = self.plan.best if self.plan is not None else 0
        return Reply(self.last_step, self.state, flags, candidate, age, digest, action)


def limit_action(spec: PlanSpec, wanted: np.ndarray, previous: np.ndarray) -> np.ndarray:
    """Range, then rate around the previous action, then range again; float32, element by element."""
    low, high, rate = (np.asarray(v, np.float32) for v in (spec.act_low, spec.act_high, spec.act_rate))
    action = np.minimum(np.maximum(np.asarray(wanted, np.float32), low), high)
    action = np.minimum(np.maximum(action, previous - rate), previous + rate)
    return np.minimum(np.maximum(action, low), high)
