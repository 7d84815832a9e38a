/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Whole plans of KDP and of its rivals, each in the form that would be deployed: the same kernels, latents,
 * critic and choice. Denoising goes on in int8 between its steps, and a noise level's part of the first layer is a
 * constant: what is known before any plan is not computed in one. */
#include "bench_rivals.h"

#include <string.h>

#include "bench.h"
#include "bench_net.h"
#include "kdp_frame.h"
#include "kdp_latents.h"

#define WINDOW (KDP_MODEL_HORIZON * (KDP_MODEL_OBS_DIM + KDP_MODEL_ACT_DIM))
#define CANDIDATES (KDP_MODEL_K * WINDOW)
#define JUDGED (KDP_MODEL_CRITIC_STEPS * KDP_MODEL_ACT_DIM)

static KDP_ALIGNED uint8_t memory[KDP_PLANNER_MEMORY(KDP_MODEL_OBS_DIM, KDP_MODEL_ACT_DIM, KDP_MODEL_HORIZON,
                                                     KDP_MODEL_K, KDP_MODEL_LATENT_DIM,
                                                     KDP_MODEL_CRITIC_STEPS, KDP_MODEL_SCRATCH)];
static KDP_ALIGNED uint8_t scratch[BENCH_SCRATCH];
static KDP_ALIGNED int8_t noisy[CANDIDATES];
static KDP_ALIGNED int8_t windows[CANDIDATES + KDP_MODEL_K]; /* scores right behind the windows */
static int8_t judged[KDP_MODEL_K * JUDGED];
static int8_t state[KDP_MODEL_OBS_DIM];
static float actions[KDP_MODEL_HORIZON * KDP_MODEL_ACT_DIM];
static kdp_planner planner;
static kdp_plan plan;

void bench_prepare(void)
{
    kdp_arena arena = {memory, sizeof memory};
    (void)kdp_planner_init(&planner, &kdp_model_data, &arena);
    plan.actions = actions;
}

/* ---- KDP: what firmware/core does */

static void run_kdp(int call)
{
    const kdp_model *const model = &kdp_model_data;
    (void)kdp_planner_plan(&planner, model->golden_observation + call * model->obs_dim,
                           model->golden[call].episode, model->golden[call].index, &plan);
}

static int kdp_as_golden(int call)
{
    const kdp_golden *const golden = &kdp_model_data.golden[call];
    return plan.digest == golden->digest && plan.best == golden->best;
}

/* ---- rivals */

static int8_t to_int8(int32_t value)
{
    return (int8_t)(value > 127 ? 127 : value < -128 ? -128 : value);
}

static void observe(int call)
{
    const kdp_model *const model = &kdp_model_data;
    const float *const observation = model->golden_observation + call * model->obs_dim;
    for (size_t i = 0; i < KDP_MODEL_OBS_DIM; i++) {
        float value = (observation[i] - model->obs_offset[i]) * model->obs_gain[i];
        value = (value > 127.0f ? 127.0f : value < -128.0f ? -128.0f : value) + 0.5f;
        const int32_t whole = (int32_t)value;
        state[i] = (int8_t)((float)whole > value ? whole - 1 : whole);
    }
}

