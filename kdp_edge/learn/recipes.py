# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""One recipe for every data set: which settings follow from what the data are, and why.

No task is named here. What each rule rests on is measured in docs/ablation.md; the rules were frozen before
the seeds of docs/recipe.md were trained.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdp_edge.learn.traits import Traits
from kdp_edge.run import RunConfig, mlp_shapes
from kdp_edge.tasks import Task
from kdp_edge.window import beyond_device

Settings = dict[str, Any]

MANY_SIGNALS = 20  # of observation and action: above, 128 neurons lose a plan in ten episodes
SHORT_STEP = 1 / 16  # standard deviations that a state moves: four of them tell no ways apart
BRISK_STEP = 0.15  # where a plan that is half a step late is another plan
LONG_STEP = 0.5  # where far neighbours blur the plan, and two actions have nothing between them
LEAD = 0.4  # of a step, from which half a step late is as good as not late at all
FALLS = 0.01  # share of episodes that end before their time
LED_ACTUATORS = 8  # a policy that leaves the data needs actions that the data cover
FORKS = 0.005  # share of states from which two ways lead: at most 0.001 in the twins, 0.027 in a ring
ONE_OF_THEM = 0.1  # anchor_tau at which latent 0 takes one of two ways
STRONGER = 1.05  # gain of a plan where no model of the plant can tell it
WEAKER = 0.1  # share of an actuator's strength that a plan must do without where robots fall
STANDS = 0.5  # share of the best steps in episodes that no fall ended: an expert's all, Hopper medium's none
EXPERT = 0.98  # of that share: experts have 0.986 to 1, Hopper medium-replay 0.958 to 0.988
FEW, SOME, MOST = 1 / 6, 1 / 4, 0.6  # shares of the steps that are near the best
BY_ADVANTAGE = 0.33  # tilt: IQL's own weights, exp(3 * advantage)
ALIKE = 1e6  # a temperature so high that all is drawn alike

# The slowest board that plans at a control rate, and what it was measured at (docs/kernels.md)
BOARD, BOARD_HZ, CYCLES = "STM32F405", 168e6, 1.33  # cycles per multiply-add
USED = 0.8  # of the deadline
MOST_CANDIDATES = 8


@dataclass(frozen=True)
class Choice:
    """Settings that follow from the data, and the sentence that says why."""

    settings: Settings
    why: str

    def to_json(self) -> dict[str, Any]:
        return {"settings": self.settings, "why": self.why}


def choices(traits: Traits, deadline_ms: float) -> list[Choice]:
    """Every setting that differs from the defaults of `RunConfig`, or could have.

    Args:
        deadline_ms: of one plan on a device.
    """
    facts = (_width, _latents, _horizon, _lead, _anchor)
    made = [*(rule(traits) for rule in facts), *_plan(traits)]
    return [*made, _candidates(made, traits, deadline_ms)]


def _width(traits: Traits) -> Choice:
    count = traits.signals + traits.actuators
    width = 192 if count > MANY_SIGNALS else 128
    return Choice({"width": width}, f"{count} signals and actuators: hidden layers of {width}")


def _latents(traits: Traits) -> Choice:
    """A latent has to carry what the data's actions differ by."""
    size = int(min(32, 8 * np.ceil(traits.actuators / 8)))
    return Choice({"latent_dim": size}, f"{traits.actuators} actuators: {size} latents")


def _horizon(traits: Traits) -> Choice:
    horizon = 8 if traits.step < SHORT_STEP else 4
    return Choice(
        {"horizon": horizon},
        f"a step moves the state by {traits.step:.2f} standard deviations: windows of {horizon} steps",
    )


def _lead(traits: Traits) -> Choice:
    """An action acts when its plan is made, not when its state was seen, and for a step from then on."""
    moves = f"a step moves the state by {traits.step:.2f} standard deviations"
    if traits.verdict:  # half of a grasp is none: read ahead, the SO-101 arm lifts 1 block of 16 instead of 8
        why = "success turns on single steps, as a grasp does"
        return Choice({"lead": 0.0}, f"{why}: actions are read as they are")
    if BRISK_STEP <= traits.step < LONG_STEP:
        return Choice({"lead": LEAD}, f"{moves}: actions are read {LEAD:g} of a step ahead")
    why = "half a step changes little" if traits.step < BRISK_STEP else "nothing lies between two actions"
    return Choice({"lead": 0.0}, f"{moves}, {why}: actions are read as they are")


def _anchor(traits: Traits) -> Choice:
    """Between two ways lies none: there latent 0 regresses on the one that it is nearest to."""
    parted = traits.forks >= FORKS
    what = "takes one of them" if parted else "is the mean of what was played"
    why = f"at {traits.forks:.1%} of the states two ways lead on: the plan of latent 0 {what}"
    return Choice({"anchor_tau": ONE_OF_THEM if parted else 0.0}, why)


