/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * A policy whose nets the host runs, as a shared library: to hear what C planner and the host's inference plan
 * together.
 */
#include "kdp_model.h"
#include "kdp_net_invoke.h"

typedef int (*invoke_t)(int critic, const int8_t *input, int8_t *output);

int kdp_invoke_library_start(invoke_t function);
int kdp_invoke_library_plan(const float *observation, uint32_t episode, uint32_t index, uint32_t *digest);

static invoke_t invoke;
static kdp_policy policy;
KDP_ALIGNED static uint8_t memory[KDP_MODEL_MEMORY];

int kdp_net_invoke(const kdp_net *net, const int8_t *input, int8_t *output)
{
    return invoke(net == kdp_model_data.critic, input, output);
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    return 0;
}

/* Returns as kdp_policy_init, which runs the self-test. */
int kdp_invoke_library_start(invoke_t function)
{
    const kdp_policy_config config = {&kdp_model_data, memory, sizeof memory, 1000000u, NULL, NULL};
    invoke = function;
    return kdp_policy_init(&policy, &config);
}

int kdp_invoke_library_plan(const float *observation, uint32_t episode, uint32_t index, uint32_t *digest)
{
    kdp_plan *spare = kdp_failsafe_spare(&policy.failsafe);
    int status = kdp_planner_plan(&policy.planner, observation, episode, index, spare);
    *digest = spare->digest;
    return status;
}
