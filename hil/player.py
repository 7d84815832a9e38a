# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Plays the episodes of a scenario on one device, step by step, the twin beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from kdp_edge.base.progress import Progress
from kdp_edge.hil.faulty_pipe import FaultyPipe
from kdp_edge.hil.faulty_signals import Actuator, Sensor
from kdp_edge.hil.float_gap import FloatGaps
from kdp_edge.hil.foresight import Foresight
from kdp_edge.hil.link import Link
from kdp_edge.hil.pace.pacing import Answer, Pacing, Plant, ask
from kdp_edge.hil.replay import gap_to_recorded
from kdp_edge.hil.reply_check import ReplyCheck, check_action
from kdp_edge.hil.scenario import PlayedEpisode, Recording, Scenario, Step
from kdp_edge.quantization.float_planner import FloatPlan, FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner, Plan
from kdp_edge.wire.numbers import Flag, Pace, State
from kdp_edge.wire.protocol import Refused, StateReply, StepReply
from kdp_edge.wire.twin import Reply, Twin

Told = TypeVar("Told", StepReply, StateReply)
# enumerations take their time
_PLANNED, _OVERRUN, _AHEAD = int(Flag.PLANNED), int(Flag.OVERRUN), int(Flag.AHEAD)
AT_ONCE = 32  # replies that are predicted together: one by one, NumPy's calls take ten times as long