def _plan(traits: Traits) -> list[Choice]:
    """What draws the plan: goals, demonstrations, values, an expert's episodes, or a policy of its own."""
    if traits.verdict:
        return _to_succeed()
    if traits.to_goals:
        return _to_goals(traits)
    if not traits.rewards:
        why = "no rewards: every episode counts alike, none is judged, and its last steps count too"
        return [Choice({"tilt": ALIKE, "anchor": 3.0, "to_end": 1}, why)]
    ranked = _margin(traits)
    if traits.ends >= FALLS:
        return [_pulled(traits), ranked, *_brace(traits)]
    if FEW <= traits.best < MOST or traits.actuators > LED_ACTUATORS:
        return [*_drawn(traits), ranked]
    return [_led(traits)]


def _to_succeed() -> list[Choice]:
    """A return says which episodes succeeded, and nothing of their steps; what succeeds is done at their end.

    A window of several steps cannot begin at an episode's last ones. Elsewhere they are few among many; here
    they are what the reward is for, and a policy that never learned them holds the block over its goal.
    """
    drawn = "only last steps are rewarded: episodes that succeeded are drawn, no step of theirs is judged"
    ends = "what succeeds is done at the end: windows begin at the last steps too"
    settings: Settings = {"tilt": ALIKE, "anchor": 3.0, "steps": 20_000}
    return [Choice(settings, drawn), Choice({"to_end": 1}, ends)]


def _to_goals(traits: Traits) -> list[Choice]:
    """One controller plays to many goals: a return says how long it dwelt there, not how well it played."""
    plain = {"trajectory_tilt": ALIKE, "tilt": ALIKE, "steps": 20_000}
    made = [Choice(plain, "goals are told and rewards rare: no episode is drawn more often, 20,000 steps")]
    if traits.length <= _sight() / 3:
        why = f"a goal is {traits.length:.0f} steps away: values see it, improve the plan and rank candidates"
        return [*made, Choice({"improve": 0.15, "margin": 0.1}, why)]
    why = f"a goal is {traits.length:.0f} steps away, too far for values: the plan keeps to the data"
    return [*made, Choice({"anchor": 3.0}, why)]


def _sight() -> float:
    """Steps that values see ahead."""
    return 1 / (1 - RunConfig.discount)


def _margin(traits: Traits) -> Choice:
    """Ranking paid where the best fall as well; where they stand it won nothing, and now and then a fall."""
    near = f"{traits.best:.0%} of the steps are near the best"
    if traits.best < SOME:
        return Choice({"margin": RunConfig.margin}, f"{near}: too few to rank candidates by")
    if traits.stands >= STANDS:
        return Choice(
            {"margin": RunConfig.margin}, f"{near}, {traits.stands:.0%} of them without a fall: no ranking"
        )
    return Choice({"margin": 0.1}, f"{near}, most of them before a fall: candidates are ranked")


def _pulled(traits: Traits) -> Choice:
    """An expert's gait is lost by a plan that leaves it; where nobody's stands, values must make it stand.

    Where nearly all of the best episodes end in a fall, a high return says that the fall came late, and to
    draw such an episode more often leads to its edge: there only values choose, and only among what was
    played in the very state, as in IQL's policy. Candidates are drawn to neighbours there as elsewhere.
    """
    falls = f"{traits.ends:.0%} of the episodes end early"
    if traits.stands >= EXPERT:
        why = f"{falls}, hardly any of the best: values improve the plan, a little, near the data"
        return Choice({"improve": 0.025, "anchor": 3.0}, why)
    if traits.stands >= STANDS:
        return Choice({"improve": 0.05}, f"{falls}, the best among them: values improve the plan")
    drawn = {"tilt": BY_ADVANTAGE, "trajectory_tilt": ALIKE}
    if traits.forks >= FORKS:  # a state's own windows are of both ways, and their mean is of neither
        why = (
            f"{falls}, nearly all of the best: values improve the plan, matches are drawn by advantage alone"
        )
        return Choice({"improve": 0.05, **drawn}, why)
    why = f"{falls}, nearly all of the best: the plan is what was played in its state, by advantage alone"
    return Choice({"anchor_own": 1, "anchor": 3.0, "improve": 0.0, **drawn}, why)


def _brace(traits: Traits) -> list[Choice]:
    """A robot that falls has an edge, and a plan that regresses on what was played leans to the weak side.

    Where the best episodes fall as well, rollouts in a model that learned from them end whatever the plan
    does, and tell no gain; one for all of them does.

    Values judge a window's first action alone. Where they pull and an edge is near, to mix in the next one,
    which is what was played, takes part of that back.
    """
    if traits.stands < STANDS:
        why = f"{1 - traits.stands:.0%} of the best steps are in episodes that do: actions are "
        return [Choice({"gain": STRONGER}, f"{why}{STRONGER - 1:.0%} larger, to bear more mass")]
    why = f"{traits.stands:.0%} of the best steps are in episodes that do not: the plan must bear actuators "
    why += f"{WEAKER:.0%} weaker, in a model of the plant that is learned from the data"
    if traits.stands >= EXPERT:
        return [Choice({"brace": WEAKER}, why)]
    return [Choice({"brace": WEAKER, "led_at_edge": 0}, f"{why}; if not, actions are read as they are")]


