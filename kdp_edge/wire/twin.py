# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The twin: the host's prediction of each reply of a device, plan and fail-safe included.

`Twin` is the executable specification of firmware/core: `kdp_failsafe.c` holds the same states, the
same order of checks and the same float32 arithmetic. The one thing the twin cannot know is the
device's own clock, so two numbers are told to it: by how many periods a plan was late (`late`, from the
reply's ticks) and how many steps the device played by its own clock (`alone`, from the reply). What must
follow from them is predicted like everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kdp_edge.quantization.plan import IntegerPlanner, Plan, PlanSpec
from kdp_edge.wire.numbers import Flag, Pace, Refusal, State
from kdp_edge.wire.protocol import FailSafeCounters, StepReply


@dataclass(frozen=True)
class Reply:
    """The predicted part of a reply to STEP or TICK (protocol.md: everything but the times)."""

    step: int
    state: State
    flags: Flag
    candidate: int  # chosen candidate of the plan in use
    age: int  # index into the plan of the action played; 255 when none is
    digest: int  # of the last plan made, 0 before the first
    action: np.ndarray  # float32 [act_dim]

    def timed(self, ticks: int, own: int = 0) -> StepReply:
        """As a device sends it, with the time of its plan and the steps of its own."""
        numbers = (self.step, int(self.state), int(self.flags), self.candidate, self.age, self.digest)
        return StepReply(*numbers, self.action, ticks, own)


NO_PLAN = 255
Late = int | Callable[[bool], int]  # asked for when the plan is there; of one made ahead?
PlanBy = Callable[[np.ndarray, int, int], Plan]  # as `IntegerPlanner.plan`
_MOST = 2**32 - 1


@dataclass
class NextPlan:
    """A plan made ahead: a function of these, whenever somebody asks for it."""

    observation: np.ndarray  # float32 [obs_dim], of the step that it was made in
    index: int
    made: Plan | None = None


