/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_failsafe.h"

#include <string.h>

#include "kdp_clock.h"
#include "kdp_float.h"

static float clamp(float value, float low, float high)
{
    value = value < low ? low : value;
    return value > high ? high : value;
}

int kdp_failsafe_init(kdp_failsafe *failsafe, kdp_planner *planner, const kdp_model *bounds, kdp_arena *arena,
                      uint32_t tick_hz, void *context)
{
    const kdp_model *model = planner->model;
    size_t actions = sizeof(float) * model->horizon * model->act_dim;
    memset(failsafe, 0, sizeof *failsafe);
    failsafe->model = model;
    failsafe->bounds = bounds;
    failsafe->planner = planner;
    failsafe->context = context;
    failsafe->tick_hz = tick_hz;
    failsafe->age = KDP_NO_PLAN;
    failsafe->last_step = -1;
    failsafe->slot[0].actions = kdp_arena_take(arena, actions);
    failsafe->slot[1].actions = kdp_arena_take(arena, actions);
    failsafe->previous = kdp_arena_take(arena, sizeof(float) * model->act_dim);
    if (!failsafe->slot[0].actions || !failsafe->slot[1].actions || !failsafe->previous) {
        return KDP_ERROR_OUT_OF_MEMORY;
    }
    if (model->ahead != 0) {
        failsafe->next.actions = kdp_arena_take(arena, actions);
        if (!failsafe->next.actions) {
            return KDP_ERROR_OUT_OF_MEMORY;
        }
    }
    for (size_t i = 0; i < model->act_dim; i++) {
        failsafe->previous[i] = clamp(model->safe_action[i], bounds->act_low[i], bounds->act_high[i]);
    }
    return 0;
}

void kdp_failsafe_latch(kdp_failsafe *failsafe)
{
    failsafe->state = KDP_LATCHED;
}

/* A control step begins, or an episode: silence is counted from here. */
static void hear(kdp_failsafe *failsafe)
{
    failsafe->clock = kdp_port_now(failsafe->context);
    failsafe->waited = 0;
    failsafe->beyond = 0;
}

/* What was made ahead, or is to be, is out of date. */
static void forget_next(kdp_failsafe *failsafe)
{
    failsafe->ends = false;
    failsafe->ready = false;
}

kdp_state kdp_failsafe_reset(kdp_failsafe *failsafe, uint32_t episode, kdp_pace pace)
{
    failsafe->episode = episode;
    failsafe->pace = pace;
    failsafe->plan_count = 0;
    failsafe->last_step = -1;
    failsafe->has_plan = false;
    failsafe->late = false;
    failsafe->lateness = 0;
    failsafe->age = KDP_NO_PLAN;
    failsafe->uncovered = 0;
    forget_next(failsafe);
    hear(failsafe);
    if (failsafe->state != KDP_LATCHED) {
        failsafe->state = KDP_RUNNING;
    }
    return failsafe->state;
}

kdp_state kdp_failsafe_arm(kdp_failsafe *failsafe)
{
    if (failsafe->state == KDP_LATCHED) {
        failsafe->state = KDP_IDLE;
    }
    return failsafe->state;
}