/* The lowest best of `count` windows, candidate 0 favoured by the margin, and its actions. */
static void rank_and_choose(size_t count, int ranked)
{
    const kdp_model *const model = &kdp_model_data;
    int8_t *const scores = windows + count * WINDOW;
    memset(scores, 0, count);
    if (ranked) {
        for (size_t j = 0; j < count; j++) {
            for (size_t step = 0; step < KDP_MODEL_CRITIC_STEPS; step++) {
                memcpy(judged + j * JUDGED + step * KDP_MODEL_ACT_DIM,
                       windows + j * WINDOW + step * (KDP_MODEL_OBS_DIM + KDP_MODEL_ACT_DIM) + KDP_MODEL_OBS_DIM,
                       KDP_MODEL_ACT_DIM);
            }
        }
        kdp_net_run(model->critic, state, judged, (int)count, scores, scratch, sizeof scratch);
    }
    plan.best = 0;
    int32_t best_score = scores[0] + model->margin;
    for (size_t j = 1; j < count; j++) {
        if (scores[j] > best_score) {
            plan.best = (uint8_t)j;
            best_score = scores[j];
        }
    }
    plan.digest = kdp_crc32(0, windows, count * (WINDOW + 1));
    for (size_t i = 0; i < KDP_MODEL_HORIZON * KDP_MODEL_ACT_DIM; i++) {
        const size_t step = i / KDP_MODEL_ACT_DIM, actuator = i % KDP_MODEL_ACT_DIM;
        const size_t at = step * (KDP_MODEL_OBS_DIM + KDP_MODEL_ACT_DIM) + KDP_MODEL_OBS_DIM + actuator;
        actions[i] = (float)windows[plan.best * WINDOW + at] * model->act_gain[i] + model->act_offset[actuator];
    }
}

static void run_diffusion(int call, const bench_schedule *schedule)
{
    const kdp_model *const model = &kdp_model_data;
    const uint32_t key[2] = {model->seed, model->golden[call].episode};
    kdp_net net = bench_denoiser;
    observe(call);
    kdp_latents(model->latent_table, key, model->golden[call].index, KDP_MODEL_K, WINDOW, noisy);
    for (int i = 0; i < schedule->count; i++) {
        const bench_step *const step = &schedule->steps[i];
        net.shared.rows = step->rows;
        kdp_net_run(&net, state, noisy, KDP_MODEL_K, windows, scratch, sizeof scratch);
        if (i + 1 < schedule->count) {
            for (size_t c = 0; c < CANDIDATES; c++) {
                const int32_t sum = step->keep * noisy[c] + step->gain * windows[c];
                noisy[c] = to_int8(((sum + (1 << 14) + (256 << 15)) >> 15) - 256); /* nothing negative is shifted */
            }
        }
    }
    rank_and_choose(KDP_MODEL_K, KDP_MODEL_K > 1);
}

static void run_diffusion_20(int call)
{
    run_diffusion(call, &bench_schedules[0]);
}

static void run_diffusion_5(int call)
{
    run_diffusion(call, &bench_schedules[1]);
}

static void run_diffusion_1(int call)
{
    run_diffusion(call, &bench_schedules[2]);
}

static void run_clone(int call)
{
    observe(call);
    kdp_net_run(&bench_clone, NULL, state, 1, windows, scratch, sizeof scratch);
    rank_and_choose(1, 0);
}

static int as_answered(int which, int call)
{
    const bench_answer *const answer = &bench_answers[which][call];
    const int equal = plan.digest == answer->digest && plan.best == answer->best;
    plan.digest = 0; /* a case that does nothing must not inherit the answer */
    return equal;
}

static int diffusion_20_equal(int call)
{
    return as_answered(0, call);
}

static int diffusion_5_equal(int call)
{
    return as_answered(1, call);
}

static int diffusion_1_equal(int call)
{
    return as_answered(2, call);
}

static int clone_equal(int call)
{
    return as_answered(3, call);
}

const bench_case bench_cases[] = {
    {"kdp", run_kdp, kdp_as_golden},
    {"diffusion-20", run_diffusion_20, diffusion_20_equal},
    {"diffusion-5", run_diffusion_5, diffusion_5_equal},
    {"diffusion-1", run_diffusion_1, diffusion_1_equal},
    {"clone", run_clone, clone_equal},
};
const int bench_case_count = sizeof bench_cases / sizeof bench_cases[0];
const int bench_calls = 16;

void bench_repeat(int which, int call, int count)
{
    for (int i = 0; i < count; i++) {
        bench_cases[which].run(call);
    }
}
