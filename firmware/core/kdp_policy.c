/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_policy.h"

int kdp_policy_place(kdp_policy *policy, const kdp_policy_config *config, kdp_arena *arena)
{
    const kdp_model *bounds = config->bounds != NULL ? config->bounds : config->model;
    policy->selftest.passed = false;
    if ((uintptr_t)arena->next % KDP_ALIGNMENT != 0 ||
        kdp_planner_init(&policy->planner, config->model, arena) != 0) {
        return KDP_ERROR_OUT_OF_MEMORY;
    }
    return kdp_failsafe_init(&policy->failsafe, &policy->planner, bounds, arena, config->tick_hz, config->context);
}

int kdp_policy_init(kdp_policy *policy, const kdp_policy_config *config)
{
    kdp_arena arena = {(uint8_t *)config->memory, config->memory_size};
    int status = kdp_policy_place(policy, config, &arena);
    return status != 0 ? status : kdp_policy_selftest(policy);
}

kdp_state kdp_policy_reset(kdp_policy *policy, uint32_t episode, kdp_pace pace)
{
    return kdp_failsafe_reset(&policy->failsafe, episode, pace);
}

int kdp_policy_step(kdp_policy *policy, uint32_t step, const float *observation, kdp_action *action)
{
    kdp_failsafe *failsafe = &policy->failsafe;
    if (failsafe->state != KDP_IDLE && !policy->selftest.passed) {
        return KDP_ERROR_SELFTEST_FAILED;
    }
    return observation != NULL ? kdp_failsafe_step(failsafe, step, observation, action)
                               : kdp_failsafe_tick(failsafe, step, action);
}

bool kdp_policy_prepare(kdp_policy *policy, const float *observation)
{
    return policy->selftest.passed && kdp_failsafe_prepare(&policy->failsafe, observation);
}

int kdp_policy_selftest(kdp_policy *policy)
{
    policy->selftest = kdp_selftest_run(&policy->planner, kdp_failsafe_spare(&policy->failsafe));
    return policy->selftest.passed ? 0 : KDP_ERROR_SELFTEST_FAILED;
}

kdp_state kdp_policy_arm(kdp_policy *policy)
{
    return kdp_failsafe_arm(&policy->failsafe);
}

bool kdp_policy_watch(kdp_policy *policy, kdp_action *action)
{
    return policy->selftest.passed && kdp_failsafe_watch(&policy->failsafe, action);
}
