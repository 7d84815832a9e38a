/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The fail-safe: what an actuator is told when things go well, late, wrong or not at all.
 *
 *     IDLE -- RESET --> RUNNING     the action comes from a plan made in time
 *                          ^ |
 *             plan in time | | late, bad or no observation, or silence
 *                          | v
 *                       REPLAYING   the next step of the last plan
 *                          ^ |
 *               (as above) | | nothing left to replay
 *                          | v
 *                         SAFE      the declared safe action; after a late plan back to REPLAYING
 *                            |
 *                            | more than safe_steps steps that no plan made in time covers
 *                            v
 *     IDLE <-- ARM ----- LATCHED    the safe action, whatever comes
 *
 * At the pace KDP_REAL a host that falls silent is replaced by the device's own clock (kdp_failsafe_watch).
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

#ifdef __cplusplus
extern "C" {
#endif

/* States, in order of growing concern; the values travel on the link. */
typedef enum kdp_state {
    KDP_IDLE = 0,      /* no RESET since boot or ARM: control steps are refused */
    KDP_RUNNING = 1,   /* the action comes from a plan made for this step or still in its chunk */
    KDP_REPLAYING = 2, /* the action is the next step of the last plan */
    KDP_SAFE = 3,      /* the declared safe action */
    KDP_LATCHED = 4    /* the safe action until ARM */
} kdp_state;

/* Whose clock runs; the values travel on the link. */
typedef enum kdp_pace {
    KDP_LOCKSTEP = 0, /* the host's: a simulation may stand still, silence means nothing */
    KDP_REAL = 1      /* the world's: silence is a fault */
} kdp_pace;

/* Why an action is what it is: bits of the reply's flags. */
enum {
    KDP_FLAG_PLANNED = 1,         /* a new plan begins: made for this step, or ahead for it */
    KDP_FLAG_BAD_OBSERVATION = 2, /* not finite, or outside its range */
    KDP_FLAG_OVERRUN = 4,         /* the plan took longer than the deadline */
    KDP_FLAG_MISSED = 8,          /* no observation came: TICK, or silence */
    KDP_FLAG_LIMITED = 16,        /* range or rate limit changed the action */
    KDP_FLAG_SATURATED = 32,      /* accepted, but beyond what int8 can tell apart */
    KDP_FLAG_AHEAD = 64           /* that plan was made ahead, in the step before */
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
    uint32_t saturated;
    uint32_t own;          /* steps played by the device's own clock */
    uint32_t longest_plan; /* ticks */
} kdp_counters;

/* The machine. All fields are its own; read `state` and `counters`, write nothing. */
typedef struct kdp_failsafe {
    const kdp_model *model;
    const kdp_model *bounds; /* the model whose limits no other may exceed */
    kdp_planner *planner;
    void *context;    /* of kdp_port_now */
    uint32_t tick_hz; /* of the same */
    kdp_counters counters;
    kdp_state state;
    kdp_pace pace;
    uint32_t episode;
    uint32_t plan_count; /* plans since RESET: counter of the latents */
    int64_t last_step;   /* the host's; -1 after RESET */
    uint32_t uncovered;  /* steps since a plan made in time reached the step at hand */
    kdp_plan slot[2];    /* the plan in use and, while one is made, the next */
    kdp_plan next;       /* the plan made ahead; without memory where the model makes none */
    bool ready;          /* it is made */
    bool ends;           /* the step played last is the last one of its chunk, and nothing came since */
    uint32_t next_ticks; /* from the begin of the step that it was made in to its end */
    uint8_t current;     /* index of the plan in use */
    uint8_t age;         /* index of its step played last; KDP_NO_PLAN when that was not one */
    bool has_plan;
    bool late;           /* the plan in use was late: to be replayed from, nothing else */
    uint8_t lateness;    /* periods that it took, until a step has passed them */
    uint16_t own;        /* steps played by the device's clock that no reply has told yet */
    uint32_t beyond;     /* control steps by which they went beyond the host's last */
    uint32_t clock;      /* tick of the last look at it */
    uint64_t waited;     /* ticks since the last step, whosever */
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
    uint32_t ticks;    /* from its observation to the end of the plan that begins here, 0 without one */
    uint16_t own;      /* steps that the device played by its own clock before this one */
} kdp_action;

/* Bytes that kdp_failsafe_init cuts from its arena. */
#define KDP_FAILSAFE_MEMORY(act_dim, horizon, ahead) \
    ((2u + (ahead)) * KDP_ROUND(4u * (horizon) * (act_dim)) + KDP_ROUND(4u * (act_dim)))

/*
 * Prepare an IDLE machine. `bounds` is the planner's model, or one of the same actions whose range, rate,
 * deadline and step counts its own are narrowed to. kdp_port_now counts tick_hz times a second.
 * Returns 0, or KDP_ERROR_OUT_OF_MEMORY when the arena is too small.
 */
int kdp_failsafe_init(kdp_failsafe *failsafe, kdp_planner *planner, const kdp_model *bounds, kdp_arena *arena,
                      uint32_t tick_hz, void *context);

/* A latch from before a restart: LATCHED from the start. */
void kdp_failsafe_latch(kdp_failsafe *failsafe);

/*
 * RESET: a new episode. Forgets the plan, keeps a latch and the action played last, from which the rate
 * limit goes on. Returns the state.
 */
kdp_state kdp_failsafe_reset(kdp_failsafe *failsafe, uint32_t episode, kdp_pace pace);

/* ARM: leave the latch; the next RESET starts over. Returns the state. */
kdp_state kdp_failsafe_arm(kdp_failsafe *failsafe);

/*
 * The dead man. Call it often, at least once a wrap of kdp_port_now: at the pace KDP_REAL, when no control
 * step came for silent_steps periods and from then on every period, it plays a step as if none had come.
 * Returns whether it did; then `action` is what the actuators do now.
 */
bool kdp_failsafe_watch(kdp_failsafe *failsafe, kdp_action *action);

/* Steps that the watch has played and no reply has told: for the replies to RESET and ARM. Forgets them. */
uint16_t kdp_failsafe_take_own(kdp_failsafe *failsafe);

/*
 * STEP: control step `step` with its observation [obs_dim]; any bit pattern is allowed in it.
 * Returns 0 and fills `action`, or a refusal. NOT_READY and STALE change nothing but the stale counter; after
 * SELFTEST_FAILED, a planner that fails, the step has passed without an action.
 */
int kdp_failsafe_step(kdp_failsafe *failsafe, uint32_t step, const float *observation, kdp_action *action);

/* TICK: control step `step` passed without an observation. Returns as kdp_failsafe_step. */
int kdp_failsafe_tick(kdp_failsafe *failsafe, uint32_t step, kdp_action *action);

/*
 * After the action of a step went to the actuators: if its chunk ends and the model plans ahead, make the next
 * plan from the step's observation [obs_dim]. The next step then plays it without planning; without this call
 * it makes a plan of its own. Returns whether a plan was made.
 */
bool kdp_failsafe_prepare(kdp_failsafe *failsafe, const float *observation);

/* The plan slot that is not in use: for plans that must not disturb control (PLAN, SELFTEST). */
kdp_plan *kdp_failsafe_spare(kdp_failsafe *failsafe);

#ifdef __cplusplus
}
#endif

#endif
