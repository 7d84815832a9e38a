/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_selftest.h"

#include <string.h>

static bool vector_passes(kdp_planner *planner, kdp_plan *spare, size_t i)
{
    const kdp_model *model = planner->model;
    const kdp_golden *golden = &model->golden[i];
    const float *observation = model->golden_observation + i * model->obs_dim;
    const float *action = model->golden_action + i * model->act_dim;
    if (kdp_planner_plan(planner, observation, golden->episode, golden->index, spare) != 0) {
        return false;
    }
    return spare->digest == golden->digest && spare->best == golden->best &&
           memcmp(spare->actions, action, sizeof(float) * model->act_dim) == 0;
}

kdp_selftest kdp_selftest_run(kdp_planner *planner, kdp_plan *spare)
{
    kdp_selftest result = {true, planner->model->golden_count, KDP_NONE_FAILED};
    for (uint16_t i = 0; i < result.vectors && result.first_failed == KDP_NONE_FAILED; i++) {
        if (!vector_passes(planner, spare, i)) {
            result.first_failed = i;
        }
    }
    result.passed = result.first_failed == KDP_NONE_FAILED && result.vectors > 0;
    return result;
}
