/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Planner, latents and portable kernels: any model of the shape, any observation, any content of memory.
 */
#include "any.h"
#include "any_model.h"

KDP_ALIGNED static uint8_t memory[ANY_MEMORY];

int main(void)
{
    static kdp_planner planner;
    static float observation[OBS], actions[HORIZON * ACT];
    kdp_plan plan = {0, 0, actions};
    kdp_arena arena = {memory, sizeof memory};
    if (kdp_planner_init(&planner, any_model(), &arena) != 0) {
        return 1;
    }
    any_bytes(planner.observation, OBS);
    any_bytes(planner.columns, K * KDP_LARGER(LATENT, PLAYED));
    any_bytes(planner.windows, K * (WINDOW + 1));
    any_bytes(planner.scratch, planner.scratch_size);
    any_bytes(observation, sizeof observation); /* what PLAN lets in: any float */
    if (kdp_planner_plan(&planner, observation, any_u32(), any_u32(), &plan) != 0) {
        return 1;
    }
    //@ assert a_candidate: plan.best < K;
    for (size_t i = 0; i < (size_t)HORIZON * ACT; i++) {
        //@ assert no_nan: !\is_NaN(actions[i]);
    }
    return 0;
}