def _drawn(traits: Traits) -> list[Choice]:
    """No value gradient: what the data never lost is not known to be safe, and an expert needs none."""
    why = f"no episode ends early, {traits.best:.0%} of the steps are near the best: these are drawn"
    made = [Choice({"improve": 0.0, "anchor": 3.0}, why)]
    if traits.step >= LONG_STEP:
        why = f"a step moves the state by {traits.step:.2f} standard deviations: only near neighbours count"
        made.append(Choice({"key_tau": 0.25}, why))
    return made


def _led(traits: Traits) -> Choice:
    """Ranking paid where there is one way to play, and lost where there are many poor ones."""
    led: Settings = {"discount": 0.99, "improve": 0.6}
    if traits.best >= MOST:
        led, steps, what = {**led, "margin": 0.2}, 240_000, "one way to play"
    else:
        steps, what = 60_000, "many poor ways to play"
    return Choice(
        {"actor_steps": steps, **led},
        f"no episode ends early, {traits.best:.0%} of the steps are near the best, {what}: a policy of its "
        f"own and its values improve on each other for {steps:,} steps",
    )


def _candidates(made: list[Choice], traits: Traits, deadline_ms: float) -> Choice:
    """As many as the slowest board ranks in time; one where nothing ranks them."""
    given = {name: value for choice in made for name, value in choice.settings.items()}
    config = RunConfig("", "", traits.signals, traits.actuators, **given)
    if config.margin >= RunConfig.margin:
        alone = board_ms(_products(_nets(config)[0]))
        why = f"no candidate would win: the plan of latent 0 alone, {alone:.2g} ms on an {BOARD}, no critic"
        return Choice({"k": 1}, why)
    k, each = ranked_in_time(config, deadline_ms), board_ms(multiply_adds(config))
    return Choice(
        {"k": k}, f"{deadline_ms:.3g} ms a plan, {each:.2g} ms a candidate on an {BOARD}: {k} of them"
    )


def ranked_in_time(config: RunConfig, deadline_ms: float) -> int:
    """Candidates that the slowest board ranks in its share of the deadline: 1, 2, 4 or 8."""
    k, each = MOST_CANDIDATES, board_ms(multiply_adds(config))
    while k > 1 and k * each > USED * deadline_ms:
        k //= 2
    return k


def board_ms(products: int) -> float:
    """What the slowest board takes for so many multiply-adds."""
    return 1e3 * CYCLES * products / BOARD_HZ


def multiply_adds(config: RunConfig) -> int:
    """Of one candidate: making it and judging it."""
    return sum(map(_products, _nets(config)))


def _nets(config: RunConfig) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Shapes of the generator and of the critic."""
    c = config
    return (
        mlp_shapes(c.obs_dim + c.latent_dim, c.width, c.blocks, c.window_dim),
        mlp_shapes(c.obs_dim + c.critic_steps * c.act_dim, c.critic_width, c.critic_blocks, 1),
    )


def _products(net: dict[str, tuple[int, ...]]) -> int:
    return sum(int(np.prod(shape)) for shape in net.values() if len(shape) == 2)


def deadline_ms(task: Task) -> float:
    """Of one plan: as the robot declares it, else a control period."""
    return task.robot.safety.deadline_ms or 1e3 / task.rate_hz


def recipe_for(task: Task, data: str, traits: Traits | None = None, **changes: Any) -> RunConfig:
    """The configuration of a run on data set `data`: defaults, what its traits ask for, then `changes`.

    Args:
        traits: of the data; without them the defaults stand.

    Raises:
        KdpError: a setting is out of its range.
    """
    made = choices(traits, deadline_ms(task)) if traits else []
    given = {name: value for choice in made for name, value in choice.settings.items()}
    config = RunConfig(
        task=task.name, data=data, obs_dim=task.obs_dim, act_dim=task.act_dim, **given | changes
    )
    config.check()
    if "k" not in changes and config.margin < RunConfig.margin <= given.get("margin", RunConfig.margin):
        config = replace(config, k=ranked_in_time(config, deadline_ms(task)))  # a margin by hand: to rank
    ranked = max(config.k, ranked_in_time(config, deadline_ms(task)))  # deployed with fewer, trained alike
    if "horizon" not in changes and beyond_device(config.shape, ranked, config.latent_dim):
        config = replace(config, horizon=min(config.horizon, RunConfig.horizon))
    return config


def explained(config: RunConfig, traits: Traits, task: Task) -> dict[str, Any]:
    """Traits and choices of a run, as metrics.json keeps them; settings that were given by hand say so."""
    made = []
    for choice in choices(traits, deadline_ms(task)):
        other = {n: getattr(config, n) for n, v in choice.settings.items() if getattr(config, n) != v}
        by_hand = ", ".join(f"{name} {value:g}" for name, value in other.items())
        made.append(choice.to_json() | ({"why": f"{choice.why}; given by hand: {by_hand}"} if other else {}))
    return {"traits": traits.to_json(), "choices": made}
