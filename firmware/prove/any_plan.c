/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * What planner.c proves of kdp_planner_plan, in place of the planner: any window, any score, a choice below k,
 * actions that are numbers; or an error.
 */
#include "any.h"
#include "kdp_planner.h"

int kdp_planner_plan(kdp_planner *planner, const float *observation, uint32_t episode, uint32_t index, kdp_plan *plan)
{
    const kdp_model *model = planner->model;
    size_t k = model->k;
    (void)observation;
    (void)episode;
    (void)index;
    any_bytes(planner->observation, model->obs_dim);
    any_bytes(planner->windows, k * (kdp_model_window(model) + 1));
    if (any_between(0, 1) != 0) {
        return KDP_ERROR_NET_SCRATCH;
    }
    plan->digest = any_u32();
    plan->best = (uint8_t)any_between(0, model->k - 1);
    for (size_t i = 0; i < (size_t)model->horizon * model->act_dim; i++) {
        plan->actions[i] = any_number();
    }
    return 0;
}
