#include "kdp_failsafe.h"

#include <string.h>

#include "kdp_port.h"

int kdp_failsafe_init(kdp_failsafe *failsafe, kdp_planner *planner, kdp_arena *arena)
{
    const kdp_model *model = planner->model;
    size_t actions = sizeof(float) * model->horizon * model->act_dim;
    memset(failsafe, 0, sizeof *failsafe);
    failsafe->model = model;
    failsafe->planner = planner;
    failsafe->age = KDP_NO_PLAN;
    failsafe->last_step = -1;
    failsafe->slot[0].actions = kdp_arena_take(arena, actions);
    failsafe->slot[1].actions = kdp_arena_take(arena, actions);
    failsafe->previous = kdp_arena_take(arena, sizeof(float) * model->act_dim);
    return failsafe->slot[0].actions && failsafe->slot[1].actions && failsafe->previous ? 0 : -1;
}

kdp_state kdp_failsafe_reset(kdp_failsafe *failsafe, uint32_t episode)
{
    failsafe->episode = episode;
    failsafe->plan_count = 0;
    failsafe->last_step = -1;
    failsafe->has_plan = false;
    failsafe->age = KDP_NO_PLAN;
    failsafe->safe_count = 0;
    memcpy(failsafe->previous, failsafe->model->safe_action, sizeof(float) * failsafe->model->act_dim);
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

static float clamp(float value, float low, float high)
{
    value = value < low ? low : value;
    return value > high ? high : value;
}

/* Range, rate around the previous action, range again. */
static float limit(const kdp_failsafe *failsafe, size_t i, float wanted)
{
    const kdp_model *model = failsafe->model;
    float previous = failsafe->previous[i], rate = model->act_rate[i];
    float value = clamp(wanted, model->act_low[i], model->act_high[i]);
    value = clamp(value, previous - rate, previous + rate);
    return clamp(value, model->act_low[i], model->act_high[i]);
}

/* Fill in the answer to a step: `wanted` within limits becomes the action played. */
static void answer(kdp_failsafe *failsafe, kdp_action *action, unsigned flags, const float *wanted)
{
    bool limited = false;
    for (size_t i = 0; i < failsafe->model->act_dim; i++) {
        float value = limit(failsafe, i, wanted[i]);
        limited = limited || value != wanted[i];
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
static void play(kdp_failsafe *failsafe, kdp_action *action, unsigned flags, int64_t age)
{
    const kdp_plan *plan = &failsafe->slot[failsafe->current];
    failsafe->age = (uint8_t)age;
    answer(failsafe, action, flags, plan->actions + (size_t)age * failsafe->model->act_dim);
}

/* Whether the plan in use still has a step `gap` control steps on, below `end`. */
static bool reaches(const kdp_failsafe *failsafe, int64_t gap, uint8_t end)
{
    return failsafe->has_plan && failsafe->age != KDP_NO_PLAN && failsafe->age + gap < end;
}

static void fall_back(kdp_failsafe *failsafe, kdp_action *action, unsigned flags, int64_t gap)
{
    if (reaches(failsafe, gap, failsafe->model->horizon)) {
        failsafe->state = KDP_REPLAYING;
        failsafe->counters.replayed++;
        play(failsafe, action, flags, failsafe->age + gap);
        return;
    }
    failsafe->age = KDP_NO_PLAN;
    failsafe->safe_count++;
    failsafe->counters.safe++;
    if (failsafe->safe_count > failsafe->model->safe_steps) {
        failsafe->state = KDP_LATCHED;
        failsafe->counters.latches++;
    } else {
        failsafe->state = KDP_SAFE;
    }
    answer(failsafe, action, flags, failsafe->model->safe_action);
}

/* The plan just made becomes the plan in use. */
static void adopt(kdp_failsafe *failsafe)
{
    failsafe->current ^= 1u;
    failsafe->has_plan = true;
    failsafe->age = 0;
}

static bool overran(const kdp_failsafe *failsafe, uint32_t ticks)
{
    return (uint64_t)ticks * 1000000u > (uint64_t)failsafe->model->deadline_us * kdp_port_info()->tick_hz;
}

static int make_plan(kdp_failsafe *failsafe, const float *observation, int64_t gap, kdp_action *action)
{
    kdp_plan *fresh = kdp_failsafe_spare(failsafe);
    uint32_t start = kdp_port_now();
    int status =
        kdp_planner_plan(failsafe->planner, observation, failsafe->episode, failsafe->plan_count, fresh);
    uint32_t ticks = kdp_port_now() - start;
    if (status != 0) {
        return KDP_ERROR_SELFTEST_FAILED;
    }
    failsafe->plan_count++;
    failsafe->counters.plans++;
    if (ticks > failsafe->counters.longest_plan) {
        failsafe->counters.longest_plan = ticks;
    }
    if (overran(failsafe, ticks)) {
        failsafe->counters.overruns++;
        fall_back(failsafe, action, KDP_FLAG_PLANNED | KDP_FLAG_OVERRUN, gap);
        action->digest = fresh->digest;
        /* late for this step, but right for the next: it becomes the plan to replay from */
        adopt(failsafe);
    } else {
        adopt(failsafe);
        failsafe->state = KDP_RUNNING;
        failsafe->safe_count = 0;
        play(failsafe, action, KDP_FLAG_PLANNED, 0);
    }
    action->ticks = ticks;
    return 0;
}

static bool acceptable(const kdp_model *model, const float *observation)
{
    bool within = true;
    for (size_t i = 0; i < model->obs_dim; i++) {
        /* comparisons with NaN are false, so this rejects it as well */
        within = within && observation[i] >= model->obs_low[i] && observation[i] <= model->obs_high[i];
    }
    return within;
}

/* Checks that come before any control step; 0 with the gap to the last step, or a negated refusal. */
static int admit(kdp_failsafe *failsafe, uint32_t step, int64_t *gap)
{
    if (failsafe->state == KDP_IDLE) {
        return KDP_ERROR_NOT_READY;
    }
    if ((int64_t)step <= failsafe->last_step) {
        failsafe->counters.stale++;
        return KDP_ERROR_STALE;
    }
    *gap = (int64_t)step - failsafe->last_step;
    failsafe->last_step = step;
    return 0;
}

static void stay_latched(kdp_failsafe *failsafe, kdp_action *action)
{
    failsafe->age = KDP_NO_PLAN;
    answer(failsafe, action, 0, failsafe->model->safe_action);
}

int kdp_failsafe_step(kdp_failsafe *failsafe, uint32_t step, const float *observation, kdp_action *action)
{
    const kdp_model *model = failsafe->model;
    int64_t gap;
    int refused = admit(failsafe, step, &gap);
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
    if (reaches(failsafe, gap, model->chunk)) {
        failsafe->state = KDP_RUNNING;
        failsafe->safe_count = 0;
        play(failsafe, action, 0, failsafe->age + gap);
        return 0;
    }
    return make_plan(failsafe, observation, gap, action);
}

int kdp_failsafe_tick(kdp_failsafe *failsafe, uint32_t step, kdp_action *action)
{
    int64_t gap;
    int refused = admit(failsafe, step, &gap);
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
