/*
 * The fail-safe: what an actuator is told when things go well, late, wrong or not at all.
 *
 *     IDLE -- RESET --> RUNNING     the action comes from a plan made in time
 *                          ^ |
 *             plan in time | | late, bad or no observation
 *                          | v
 *                       REPLAYING   the next step of the last plan
 *                          ^ |
 *               (as above) | | nothing left to replay
 *                          | v
 *                         SAFE      the declared safe action; after a late plan back to REPLAYING
 *                            |
 *                            | more than safe_steps safe actions since the last plan in time
 *                            v
 *     IDLE <-- ARM ----- LATCHED    the safe action, whatever comes
 *
 * kdp_edge/wire/twin.py is the same machine in Python, same order of checks, same counters; the host holds
 * every reply against it. docs/protocol.md, "What a control step does", says it in words.
 */
#ifndef KDP_FAILSAFE_H
#define KDP_FAILSAFE_H

#include <stdbool.h>
#include <stdint.h>

#include "kdp_error.h"
#include "kdp_planner.h"

/* States, in order of growing concern; the values travel on the link. */
typedef enum kdp_state {
    KDP_IDLE = 0,      /* no RESET since boot or ARM: control steps are refused */
    KDP_RUNNING = 1,   /* the action comes from a plan made for this step or still in its chunk */
    KDP_REPLAYING = 2, /* the action is the next step of the last plan */
    KDP_SAFE = 3,      /* the declared safe action */
    KDP_LATCHED = 4    /* the safe action until ARM */
} kdp_state;

/* Why an action is what it is: bits of the reply's flags. */
enum {
    KDP_FLAG_PLANNED = 1,         /* a new plan was made for this step */
    KDP_FLAG_BAD_OBSERVATION = 2, /* not finite, or outside its range */
    KDP_FLAG_OVERRUN = 4,         /* the plan took longer than the deadline */
    KDP_FLAG_MISSED = 8,          /* no observation came (TICK) */
    KDP_FLAG_LIMITED = 16         /* range or rate limit changed the action */
};

/* `age` of a reply whose action is not a step of a plan. */
#define KDP_NO_PLAN 255u

/* What happened since boot; each wraps at 2^32. */
typedef struct kdp_counters {
    uint32_t plans;
    uint32_t replayed;
    uint32_t safe;
    uint32_t latches;
    uint32_t bad_observations;
    uint32_t overruns;
    uint32_t missed;
    uint32_t stale;
    uint32_t limited;
    uint32_t longest_plan; /* ticks */
} kdp_counters;

/* The machine. All fields are its own; read `state` and `counters`, write nothing. */
typedef struct kdp_failsafe {
    const kdp_model *model;
    kdp_planner *planner;
    kdp_counters counters;
    kdp_state state;
    uint32_t episode;
    uint32_t plan_count; /* plans since RESET: counter of the latents */
    int64_t last_step;   /* -1 after RESET */
    uint32_t safe_count; /* safe actions since the last plan in time */
    kdp_plan slot[2];    /* the plan in use and, while one is made, the next */
    uint8_t current;     /* index of the plan in use */
    uint8_t age;         /* index of its step played last; KDP_NO_PLAN when that was not one */
    bool has_plan;
    float *previous;     /* [act_dim] the action played last */
} kdp_failsafe;

/* What a control step answers; `action` is valid until the next step. */
typedef struct kdp_action {
    uint32_t step;
    kdp_state state;
    uint8_t flags;
    uint8_t candidate; /* of the plan in use, 0 without one */
    uint8_t age;
    uint32_t digest;   /* of the last plan made, 0 before the first */
    const float *values; /* [act_dim], within limits: the only numbers an actuator ever sees */
    uint32_t ticks;    /* how long the plan of this step took, 0 without one */
} kdp_action;

/* Bytes that kdp_failsafe_init cuts from its arena. */
#define KDP_FAILSAFE_MEMORY(act_dim, horizon) \
    (2u * KDP_ROUND(4u * (horizon) * (act_dim)) + KDP_ROUND(4u * (act_dim)))

/* Prepare an IDLE machine. Returns 0, or KDP_ERROR_OUT_OF_MEMORY when the arena is too small. */
int kdp_failsafe_init(kdp_failsafe *failsafe, kdp_planner *planner, kdp_arena *arena);

/* RESET: a new episode. Forgets the plan, keeps a latch. Returns the state. */
kdp_state kdp_failsafe_reset(kdp_failsafe *failsafe, uint32_t episode);

/* ARM: leave the latch; the next RESET starts over. Returns the state. */
kdp_state kdp_failsafe_arm(kdp_failsafe *failsafe);

/*
 * STEP: control step `step` with its observation [obs_dim]; any bit pattern is allowed in it.
 * Returns 0 and fills `action`, or a negated refusal and leaves everything but the stale counter.
 */
int kdp_failsafe_step(kdp_failsafe *failsafe, uint32_t step, const float *observation, kdp_action *action);

/* TICK: control step `step` passed without an observation. Returns as kdp_failsafe_step. */
int kdp_failsafe_tick(kdp_failsafe *failsafe, uint32_t step, kdp_action *action);

/* The plan slot that is not in use: for plans that must not disturb control (PLAN, SELFTEST). */
kdp_plan *kdp_failsafe_spare(kdp_failsafe *failsafe);

#endif