@dataclass
class Twin:
    """State of one device as the host predicts it; float32 throughout."""

    planner: IntegerPlanner
    state: State = State.IDLE
    pace: Pace = Pace.LOCKSTEP
    counters: FailSafeCounters = field(default_factory=FailSafeCounters)
    episode: int = 0
    plan_count: int = 0
    last_step: int = -1
    plan: Plan | None = None
    late: bool = False  # the plan in use was late: to be replayed from, nothing else
    lateness: int = 0  # periods that it took, until a step has passed them
    age: int = NO_PLAN
    uncovered: int = 0  # steps since a plan made in time reached the step at hand
    beyond: int = 0  # control steps by which the device's own went beyond the host's last
    next: NextPlan | None = None  # made ahead for the next step
    origin: tuple[np.ndarray, int] | None = None  # observation and number of the plan in use
    plan_by: PlanBy | None = None  # who makes the plans; None: the planner, when they are asked for
    previous: np.ndarray = field(init=False)  # the action played last

    def __post_init__(self) -> None:
        self.previous = self.planner.spec.float32("safe_action")
        self.plan_by = self.plan_by or self.planner.plan

    def reset(self, episode: int, pace: Pace = Pace.LOCKSTEP) -> State:
        """RESET: a new episode; forgets the plan, keeps a latch and the action played last."""
        self.episode, self.pace, self.plan_count, self.last_step = episode, pace, 0, -1
        self.plan, self.late, self.lateness, self.age = None, False, 0, NO_PLAN
        self.uncovered = self.beyond = 0
        self.next = self.origin = None
        if self.state != State.LATCHED:
            self.state = State.RUNNING
        return self.state

    def arm(self) -> State:
        """ARM: leave the latch; the next RESET starts over."""
        if self.state == State.LATCHED:
            self.state = State.IDLE
        return self.state

    def reboot(self) -> None:
        """A restart: everything is as after power-on, but a latch is kept."""
        latched = self.state == State.LATCHED
        fresh = Twin(self.planner, State.LATCHED if latched else State.IDLE, plan_by=self.plan_by)
        self.__dict__.update(fresh.__dict__)

    def step(self, step: int, observation: np.ndarray, late: Late = 0) -> Reply | Refusal:
        """STEP: an observation float32 [obs_dim] for control step `step`.

        Args:
            late: whole periods that the plan which begins in this step took (`PlanSpec.periods`) if it missed
                its deadline, 0 in time; or what says so after planning.
        """
        gap = self._admit(step)
        if isinstance(gap, Refusal):
            return gap
        if self.state == State.LATCHED:
            return self._stay_latched()
        observation = np.asarray(observation, np.float32)
        if not self.accepts(observation):
            self.counters.bad_observations += 1
            return self._fall_back(Flag.BAD_OBSERVATION, gap)
        flags = Flag(0)
        if self.planner.saturates(observation):
            self.counters.saturated += 1
            flags = Flag.SATURATED
        reply = self._in_order(observation, flags, late, gap)
        self._prepare(observation)
        return reply

    def make_next(self) -> None:
        """If a plan is to be made ahead, make it now: else it is made when it is asked for."""
        if self.next is not None:
            self.next.made = self._made(self.next)

    def tick(self, step: int) -> Reply | Refusal:
        """TICK: control step `step` passed without an observation."""
        gap = self._admit(step)
        if isinstance(gap, Refusal):
            return gap
        if self.state == State.LATCHED:
            return self._stay_latched()
        self.counters.missed += 1
        return self._fall_back(Flag.MISSED, gap)

    def alone(self, steps: int) -> None:
        """`steps` control steps by the device's own clock, since the host was silent (`Pace.REAL`)."""
        for _ in range(steps):
            gap = 1 if self.beyond else self.planner.spec.silent_steps
            self.beyond = min(self.beyond + gap, _MOST)
            self.counters.own += 1
            if self.state == State.LATCHED:
                self._stay_latched()
            else:
                self._fall_back(Flag.MISSED, gap)

    def _admit(self, step: int) -> int | Refusal:
        """Control steps since the last one, or why there is none now."""
        if self.state == State.IDLE:
            return Refusal.NOT_READY
        if step <= self.last_step:
            self.counters.stale += 1
            return Refusal.STALE
        gap = min(max(step - self.last_step - self.beyond, 1), _MOST)
        self.last_step, self.beyond = step, 0
        return gap

    def accepts(self, observation: np.ndarray) -> bool:
        """Whether float32 [obs_dim] lies in the range of the policy."""
        spec = self.planner.spec
        low, high = spec.float32("obs_low"), spec.float32("obs_high")
        # comparisons with NaN are false, so this rejects it as well
        return bool(((observation >= low) & (observation <= high)).all())

    def _reaches(self, gap: int, end: int) -> bool:
        """Whether the plan in use still has a step `gap` control steps on, below `end`."""
        return self.plan is not None and self.age != NO_PLAN and self.age + gap < end

    def _in_order(self, observation: np.ndarray, flags: Flag, late: Late, gap: int) -> Reply:
        """The step of an observation that was accepted."""
        chunk = self.planner.spec.chunk
        if not self.late and self._reaches(gap, chunk):
            return self._play(flags, gap)
        if self.next is not None and gap <= chunk:
            return self._adopt_next(self.next, flags | Flag.PLANNED | Flag.AHEAD, late, gap)
        return self._plan(observation, flags | Flag.PLANNED, late, gap)

    def _plan(self, observation: np.ndarray, flags: Flag, late: Late, gap: int) -> Reply:
        made_of = NextPlan(observation, self._number())
        fresh, self.next = self._made(made_of), None
        periods = late(False) if callable(late) else late
        if not periods:
            self._adopt(made_of, fresh)
            self.uncovered = 0
            return self._play(flags, 0)
        self.counters.overruns += 1
        reply = self._fall_back(flags | Flag.OVERRUN, gap, fresh.digest)
        # late for this step, but something to replay from
        self._adopt(made_of, fresh)
        self._be_late(periods)
        return reply

    def _adopt_next(self, made_of: NextPlan, flags: Flag, late: Late, gap: int) -> Reply:
        """The plan made ahead is in use from now on; its first action is due a step after its observation."""
        self._adopt(made_of, self._made(made_of))
        self.next = None
        periods = late(True) if callable(late) else late
        if not periods:
            self.uncovered = 0
            return self._play(flags, gap - 1)
        self.counters.overruns += 1
        self._be_late(periods)
        self.lateness -= 1
        return self._fall_back(flags | Flag.OVERRUN, gap - 1)

    def _prepare(self, observation: np.ndarray) -> None:
        """After a step: where its chunk ends and the policy plans ahead, the next plan is made of it."""
        spec = self.planner.spec
        if spec.ahead and self.state == State.RUNNING and not self._reaches(1, spec.chunk):
            self.next = NextPlan(observation.copy(), self._number())

    def _number(self) -> int:
        """Of a plan that is made now."""
        number, self.plan_count = self.plan_count, (self.plan_count + 1) & _MOST
        self.counters.plans += 1
        return number

    def _made(self, of: NextPlan) -> Plan:
        assert self.plan_by is not None
        return of.made or self.plan_by(of.observation, self.episode, of.index)

    def _adopt(self, made_of: NextPlan, fresh: Plan) -> None:
        self.plan, self.origin = fresh, (made_of.observation, made_of.index)
        self.late, self.lateness, self.age = False, 0, 0

    def _be_late(self, periods: int) -> None:
        """The plan in use took too long: it is as old as it took, and to be replayed from, nothing else."""
        self.late, self.lateness = True, periods
        self.uncovered = min(self.uncovered + periods - 1, _MOST)

    def _play(self, flags: Flag, gap: int) -> Reply:
        assert self.plan is not None
        self.state = State.RUNNING
        self.age += gap
        return self._reply(flags, self.plan.actions[self.age])

    def _fall_back(self, flags: Flag, gap: int, digest: int | None = None) -> Reply:
        spec = self.planner.spec
        self.next = None
        gap, self.lateness = max(gap, self.lateness), 0
        replay = self._reaches(gap, spec.horizon)
        if self.late or not replay:  # no plan made in time covers this step
            self.uncovered = min(self.uncovered + 1, _MOST)
            if self.uncovered > spec.safe_steps:
                self.state, replay = State.LATCHED, False
                self.counters.latches += 1
        if self.state != State.LATCHED:
            self.state = State.REPLAYING if replay else State.SAFE
        if replay and self.plan is not None:
            self.age += gap
            self.counters.replayed += 1
            return self._reply(flags, self.plan.actions[self.age], digest)
        self.age = NO_PLAN
        self.counters.safe += 1
        return self._reply(flags, self._safe_action(), digest)

    def _stay_latched(self) -> Reply:
        self.age = NO_PLAN
        return self._reply(Flag(0), self._safe_action())

    def _safe_action(self) -> np.ndarray:
        """What a stop plays."""
        spec = self.planner.spec
        return np.where(spec.safe_hold, self.previous, spec.float32("safe_action"))

    def _reply(self, flags: Flag, wanted: np.ndarray, digest: int | None = None) -> Reply:
        action = limit_action(self.planner.spec, wanted, self.previous)
        if (action != wanted).any():
            flags |= Flag.LIMITED
            self.counters.limited += 1
        self.previous = action
        if digest is None:
            digest = self.plan.digest if self.plan is not None else 0
        candidate = self.plan.best if self.plan is not None else 0
        return Reply(self.last_step, self.state, flags, candidate, self.age, digest, action)


def limit_action(spec: PlanSpec, wanted: np.ndarray, previous: np.ndarray) -> np.ndarray:
    """Range, then rate around the previous action, then range again; float32, element by element."""
    low, high, rate = spec.float32("act_low"), spec.float32("act_high"), spec.float32("act_rate")
    action = np.minimum(np.maximum(np.asarray(wanted, np.float32), low), high)
    action = np.minimum(np.maximum(action, previous - rate), previous + rate)
    limited: np.ndarray = np.minimum(np.maximum(action, low), high)
    return limited
