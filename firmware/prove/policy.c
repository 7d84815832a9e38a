/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * A policy in a program of its own: any model of the shape, any calls for ever. The planner is any_plan.c.
 */
#include "kdp_policy.h"

#include "any.h"
#include "any_model.h"

KDP_ALIGNED static uint8_t memory[ANY_MEMORY];
static kdp_policy policy;
static float observation[OBS];

static void step(const float *seen)
{
    kdp_action action;
    if (kdp_policy_step(&policy, any_u32(), seen, &action) == 0) {
        //@ assert an_action_of_its_own: action.values == policy.failsafe.previous;
    }
}

static void call_anything(void)
{
    kdp_action action;
    switch (any_between(0, 6)) {
    case 0:
        any_bytes(observation, sizeof observation);
        step(observation);
        break;
    case 1:
        step(NULL);
        break;
    case 2:
        (void)kdp_policy_reset(&policy, any_u32(), any_between(0, 1) != 0 ? KDP_REAL : KDP_LOCKSTEP);
        break;
    case 3:
        (void)kdp_policy_arm(&policy);
        break;
    case 4:
        (void)kdp_policy_selftest(&policy);
        break;
    case 5:
        (void)kdp_policy_prepare(&policy, observation);
        break;
    default:
        (void)kdp_policy_watch(&policy, &action);
    }
}

static void serve(void)
{
    for (;;) {
        call_anything();
    }
}

int main(void)
{
    const kdp_policy_config config = {any_model(), memory, sizeof memory, any_u32(), NULL, NULL};
    if (kdp_policy_init(&policy, &config) == KDP_ERROR_OUT_OF_MEMORY) {
        return 1;
    }
    serve();
}
