/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The model in use, and everything whose size depends on it: planner, fail-safe, self-test, buffers.
 *
 * Another model can take its place at any time in IDLE; the memory stays.
 */
#ifndef KDP_ENGINE_H
#define KDP_ENGINE_H

#include "kdp_frame.h"
#include "kdp_policy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bodies of STEP and TICK: the largest request and reply that are kept for a repeated request. */
#define KDP_STEP_REQUEST(obs_dim) (KDP_FRAME_HEADER + 4u + 4u * (obs_dim))
#define KDP_STEP_REPLY(act_dim) (KDP_FRAME_HEADER + 18u + 4u * (act_dim))

/*
 * Bytes of memory an engine needs for a model of these dimensions. kdp_model.h defines
 * KDP_MODEL_SERVER_MEMORY with it; `scratch` is the larger need of generator and critic.
 */
#define KDP_SERVER_MEMORY(obs_dim, act_dim, horizon, k, latent_dim, critic_steps, ahead, scratch) \
    (KDP_POLICY_MEMORY(obs_dim, act_dim, horizon, k, latent_dim, critic_steps, ahead, scratch) +  \
     KDP_ROUND(4u * (obs_dim)) +                                                                  \
     KDP_ROUND(KDP_STEP_REQUEST(obs_dim)) + KDP_ROUND(KDP_STEP_REPLY(act_dim)))

typedef struct kdp_engine {
    const kdp_model *model;
    const kdp_model *bounds; /* the model compiled in: no other may exceed its limits */
    kdp_policy policy;
    void *context;        /* of the port */
    void *memory;         /* KDP_ALIGNED */
    size_t memory_size;
    float *observation;   /* [obs_dim] of the request at hand, aligned */
    uint8_t *kept_request, *kept_reply; /* bodies of the last control step that was carried out */
    uint16_t kept_request_size, kept_reply_size; /* 0: none */
} kdp_engine;

/*
 * Use another model from now on, IDLE and with an empty plan, and run its self-test. It must stay
 * where it is. Returns 0, or KDP_ERROR_OUT_OF_MEMORY when it needs more than `memory_size`: then no model
 * is in use and the next call must be this one with another.
 */
int kdp_engine_use(kdp_engine *engine, const kdp_model *model);

/* The policy's self-test, and whether the program is intact: policy.selftest has passed only with both. */
void kdp_engine_selftest(kdp_engine *engine);

#ifdef __cplusplus
}
#endif

#endif
