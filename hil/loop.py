"""The closed loop: MuJoCo on the host, the planner on a device, every reply held against the twin."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kdp_edge.errors import KdpError
from kdp_edge.hil.compare import Mismatch, differences, differing_bytes
from kdp_edge.hil.devices.device import Device
from kdp_edge.hil.float_planner import FloatPlan, FloatPlanner
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import LinkLost
from kdp_edge.hil.protocol import Refused, StepReply, check_hello, pack_step
from kdp_edge.hil.scenario import Episode, Recording, Scenario, Step
from kdp_edge.hil.twin import NO_PLAN, Flag, Reply, Twin, limit_action
from kdp_edge.quantize.plan import IntegerPlanner
from kdp_edge.tasks import Task, get_task

ECHOES = 30  # round trips of the bare link before the run
KEPT_MISMATCHES = 10  # recorded with expected and got
EXAMINED_MISMATCHES = 3  # for these the device is asked for every candidate

Progress = Callable[[int], None]


def make_env(task: Task) -> Any:
    """The task's Gymnasium environment; raises `KdpError` when the simulator is not installed."""
    try:
        import gymnasium
        import mujoco  # noqa: F401
    except ImportError as error:
        raise KdpError(f"{error.name} is missing: pip install 'kdp-edge[hil]'", 3) from None
    return gymnasium.make(task.env_id)


def check_task(planner: IntegerPlanner, task: Task) -> None:
    """Raise `KdpError` unless the policy reads and writes this task's signals in this order."""
    spec = planner.spec
    for what, found, expected in (
        ("observations", tuple(spec.obs_names), task.obs_names),
        ("actions", tuple(spec.act_names), task.act_names),
    ):
        if len(found) != len(expected):
            raise KdpError(
                f"the policy (task {spec.task}) has {len(found)} {what}, task {task.name} has "
                f"{len(expected)}; choose the run of this task"
            )
        for i, (name, wanted) in enumerate(zip(found, expected, strict=True)):
            if name != wanted:
                raise KdpError(
                    f"the policy (task {spec.task}) has '{name}' as {what}[{i}], task {task.name} has "
                    f"'{wanted}'; choose the run of this task"
                )


def play_device(
    device: Device,
    scenario: Scenario,
    planner: IntegerPlanner,
    float_planner: FloatPlanner,
    progress: Progress = lambda steps: None,
) -> Recording:
    """Play `scenario` on an open device.

    A link that is lost ends the run early: `Recording.lost` says why, and what was played is there.

    Raises:
        KdpError: nobody answers, or a device with another policy does.
    """
    link = Link(device.pipe, device.timeout)
    hello = link.hello(device.hello_within)
    check_hello(hello, planner, device.name)
    recording = Recording(
        device.name,
        hello=hello,
        clock=device.clock(hello),
        counters=link.counters,
        flash_bytes=device.flash_bytes,
        ram_bytes=device.ram_bytes,
        toolchain=device.toolchain,
        judges_deadline=device.judges_deadline,
    )
    start = time.perf_counter()
    player = _Player(link, scenario, planner, float_planner, recording, progress)
    try:
        _measure_link(link, planner, recording)
        player.play()
        recording.telemetry = link.telemetry()
    except (LinkLost, Refused) as error:
        recording.lost = f"{device.name}, {player.where()}: {error}"
    recording.wall_seconds = time.perf_counter() - start
    return recording


def _measure_link(link: Link, planner: IntegerPlanner, recording: Recording) -> None:
    data = pack_step(0, np.zeros(planner.spec.obs_dim, np.float32))
    for _ in range(ECHOES):
        if link.echo(data) != data:
            raise LinkLost("ECHO came back changed although its CRC is right; flash again")
        recording.echo_rtt.append(link.rtt)


