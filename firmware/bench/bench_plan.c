/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* A whole plan as the firmware makes it: quantized observation, latents, generator, critic, choice. */
#include <string.h>

#include "bench.h"
#include "kdp_model.h"

static KDP_ALIGNED uint8_t memory[KDP_PLANNER_MEMORY(KDP_MODEL_OBS_DIM, KDP_MODEL_ACT_DIM, KDP_MODEL_HORIZON,
                                                     KDP_MODEL_K, KDP_MODEL_LATENT_DIM,
                                                     KDP_MODEL_CRITIC_STEPS, KDP_MODEL_SCRATCH)];
static float actions[KDP_MODEL_HORIZON * KDP_MODEL_ACT_DIM];
static kdp_planner planner;
static kdp_plan plan;

void bench_prepare(void)
{
    kdp_arena arena = {memory, sizeof memory};
    (void)kdp_planner_init(&planner, &kdp_model_data, &arena);
    plan.actions = actions;
}

static void run_plan(int call)
{
    const kdp_model *const model = &kdp_model_data;
    (void)kdp_planner_plan(&planner, model->golden_observation + call * model->obs_dim,
                           model->golden[call].episode, model->golden[call].index, &plan);
}

/* The digest covers every byte of all candidates' windows and scores. */
static int as_golden(int call)
{
    const kdp_model *const model = &kdp_model_data;
    const kdp_golden *const golden = &model->golden[call];
    const float *const action = model->golden_action + call * model->act_dim;
    return plan.digest == golden->digest && plan.best == golden->best &&
           memcmp(actions, action, model->act_dim * sizeof *action) == 0;
}

const bench_case bench_cases[] = {{"batch", run_plan, as_golden}};
const int bench_case_count = 1;
const int bench_calls = 16;
