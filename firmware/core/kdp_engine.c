/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_engine.h"

#include "kdp_port.h"

int kdp_engine_use(kdp_engine *engine, const kdp_model *model)
{
    kdp_arena arena = {engine->memory, engine->memory_size};
    const kdp_policy_config config = {
        model, NULL, 0, kdp_port_info(engine->context)->tick_hz, engine->context, engine->bounds,
    };
    engine->model = model;
    engine->kept_request_size = 0;
    if (kdp_policy_place(&engine->policy, &config, &arena) != 0) {
        return KDP_ERROR_OUT_OF_MEMORY;
    }
    engine->observation = kdp_arena_take(&arena, sizeof(float) * model->obs_dim);
    engine->kept_request = kdp_arena_take(&arena, KDP_STEP_REQUEST(model->obs_dim));
    engine->kept_reply = kdp_arena_take(&arena, KDP_STEP_REPLY(model->act_dim));
    if (!engine->observation || !engine->kept_request || !engine->kept_reply) {
        return KDP_ERROR_OUT_OF_MEMORY;
    }
    kdp_engine_selftest(engine);
    return 0;
}

void kdp_engine_selftest(kdp_engine *engine)
{
    kdp_selftest *selftest = &engine->policy.selftest;
    (void)kdp_policy_selftest(&engine->policy);
    selftest->passed = selftest->passed && kdp_port_image_ok(engine->context);
}
