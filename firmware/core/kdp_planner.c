/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_planner.h"

#include <string.h>

#include "kdp_frame.h"
#include "kdp_latents.h"

KDP_ROUND_EACH

#include "kdp_float.h"

/* Nothing here branches on an observation, a score or an action: a plan's time does not depend on them. */

/* Observations of a window's step: an actor plans none. */
static size_t observed(const kdp_model *model)
{
    return model->latent_dim > 0 ? model->obs_dim : 0;
}

static size_t step_size(const kdp_model *model)
{
    return observed(model) + model->act_dim;
}

size_t kdp_model_window(const kdp_model *model)
{
    return model->horizon * step_size(model);
}

void *kdp_arena_take(kdp_arena *arena, size_t size)
{
    size = KDP_ROUND(size);
    if (size > arena->left) {
        return NULL;
    }
    void *piece = arena->next;
    arena->next += size;
    arena->left -= size;
    return piece;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

int kdp_planner_init(kdp_planner *planner, const kdp_model *model, kdp_arena *arena)
{
    size_t k = model->k;
    size_t played = (size_t)model->critic_steps * model->act_dim;
    planner->model = model;
    planner->scratch_size = kdp_net_scratch_size(model->generator, (int)k);
    if (model->critic != NULL) {
        planner->scratch_size = larger(planner->scratch_size, kdp_net_scratch_size(model->critic, (int)k));
    }
    planner->observation = kdp_arena_take(arena, model->obs_dim);
    planner->columns = kdp_arena_take(arena, k * larger(model->latent_dim, played));
    planner->windows = kdp_arena_take(arena, k * (kdp_model_window(model) + 1));
    planner->scratch = kdp_arena_take(arena, planner->scratch_size);
    if (!planner->observation || !planner->columns || !planner->windows || !planner->scratch) {
        return KDP_ERROR_OUT_OF_MEMORY;
    }
    planner->scores = planner->windows + k * kdp_model_window(model);
    return 0;
}

/* clamp(floor(value + 0.5)); of a NaN -128 */
static int8_t round_to_int8(float value)
{
    const int32_t order = kdp_float_order(kdp_float_add(value, 0.5f));
    const int32_t least = kdp_float_order(-128.0f), most = kdp_float_order(127.0f);
    const int32_t clamped = kdp_limit(order, least, most);
    return (int8_t)kdp_float_floor(kdp_either(kdp_below(KDP_FLOAT_INFINITY, order), least, clamped));
}

/* Signal `i` of an observation in int8 steps, not yet rounded or clamped. */
static float scaled(const kdp_model *model, const float *observation, size_t i)
{
    float centred = kdp_float_add(observation[i], -model->obs_offset[i]);
    return kdp_float_multiply(centred, model->obs_gain[i]);
}

static void quantize_observation(const kdp_model *model, const float *observation, int8_t *quantized)
{
    for (size_t i = 0; i < model->obs_dim; i++) {
        quantized[i] = round_to_int8(scaled(model, observation, i));
    }
}

bool kdp_planner_saturates(const kdp_planner *planner, const float *observation)
{
    const kdp_model *model = planner->model;
    const int32_t most = KDP_FLOAT_INFINITY;
    uint32_t beyond = 0;
    for (size_t i = 0; i < model->obs_dim; i++) {
        const int32_t value = kdp_float_order(scaled(model, observation, i));
        beyond |= kdp_within(value, -most, kdp_float_order(-128.5f) - 1);
        beyond |= kdp_within(value, kdp_float_order(127.5f), most);
    }
    return beyond != 0;
}

/* The critic reads the actions of the first steps of each window. */
static void gather_played_actions(const kdp_planner *planner)
{
    const kdp_model *model = planner->model;
    const int8_t *window = planner->windows;
    int8_t *to = planner->columns;
    for (size_t candidate = 0; candidate < model->k; candidate++) {
        for (size_t step = 0; step < model->critic_steps; step++) {
            memcpy(to, window + step * step_size(model) + observed(model), model->act_dim);
            to += model->act_dim;
        }
        window += kdp_model_window(model);
    }
}

/* Scores of all candidates, 0 where there is nothing to choose; 0 or a KDP_ERROR_NET_*. */
static int rank(const kdp_planner *planner)
{
    const kdp_model *model = planner->model;
    if (model->critic == NULL || model->k == 1) {
        memset(planner->scores, 0, model->k);
        return 0;
    }
    gather_played_actions(planner);
    return kdp_net_run(model->critic, planner->observation, planner->columns, model->k, planner->scores,
                       planner->scratch, planner->scratch_size);
}

/* The lowest best candidate, candidate 0 favoured by the margin. */
static uint8_t choose(const kdp_model *model, const int8_t *scores)
{
    int32_t best = 0;
    int32_t best_score = scores[0] + model->margin;
    for (int32_t candidate = 1; candidate < model->k; candidate++) {
        const uint32_t better = kdp_below(best_score, scores[candidate]);
        /*@ assert a_mask: better == 0 || better == 0xFFFFFFFF; */
        best = kdp_either(better, candidate, best);
        best_score = kdp_either(better, scores[candidate], best_score);
    }
    return (uint8_t)best;
}

static void scale_actions(const kdp_model *model, const int8_t *window, float *actions)
{
    for (size_t step = 0; step < model->horizon; step++) {
        const int8_t *from = window + step * step_size(model) + observed(model);
        for (size_t i = 0; i < model->act_dim; i++) {
            size_t at = step * model->act_dim + i;
            float scaled_action = kdp_float_multiply(kdp_float_of(from[i]), model->act_gain[at]);
            actions[at] = kdp_float_add(scaled_action, model->act_offset[i]);
        }
    }
}

int kdp_planner_plan(kdp_planner *planner, const float *observation, uint32_t episode, uint32_t index,
                     kdp_plan *plan)
{
    const kdp_model *model = planner->model;
    const uint32_t key[2] = {model->seed, episode};
    int k = model->k;
    int status;

    quantize_observation(model, observation, planner->observation);
    kdp_latents(model->latent_table, key, index, k, model->latent_dim, planner->columns);
    status = kdp_net_run(model->generator, planner->observation, planner->columns, k, planner->windows,
                         planner->scratch, planner->scratch_size);
    if (status != 0) {
        return status;
    }
    status = rank(planner);
    if (status != 0) {
        return status;
    }
    size_t window = kdp_model_window(model);
    plan->digest = kdp_crc32(0, planner->windows, model->k * (window + 1));
    plan->best = choose(model, planner->scores);
    scale_actions(model, planner->windows + plan->best * window, plan->actions);
    return 0;
}
