/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * One policy in your own program: an observation in, an action within its limits out.
 *
 *     KDP_ALIGNED static uint8_t memory[KDP_MODEL_MEMORY];
 *     static kdp_policy policy;
 *
 *     uint32_t kdp_port_now(void *context) { return my_microseconds(); }
 *
 *     const kdp_policy_config config = {&kdp_model_data, memory, sizeof memory, 1000000u, NULL, NULL};
 *     if (kdp_policy_init(&policy, &config) != 0) stop();
 *     kdp_policy_reset(&policy, 0, KDP_REAL);
 *     for (uint32_t step = 0;; step++) {                // KDP_MODEL_RATE_MILLIHERTZ times in 1000 seconds
 *         kdp_action action;
 *         if (kdp_policy_step(&policy, step, sensors(), &action) != 0) stop();
 *         actuators(action.values);                     // [KDP_MODEL_ACT_DIM], in the units of kdp_model.h
 *     }
 *
 * The model is what `kdp-edge export --target firmware` generated; kdp_model.h has its sizes, the names, units
 * and indices of its signals, its rate and its deadline as macros. A second model in the same program is
 * exported with --prefix and has a kdp_policy and memory of its own. There is no global state and no heap.
 *
 * What is checked before an action comes back:
 *  - the model: kdp_policy_init plans its golden vectors and compares every byte; a policy that failed refuses
 *    every step
 *  - the observation: finite, within its range, of a step after the last one
 *  - the plan: made within the deadline, by kdp_port_now
 *  - the action: within its range, and within its rate around the action before
 * Where one of the last three fails the action is not the plan's: kdp_failsafe.h has the states, and
 * `action.state` and `action.flags` say which it was. An action comes back in every state, and may be played.
 *
 * One policy is used by one thread or interrupt level at a time. Two policies do not touch each other.
 */
#ifndef KDP_POLICY_H
#define KDP_POLICY_H

#include "kdp_clock.h"
#include "kdp_failsafe.h"
#include "kdp_selftest.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of memory for a model of these dimensions; kdp_model.h has them for its model: KDP_MODEL_MEMORY. */
#define KDP_POLICY_MEMORY(obs_dim, act_dim, horizon, k, latent_dim, critic_steps, ahead, scratch) \
    (KDP_PLANNER_MEMORY(obs_dim, act_dim, horizon, k, latent_dim, critic_steps, scratch) +        \
     KDP_FAILSAFE_MEMORY(act_dim, horizon, ahead))

/* What a policy is made of; all of it but the config itself must stay where it is. */
typedef struct kdp_policy_config {
    const kdp_model *model;  /* generated, constant */
    void *memory;            /* KDP_ALIGNED; the policy's own from now on */
    size_t memory_size;      /* bytes, KDP_MODEL_MEMORY or more */
    uint32_t tick_hz;        /* of kdp_port_now, 1 or more; finer than the deadline */
    void *context;           /* handed to kdp_port_now as it is; may be NULL */
    const kdp_model *bounds; /* a model whose limits count as well, or NULL: the model's own alone */
} kdp_policy_config;

/* Its fields are for reading: `failsafe.state`, `failsafe.counters`, `selftest`. */
typedef struct kdp_policy {
    kdp_planner planner;
    kdp_failsafe failsafe;
    kdp_selftest selftest;
} kdp_policy;

/*
 * Prepare a policy, IDLE, and run its self-test, which takes as long as golden_count plans.
 *
 * Returns 0, KDP_ERROR_OUT_OF_MEMORY (memory too small or not aligned: `policy` is not to be used) or
 * KDP_ERROR_SELFTEST_FAILED (as kdp_policy_selftest).
 */
int kdp_policy_init(kdp_policy *policy, const kdp_policy_config *config);

/*
 * A new episode, and the numbering of control steps starts over.
 *
 * episode  seeds the latents: the same episode with the same observations makes the same plans
 * pace     KDP_REAL where the world goes on when no step comes: then kdp_policy_watch is the dead man.
 *          KDP_LOCKSTEP in a simulation that may stand still
 * Returns the state: KDP_RUNNING, or KDP_LATCHED, which only kdp_policy_arm leaves.
 */
kdp_state kdp_policy_reset(kdp_policy *policy, uint32_t episode, kdp_pace pace);

/*
 * Control step `step`: one a period, counted on from any number; a number that was left out is a period that
 * was missed.
 *
 * observation  [KDP_MODEL_OBS_DIM] in the robot's units, any bit pattern; NULL: none came in this period
 * action       filled in; `action->values` is valid until the next call with this policy
 * Returns 0, or without an action KDP_ERROR_NOT_READY (no reset yet), KDP_ERROR_STALE (not above the last step)
 * or KDP_ERROR_SELFTEST_FAILED.
 */
int kdp_policy_step(kdp_policy *policy, uint32_t step, const float *observation, kdp_action *action);

/*
 * Right after the action of a step went to the actuators, with the observation of that step: where the model plans
 * ahead (KDP_MODEL_AHEAD) and the chunk ends, make the next plan now. Then no action waits for its plan but an
 * episode's first. It must be done before the next step is due. Without the call the next step makes its own plan.
 * Returns whether a plan was made.
 */
bool kdp_policy_prepare(kdp_policy *policy, const float *observation);

/*
 * Plan the golden vectors of the model again and compare every byte with the integer reference: right
 * arithmetic, right constants, memory that holds. Does not disturb control but for the time it takes.
 * Returns 0 or KDP_ERROR_SELFTEST_FAILED; `policy->selftest` has the first vector that differed.
 */
int kdp_policy_selftest(kdp_policy *policy);

/* Leave the latch. Returns the state; out of KDP_IDLE leads kdp_policy_reset. */
kdp_state kdp_policy_arm(kdp_policy *policy);

/*
 * The dead man, for the pace KDP_REAL where another part of the program or another computer calls
 * kdp_policy_step: call it often. Returns whether so much time went by without a step that the policy played
 * one by itself; then `action` is what the actuators do now.
 */
bool kdp_policy_watch(kdp_policy *policy, kdp_action *action);

/*
 * For kdp_engine, which cuts more from the same memory: prepare planner and fail-safe from `arena`, and no
 * self-test. Memory in `config` is not looked at. Returns 0 or KDP_ERROR_OUT_OF_MEMORY.
 */
int kdp_policy_place(kdp_policy *policy, const kdp_policy_config *config, kdp_arena *arena);

#ifdef __cplusplus
}
#endif

#endif