@dataclass
class _Player:
    link: Link
    scenario: Scenario
    planner: IntegerPlanner
    float_planner: FloatPlanner
    recording: Recording
    progress: Progress
    seed: int = 0
    step: int = -1
    float_plan: FloatPlan | None = None
    twin: Twin = field(init=False)

    def __post_init__(self) -> None:
        self.twin = Twin(self.planner)

    def where(self) -> str:
        """The place in the scenario, for messages."""
        return "before the first step" if self.step < 0 else f"episode seed {self.seed}, step {self.step}"

    def play(self) -> None:
        """All episodes."""
        env = make_env(get_task(self.scenario.task))
        try:
            for seed in self.scenario.seeds:
                self._episode(env, seed)
        finally:
            env.close()

    def _episode(self, env: Any, seed: int) -> None:
        self.seed, self.step, self.float_plan = seed, 0, None
        total, finished, start = 0.0, False, len(self.recording.steps)
        observation, _ = env.reset(seed=seed)
        try:
            self.link.reset(seed)
            self.twin.reset(seed)
            for number in range(self.scenario.max_steps):
                self.step = number
                step = self._exchange(np.asarray(observation, np.float32))
                observation, reward, terminated, truncated, _ = env.step(np.asarray(step.action, np.float32))
                total += float(reward)
                self.recording.steps.append(replace(step, reward=float(reward)))
                self.progress(len(self.recording.steps))
                if terminated or truncated:
                    break
            finished = True
        finally:
            played = len(self.recording.steps) - start
            self.recording.episodes.append(Episode(seed, total, played, finished))

    def _exchange(self, observation: np.ndarray) -> Step:
        """One STEP: ask the device, predict its reply, compare."""
        index, before = self.twin.plan_count, self.float_plan
        previous = self.twin.previous
        try:
            got: StepReply | Refused = self.link.step(self.step, observation)
        except Refused as refused:
            got = refused
        overrun = isinstance(got, StepReply) and bool(got.flags & Flag.OVERRUN)
        expected = self.twin.step(self.step, observation, overrun)
        matched = self._judge(expected, got, observation, index)
        if isinstance(got, Refused):
            raise got
        if got.flags & Flag.PLANNED:
            self.float_plan = self.float_planner.plan(observation, self.seed, index)
        # a plan that overran was made, but the action comes from the one before it
        float_plan = before if overrun else self.float_plan
        step = Step(
            seed=self.seed,
            step=self.step,
            reward=0.0,
            action=tuple(float(v) for v in got.action),
            state=got.state,
            flags=got.flags,
            candidate=got.candidate,
            age=got.age,
            digest=got.digest,
            ticks=got.ticks,
            rtt=self.link.rtt,
            matched=matched,
        )
        if float_plan is None or got.age == NO_PLAN or previous is None:
            return step
        return self._with_gap(step, got, float_plan, previous)

    def _with_gap(self, step: Step, got: StepReply, plan: FloatPlan, previous: np.ndarray) -> Step:
        spec = self.planner.spec
        if got.candidate >= spec.k or got.age >= spec.horizon:
            return step  # a mismatch, recorded as one
        chosen = limit_action(spec, plan.actions[plan.best, got.age], previous)
        same = limit_action(spec, plan.actions[got.candidate, got.age], previous)
        return replace(
            step,
            float_action=tuple(float(v) for v in chosen),
            action_gap=float(np.abs(got.action - chosen).max()),
            same_candidate_gap=float(np.abs(got.action - same).max()),
        )

    def _judge(self, expected: Any, got: StepReply | Refused, observation: np.ndarray, index: int) -> bool:
        recording = self.recording
        recording.replies += 1
        different = differences(expected, got)
        if not different:
            return True
        recording.mismatched += 1
        if recording.mismatched > KEPT_MISMATCHES:
            return False
        mismatch = Mismatch(self.seed, self.step, different, [float(v) for v in observation], index)
        planned = isinstance(expected, Reply) and expected.flags & Flag.PLANNED
        if planned and recording.mismatched <= EXAMINED_MISMATCHES and not isinstance(got, Refused):
            found, note = differing_bytes(self.link, self.planner, self.seed, index, observation)
            mismatch = replace(mismatch, plan_bytes=found, note=note)
        recording.mismatches.append(mismatch)
        return False


def play_float(
    scenario: Scenario, float_planner: FloatPlanner, progress: Progress = lambda steps: None
) -> Recording:
    """Play `scenario` with the float policy, in process and without a fail-safe."""
    spec = float_planner.spec
    recording = Recording("float")
    start = time.perf_counter()
    env = make_env(get_task(scenario.task))
    try:
        for seed in scenario.seeds:
            observation, _ = env.reset(seed=seed)
            previous = np.asarray(spec.safe_action, np.float32)
            total, plan = 0.0, None
            for number in range(scenario.max_steps):
                age = number % spec.chunk
                if plan is None or age == 0:
                    plan = float_planner.plan(np.asarray(observation, np.float32), seed, number // spec.chunk)
                previous = limit_action(spec, plan.actions[plan.best, age], previous)
                observation, reward, terminated, truncated, _ = env.step(previous)
                total += float(reward)
                action = tuple(float(v) for v in previous)
                recording.steps.append(
                    Step(seed, number, float(reward), action, candidate=plan.best, age=age)
                )
                progress(len(recording.steps))
                if terminated or truncated:
                    break
            recording.episodes.append(Episode(seed, total, number + 1, True))
    finally:
        env.close()
    recording.wall_seconds = time.perf_counter() - start
    return recording