kdp_plan *kdp_failsafe_spare(kdp_failsafe *failsafe)
{
    return &failsafe->slot[failsafe->current ^ 1u];
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Range, rate around the previous action, range again; the bounds' range has the last word. */
static float limit(const kdp_failsafe *failsafe, size_t i, float wanted)
{
    const kdp_model *model = failsafe->model, *bounds = failsafe->bounds;
    float previous = failsafe->previous[i];
    float value = clamp(wanted, model->act_low[i], model->act_high[i]);
    value = clamp(value, previous - model->act_rate[i], previous + model->act_rate[i]);
    value = clamp(value, previous - bounds->act_rate[i], previous + bounds->act_rate[i]);
    value = clamp(value, model->act_low[i], model->act_high[i]);
    return clamp(value, bounds->act_low[i], bounds->act_high[i]);
}

/* What a stop plays on actuator `i`. */
static float safe(const kdp_failsafe *failsafe, size_t i)
{
    const kdp_model *model = failsafe->model;
    return model->safe_hold[i] != 0 ? failsafe->previous[i] : model->safe_action[i];
}

/* Fill in the answer to a step: `wanted`, or what a stop plays if NULL, within limits becomes the action played. */
static void answer(kdp_failsafe *failsafe, kdp_action *action, unsigned flags, const float *wanted)
{
    bool limited = false;
    for (size_t i = 0; i < failsafe->model->act_dim; i++) {
        float asked = wanted != NULL ? wanted[i] : safe(failsafe, i);
        float value = limit(failsafe, i, asked);
        /*@ assert within_limits: failsafe->bounds->act_low[i] <= value <= failsafe->bounds->act_high[i]; */
        limited = limited || value != asked;
        failsafe->previous[i] = value;
    }
    if (limited) {
        failsafe->counters.limited++;
    }
    const kdp_plan *plan = &failsafe->slot[failsafe->current];
    action->step = (uint32_t)failsafe->last_step;
    action->state = failsafe->state;
    action->flags = (uint8_t)(flags | (limited ? KDP_FLAG_LIMITED : 0u));
    action->candidate = failsafe->has_plan ? plan->best : 0;
    action->age = failsafe->age;
    action->digest = failsafe->has_plan ? plan->digest : 0;
    action->values = failsafe->previous;
    action->ticks = 0;
}

/* Play step `age` of the plan in use. */
static void play(kdp_failsafe *failsafe, kdp_action *action, unsigned flags, uint8_t age)
{
    const kdp_plan *plan = &failsafe->slot[failsafe->current];
    failsafe->age = age;
    answer(failsafe, action, flags, plan->actions + (size_t)age * failsafe->model->act_dim);
}

/* The step of the plan in use that is due `gap` control steps on; KDP_NO_PLAN when that is not below
 * `end`, and without a plan, whose age is beyond any end. */
static uint8_t due(const kdp_failsafe *failsafe, uint32_t gap, uint8_t end)
{
    uint64_t age = (uint64_t)failsafe->age + gap;
    return age < end ? (uint8_t)age : KDP_NO_PLAN;
}

/* One more step that no plan made in time covers; whether that is one too many. */
static bool too_many(kdp_failsafe *failsafe)
{
    failsafe->uncovered += smaller(1u, UINT32_MAX - failsafe->uncovered);
    return failsafe->uncovered > smaller(failsafe->model->safe_steps, failsafe->bounds->safe_steps);
}

static void fall_back(kdp_failsafe *failsafe, kdp_action *action, unsigned flags, uint32_t gap)
{
    forget_next(failsafe);
    /* a late plan is as old as it took: the step after it may be several periods on */
    gap = gap > failsafe->lateness ? gap : failsafe->lateness;
    failsafe->lateness = 0;
    uint8_t age = due(failsafe, gap, failsafe->model->horizon);
    if ((age == KDP_NO_PLAN || failsafe->late) && too_many(failsafe)) {
        failsafe->state = KDP_LATCHED;
        failsafe->counters.latches++;
        age = KDP_NO_PLAN;
    } else {
        failsafe->state = age != KDP_NO_PLAN ? KDP_REPLAYING : KDP_SAFE;
    }
    if (age != KDP_NO_PLAN) {
        failsafe->counters.replayed++;
        play(failsafe, action, flags, age);
        return;
    }
    failsafe->age = KDP_NO_PLAN;
    failsafe->counters.safe++;
    answer(failsafe, action, flags, NULL);
}

/* The plan just made becomes the plan in use. */
static void adopt(kdp_failsafe *failsafe)
{
    failsafe->current ^= 1u;
    failsafe->has_plan = true;
    failsafe->late = false;
    failsafe->lateness = 0;
    failsafe->age = 0;
}

static bool overran(const kdp_failsafe *failsafe, uint32_t ticks)
{
    uint32_t deadline = smaller(failsafe->model->deadline_us, failsafe->bounds->deadline_us);
    return (uint64_t)ticks * 1000000u > (uint64_t)deadline * failsafe->tick_hz;
}

/* Ticks of one control period, 1 at least. */
static uint64_t period(const kdp_failsafe *failsafe)
{
    uint64_t ticks = (uint64_t)failsafe->tick_hz * 1000u / failsafe->model->rate_millihertz;
    return ticks > 0 ? ticks : 1;
}

/* The periods that a late plan took, whole ones, as far as a plan's age can count. */
static uint8_t periods(const kdp_failsafe *failsafe, uint32_t ticks)
{
    uint64_t whole = (ticks + period(failsafe) - 1) / period(failsafe);
    return (uint8_t)(whole < KDP_NO_PLAN ? whole : KDP_NO_PLAN);
}

/* The plan in use took too long: it is to be replayed from, nothing else. */
static void be_late(kdp_failsafe *failsafe, uint32_t ticks)
{
    failsafe->late = true;
    failsafe->lateness = periods(failsafe, ticks);
    failsafe->uncovered += smaller(failsafe->lateness - 1u, UINT32_MAX - failsafe->uncovered);
}

/* A plan that is late for its own step: the plan before it goes on, and this one can be replayed from. */
static void adopt_late(kdp_failsafe *failsafe, kdp_action *action, unsigned flags, uint32_t gap, uint32_t ticks)
{
    uint32_t digest = kdp_failsafe_spare(failsafe)->digest;
    failsafe->counters.overruns++;
    fall_back(failsafe, action, flags | KDP_FLAG_OVERRUN, gap);
    action->digest = digest;
    adopt(failsafe);
    be_late(failsafe, ticks);
    failsafe->clock += ticks; /* its time is in its age already: silence is counted from its end */
}

/* A plan is made: count it, and what it took. */
static void count_plan(kdp_failsafe *failsafe, uint32_t ticks)
{
    failsafe->plan_count++;
    failsafe->counters.plans++;
    if (ticks > failsafe->counters.longest_plan) {
        failsafe->counters.longest_plan = ticks;
    }
}

static int make_plan(kdp_failsafe *failsafe, const float *observation, unsigned flags, uint32_t gap,
                     kdp_action *action)
{
    kdp_plan *fresh = kdp_failsafe_spare(failsafe);
    int status =
        kdp_planner_plan(failsafe->planner, observation, failsafe->episode, failsafe->plan_count, fresh);
    uint32_t ticks = kdp_port_now(failsafe->context) - failsafe->clock;
    failsafe->ready = false; /* too old for this step */
    if (status != 0) {
        return KDP_ERROR_SELFTEST_FAILED;
    }
    count_plan(failsafe, ticks);
    flags |= KDP_FLAG_PLANNED;
    if (overran(failsafe, ticks)) {
        adopt_late(failsafe, action, flags, gap, ticks);
    } else {
        adopt(failsafe);
        failsafe->state = KDP_RUNNING;
        failsafe->uncovered = 0;
        play(failsafe, action, flags, 0);
    }
    action->ticks = ticks;
    return 0;
}

/* The plan made ahead becomes the plan in use, in a step `gap` control steps after its observation: its first
 * action was due one after it. */
static void adopt_next(kdp_failsafe *failsafe, kdp_action *action, unsigned flags, uint32_t gap)
{
    kdp_plan *const current = &failsafe->slot[failsafe->current], before = *current;
    const uint32_t ticks = failsafe->next_ticks;
    *current = failsafe->next;
    failsafe->next = before;
    failsafe->ready = false;
    failsafe->age = 0;
    flags |= KDP_FLAG_PLANNED | KDP_FLAG_AHEAD;
    if (overran(failsafe, ticks)) {
        failsafe->counters.overruns++;
        be_late(failsafe, ticks);
        failsafe->lateness--;
        fall_back(failsafe, action, flags | KDP_FLAG_OVERRUN, gap - 1u);
    } else {
        failsafe->state = KDP_RUNNING;
        failsafe->uncovered = 0;
        play(failsafe, action, flags, (uint8_t)(gap - 1u));
    }
    action->ticks = ticks;
}

/* Whether every signal is within its limits; none is NaN then. As all that comes before a plan, without a branch
 * that depends on the numbers. */
static bool acceptable(const kdp_model *model, const float *observation)
{
    uint32_t within = ~0u;
    for (size_t i = 0; i < model->obs_dim; i++) {
        within &= kdp_within(kdp_float_order(observation[i]), kdp_float_order(model->obs_low[i]),
                             kdp_float_order(model->obs_high[i]));
    }
    return within != 0;
}

/* Checks that come before any control step; 0 with the steps since the last one, or a refusal. */
static int admit(kdp_failsafe *failsafe, uint32_t step, uint32_t *gap, kdp_action *action)
{
    if (failsafe->state == KDP_IDLE) {
        return KDP_ERROR_NOT_READY;
    }
    int64_t steps = (int64_t)step - failsafe->last_step;
    if (steps <= 0) {
        failsafe->counters.stale++;
        return KDP_ERROR_STALE;
    }
    steps -= failsafe->beyond;
    *gap = steps < 1 ? 1u : (uint32_t)(steps < UINT32_MAX ? steps : UINT32_MAX);
    failsafe->last_step = step;
    failsafe->ends = false;
    action->own = kdp_failsafe_take_own(failsafe);
    hear(failsafe);
    return 0;
}

static void stay_latched(kdp_failsafe *failsafe, kdp_action *action)
{
    failsafe->age = KDP_NO_PLAN;
    answer(failsafe, action, 0, NULL);
}

int kdp_failsafe_step(kdp_failsafe *failsafe, uint32_t step, const float *observation, kdp_action *action)
{
    const kdp_model *model = failsafe->model;
    uint32_t gap;
    int refused = admit(failsafe, step, &gap, action);
    if (refused) {
        return refused;
    }
    if (failsafe->state == KDP_LATCHED) {
        stay_latched(failsafe, action);
        return 0;
    }
    if (!acceptable(model, observation)) {
        failsafe->counters.bad_observations++;
        fall_back(failsafe, action, KDP_FLAG_BAD_OBSERVATION, gap);
        return 0;
    }
    const unsigned saturated = kdp_planner_saturates(failsafe->planner, observation) ? 1u : 0u;
    failsafe->counters.saturated += saturated;
    const unsigned flags = saturated * KDP_FLAG_SATURATED;
    uint8_t age = failsafe->late ? KDP_NO_PLAN : due(failsafe, gap, model->chunk);
    int status = 0;
    if (age != KDP_NO_PLAN) {
        failsafe->state = KDP_RUNNING;
        play(failsafe, action, flags, age);
    } else if (failsafe->ready && gap <= model->chunk) {
        adopt_next(failsafe, action, flags, gap);
    } else {
        status = make_plan(failsafe, observation, flags, gap, action);
    }
    failsafe->ends =
        failsafe->state == KDP_RUNNING && status == 0 && due(failsafe, 1, model->chunk) == KDP_NO_PLAN;
    return status;
}

bool kdp_failsafe_prepare(kdp_failsafe *failsafe, const float *observation)
{
    if (!failsafe->ends || failsafe->next.actions == NULL) {
        return false;
    }
    failsafe->ends = false;
    failsafe->ready = kdp_planner_plan(failsafe->planner, observation, failsafe->episode, failsafe->plan_count,
                                       &failsafe->next) == 0;
    if (failsafe->ready) {
        /* a look at the clock (kdp_failsafe_watch) may lie between the step and this call */
        failsafe->next_ticks = (uint32_t)failsafe->waited + (kdp_port_now(failsafe->context) - failsafe->clock);
        count_plan(failsafe, failsafe->next_ticks);
    }
    return failsafe->ready;
}

int kdp_failsafe_tick(kdp_failsafe *failsafe, uint32_t step, kdp_action *action)
{
    uint32_t gap;
    int refused = admit(failsafe, step, &gap, action);
    if (refused) {
        return refused;
    }
    if (failsafe->state == KDP_LATCHED) {
        stay_latched(failsafe, action);
        return 0;
    }
    failsafe->counters.missed++;
    fall_back(failsafe, action, KDP_FLAG_MISSED, gap);
    return 0;
}

uint16_t kdp_failsafe_take_own(kdp_failsafe *failsafe)
{
    uint16_t own = failsafe->own;
    failsafe->own = 0;
    return own;
}

/* One step by the device's own clock, `gap` control steps after the last one. */
static void play_alone(kdp_failsafe *failsafe, kdp_action *action, uint32_t gap)
{
    failsafe->beyond += smaller(gap, UINT32_MAX - failsafe->beyond);
    failsafe->counters.own++;
    if (failsafe->own < UINT16_MAX) {
        failsafe->own++;
    }
    action->own = failsafe->own;
    if (failsafe->state == KDP_LATCHED) {
        stay_latched(failsafe, action);
    } else {
        fall_back(failsafe, action, KDP_FLAG_MISSED, gap);
    }
}

bool kdp_failsafe_watch(kdp_failsafe *failsafe, kdp_action *action)
{
    if (failsafe->pace != KDP_REAL || failsafe->state == KDP_IDLE) {
        return false;
    }
    uint32_t now = kdp_port_now(failsafe->context);
    failsafe->waited += now - failsafe->clock; /* right across the wrap of the clock */
    failsafe->clock = now;
    uint32_t patience = smaller(failsafe->model->silent_steps, failsafe->bounds->silent_steps);
    uint32_t gap = failsafe->beyond == 0 ? patience : 1u;
    if (failsafe->waited < gap * period(failsafe)) {
        return false;
    }
    failsafe->waited -= gap * period(failsafe);
    play_alone(failsafe, action, gap);
    return true;
}