@dataclass
class Player:
    """One device's part of a run; fills `recording`.

    `play` raises `LinkLost` or `Refused` when the device does not go on; `where` then says the place.
    """

    link: Link
    scenario: Scenario
    planner: IntegerPlanner
    float_planner: FloatPlanner
    recording: Recording
    progress: Progress
    pacing: Pacing
    pretend: Callable[[int | None], None] | None = None  # see `Device.pretend`
    hang: Callable[[float], None] | None = None  # see `Device.hang`
    seed: int = 0
    step: int = -1
    first: int = 0  # of this episode's rows in `recording.steps`
    unchecked: list[Answer] = field(default_factory=list)
    float_plan: FloatPlan | None = None
    foreseen: Foresight[Plan] = field(init=False)
    float_foreseen: Foresight[FloatPlan] = field(init=False)
    gaps: FloatGaps = field(init=False)
    twin: Twin = field(init=False)
    check: ReplyCheck = field(init=False)
    sensor: Sensor = field(init=False)
    actuator: Actuator = field(init=False)

    def __post_init__(self) -> None:
        self.foreseen, self.float_foreseen = Foresight(self.planner), Foresight(self.float_planner)
        self.gaps = FloatGaps(self.planner.spec)
        self.twin = Twin(self.planner, plan_by=self.foreseen.plan)
        self.check = ReplyCheck(self.link, self.planner, self.recording)
        self.sensor = Sensor(self.scenario.faults_of("sensor"), self.scenario.seeds[0])
        self.actuator = Actuator(self.scenario.faults_of("actuator"), self.planner.spec)

    def where(self) -> str:
        """The place in the scenario, for messages."""
        return "before the first step" if self.step < 0 else f"episode seed {self.seed}, step {self.step}"

    def play(self) -> None:
        """All episodes; a latch that the last one caused is left again."""
        plant = self.scenario.open_plant()
        try:
            for number, seed in enumerate(self.scenario.seeds):
                self._episode(plant, seed, number * self.scenario.max_steps)
                self.progress((number + 1) * self.scenario.max_steps)
            if self.twin.state == State.LATCHED:
                self._arm()
        finally:
            plant.close()
            self.recording.injected.update(self.sensor.injected + self.actuator.injected)

    def _episode(self, plant: Plant, seed: int, done: int) -> None:
        self.seed, self.step = seed, 0
        total, finished, success, terminated = 0.0, False, None, False
        self.first = len(self.recording.steps)
        # sub-steps are tried out before the episode begins
        self.pacing.begin(plant, np.asarray(self.planner.spec.safe_action, np.float32))
        observation, _ = plant.reset(seed=seed)
        self.sensor.start_episode()
        self.actuator.start_episode()
        try:
            self._reset(self.pacing.wire)
            for number in range(self.scenario.max_steps):
                self.step = number
                self._control_step(np.array(observation, np.float32))  # a plant may write into its own
                pose = pose_of(plant)
                observation, reward, terminated, truncated, info = self.pacing.advance(number)
                total += float(reward)
                success = self.scenario.succeeded(info, success)
                row = self.recording.steps[-1]
                action = row.action or _values(self.pacing.acting)
                gap = gap_to_recorded(action, info)
                row.reward, row.action, row.recorded_gap, row.pose = float(reward), action, gap, pose
                if self.pacing.waits and len(self.unchecked) >= AT_ONCE:
                    self._check_rest()
                self.progress(done + number + 1)
                if terminated or truncated:
                    break
            finished = True
            self.unchecked += self.pacing.finish()
            if self.pacing.wire == Pace.REAL:
                self._reset(Pace.LOCKSTEP)  # at once: its dead man would latch while replies are checked
        finally:
            self._check_rest()
            played = len(self.recording.steps) - self.first
            ended = PlayedEpisode(seed, total, played, finished, success, bool(terminated))
            self.recording.episodes.append(ended)

    def _reset(self, pace: Pace) -> None:
        answered = self.link.reset(self.seed, pace)
        self._check_rest()
        got, self.float_plan = self._alone(answered), None
        expected = self.twin.reset(self.seed, pace)
        if not self.recording.steps:
            check_action(self.planner.spec, got.action)
            self.twin.previous = got.action  # what a device played before we came is its own affair
        self.check.state("RESET", self.twin, got)
        if expected == State.LATCHED:
            self._arm()
            self.twin.reset(self.seed, pace)
            self.check.state("RESET", self.twin, self.link.reset(self.seed, pace))

    def _alone(self, got: Told) -> Told:
        """A reply without the steps of the device's own clock that it tells of: the twin plays them."""
        if self.twin.pace != Pace.REAL:
            return got  # in lockstep silence means nothing: such steps are a mismatch
        self.twin.alone(got.own)
        self.recording.own_steps += got.own
        return replace(got, own=0)

    def _arm(self) -> None:
        """Leave the latch that this run caused: none was there before it."""
        self.twin.arm()
        self.check.state("ARM", self.twin, self.link.arm())

    def _do_faults(self, observation: np.ndarray) -> list[str]:
        """Do to device, host and link what the scenario says for this step; names of the device's faults."""
        names = []
        for fault in self.scenario.faults:
            active = fault.active(self.step)
            if fault.name == "overrun" and self.pretend is not None:
                self.pretend(int(fault.value * self.planner.spec.deadline_us * 1000) if active else None)
            if not active:
                continue
            if fault.name == "reboot":
                self._restart(observation)
            elif fault.name == "hang" and self.hang is not None:
                self.hang(fault.value)
            elif fault.name == "stall":
                time.sleep(fault.value)
            elif fault.name == "cut" and isinstance(self.link.pipe, FaultyPipe):
                self.link.pipe.cut(int(fault.value))
            if fault.place == "device":
                names.append(fault.name)
            if fault.place in ("device", "host"):
                self.recording.injected[fault.name] += 1
        return names

    def _restart(self, observation: np.ndarray) -> None:
        """Restart the device; it must refuse to act until it is RESET."""
        self._check_rest()
        self.link.reboot()
        self.link.hello()
        if self.pretend is not None:
            self.pretend(None)  # a restart forgets it
        self.twin.reboot()
        self.check.place(self.seed, self.step, 0)
        expected, answer = self.twin.step(self.step, observation), ask(self.link, self.step, observation)
        self.check.reply(expected, answer.reply, observation)
        self._reset(self.pacing.wire)

    def _control_step(self, truth: np.ndarray) -> None:
        """One control step: what the device is to see, what it answers, and a row for either."""
        names = self._do_faults(truth)
        observation, sensed = self.sensor.sense(self.step, truth)
        silent = any(fault.name == "silence" and fault.active(self.step) for fault in self.scenario.faults)
        answers = [] if silent else self.pacing.exchange(self.step, observation)
        decided: tuple[float, ...] = ()
        for answer in answers:
            self.unchecked.append(answer)
            if isinstance(answer.reply, Refused):
                self._check_rest()
                raise answer.reply
            check_action(self.planner.spec, answer.reply.action)
            self.pacing.act(answer, self.actuator.drive(self.step, answer.reply.action))
            decided = _values(answer.reply.action)
        if not answers:
            self.actuator.drive(self.step, self.pacing.acting)
        row = self._row(self.step)
        row.fault = "+".join(filter(None, (*names, sensed)))
        if self.pacing.waits:
            row.action = decided

    def _row(self, number: int) -> Step:
        """The row of a control step of this episode, a new one when there is none yet."""
        index = self.first + number
        if index == len(self.recording.steps):
            self.recording.steps.append(Step(self.seed, number, 0.0, ()))
        return self.recording.steps[index]

    def _check_rest(self) -> None:
        """Predict every answer that was not checked yet, in the order in which they came."""
        begin = time.thread_time()
        while self.unchecked:
            answers, self.unchecked = self.unchecked[:AT_ONCE], self.unchecked[AT_ONCE:]
            self._foresee(answers)
            try:
                for answer in answers:
                    self._check(answer)
            finally:  # an answer that ends the run
                self.gaps.fill()
        self.recording.check_seconds += time.thread_time() - begin

    def _check(self, answer: Answer) -> None:
        """Predict one answer, and put what is known of it into its row."""
        step = self._checked(answer)
        if step is not None:
            row = self._row(answer.step)
            step.reward, step.fault = row.reward, row.fault
            step.recorded_gap, step.pose = row.recorded_gap, row.pose
            self.recording.steps[self.first + answer.step] = step

    def _foresee(self, answers: list[Answer]) -> None:
        """Make the plans that these replies speak of, all at once."""
        waiting = self.twin.next  # a plan made ahead that no reply has shown
        before = None if waiting is None else waiting.observation
        seen: list[np.ndarray] = []
        for one in answers:
            flags = one.reply.flags if isinstance(one.reply, StepReply) else 0
            of = before if flags & _AHEAD else one.observation
            if flags & _PLANNED and of is not None and self.twin.accepts(of):
                seen.append(of)
            before = one.observation
        first = self.twin.plan_count if waiting is None else waiting.index
        self.foreseen.prepare(seen, self.seed, first)
        self.float_foreseen.prepare(seen, self.seed, first)

    def _checked(self, answer: Answer) -> Step | None:
        """Predict one answer and compare it; what its row says."""
        got, observation = answer.reply, answer.observation
        if not isinstance(got, Refused):
            got = self._alone(got)
        index, before, previous = self.twin.plan_count, self.float_plan, self.twin.previous
        late = self._late(got)
        expected = (
            self.twin.tick(answer.step)
            if observation is None
            else self.twin.step(answer.step, observation, late)
        )
        # by the twin's word: the flags of a device that mismatches may say anything
        begun = isinstance(expected, Reply) and int(expected.flags) & _PLANNED
        origin = self.twin.origin if begun else None
        planned_of, index = origin or (None, index)
        self.check.place(self.seed, answer.step, index, planned_of)
        matched = self.check.reply(expected, got, observation)
        if isinstance(got, Refused):
            return None
        check_action(self.planner.spec, got.action)
        if planned_of is not None:
            self.float_plan = self.float_foreseen.plan(planned_of, self.seed, index)
        step = _step(self.seed, answer, got, matched)
        if isinstance(expected, Reply):
            step.twin_gap = 0.0 if matched else float(np.abs(got.action - expected.action).max())
            step.twin_action = _values(expected.action)
            if not self.recording.exact:
                self.twin.previous = got.action  # the rate limit goes on from the action really played
        # a plan that was late for its own step was made, but the action comes from the one before it
        of_before = late and not got.flags & _AHEAD
        self.gaps.add(step, got, before if of_before else self.float_plan, previous)
        return step

    def _late(self, got: StepReply | Refused) -> int:
        """Periods by which the device says that its plan was late."""
        if isinstance(got, Refused) or not got.flags & _OVERRUN or self.recording.hello is None:
            return 0
        return self.planner.spec.periods(got.ticks, self.recording.hello.tick_hz)


def _values(array: np.ndarray) -> tuple[float, ...]:
    return tuple(array.tolist())


def pose_of(plant: Plant) -> tuple[float, ...]:
    """What a plant can be drawn from; empty where there is nothing to draw."""
    return () if plant.body is None else _values(plant.body.qpos)


def _step(seed: int, answer: Answer, got: StepReply, matched: bool) -> Step:
    return Step(
        seed=seed,
        step=answer.step,
        reward=0.0,
        action=_values(got.action),
        state=got.state,
        flags=got.flags,
        candidate=got.candidate,
        age=got.age,
        digest=got.digest,
        ticks=got.ticks,
        rtt=answer.rtt,
        latency=answer.latency,
        matched=matched,
        observation=() if answer.observation is None else _values(answer.observation),
        sent=answer.sent,
    )
