/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_engine.h"

int kdp_engine_use(kdp_engine *engine, const kdp_model *model)
{
    kdp_arena arena = {engine->memory, engine->memory_size};
    engine->model = model;
    engine->kept_request_size = 0;
    if (kdp_planner_init(&engine->planner, model, &arena) != 0 ||
        kdp_failsafe_init(&engine->failsafe, &engine->planner, engine->bounds, &arena) != 0) {
        return KDP_ERROR_OUT_OF_MEMORY;
    }
    engine->observation = kdp_arena_take(&arena, sizeof(float) * model->obs_dim);
    engine->kept_request = kdp_arena_take(&arena, KDP_STEP_REQUEST(model->obs_dim));
    engine->kept_reply = kdp_arena_take(&arena, KDP_STEP_REPLY(model->act_dim));
    if (!engine->observation || !engine->kept_request || !engine->kept_reply) {
        return KDP_ERROR_OUT_OF_MEMORY;
    }
    engine->selftest = kdp_selftest_run(&engine->planner, kdp_failsafe_spare(&engine->failsafe));
    return 0;
}
