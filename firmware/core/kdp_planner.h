/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The planner: one observation in, K candidate windows, the chosen one's actions out.
 *
 * Bit for bit the arithmetic of kdp_edge/quantization/plan.py: float32 with one rounding per operation
 * (KDP_ROUND_EACH of kdp_compiler.h), integer nets, latents from a counter. A plan's time does not depend on data.
 */
#ifndef KDP_PLANNER_H
#define KDP_PLANNER_H

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdp_error.h"
#include "kdp_nn.h"

#ifdef __cplusplus
extern "C" {
#endif

#if !defined(FLT_EVAL_METHOD) || (FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16) /* 16: as 0, but for _Float16 */
#error "the planner needs float arithmetic that rounds to float: FLT_EVAL_METHOD must be 0 or 16"
#endif

/* One golden vector: what the integer reference answered to one observation. */
typedef struct kdp_golden {
    uint32_t episode, index; /* of the latents */
    uint32_t digest;         /* CRC-32 of all windows, then all scores */
    uint8_t best;            /* chosen candidate */
} kdp_golden;

/*
 * One deployable policy, as constant data. kdp_model.c, which `kdp-edge export --target firmware`
 * writes, defines one; nothing in it is ever written to.
 */
typedef struct kdp_model {
    uint16_t obs_dim;      /* 1 or more */
    uint8_t act_dim;       /* 1 or more */
    uint8_t horizon;       /* steps of a window, 1 to 254 */
    uint8_t chunk;         /* steps played before the next plan, 1 to horizon */
    uint8_t ahead;         /* 1: the next plan is made in a chunk's last step; then chunk is 2 or more */
    uint8_t k;             /* candidates, 1 to 64; candidate 0 has latent 0 */
    uint8_t latent_dim;    /* 0: an actor, which has one candidate of one step and no critic */
    uint8_t critic_steps;  /* steps whose actions the critic reads, 1 to horizon; 0 of an actor */
    int32_t margin;        /* critic units by which a candidate must beat candidate 0 */
    uint32_t seed;         /* first half of the latents' key */
    uint32_t safe_steps;   /* control steps that no plan made in time covers before the stop is latched */
    uint32_t silent_steps; /* periods of silence before the device plays by its own clock, 1 or more */
    uint32_t rate_millihertz; /* control rate, 1 or more */
    uint32_t deadline_us;  /* for one plan, by the device's own clock */

    const float *obs_offset, *obs_gain; /* [obs_dim] q = clamp(floor((x - offset) * gain + 0.5)) */
    const float *obs_low, *obs_high;    /* [obs_dim] accepted range, limits included */
    const float *act_gain;              /* [horizon][act_dim] action = q * gain + offset */
    const float *act_offset;            /* [act_dim] */
    const float *act_low, *act_high;    /* [act_dim] range of an action, action units */
    const float *act_rate;              /* [act_dim] largest change between two control steps */
    const float *safe_action;           /* [act_dim] */
    const uint8_t *safe_hold;           /* [act_dim] 1: a stop plays the value played last instead */
    const int8_t *latent_table;         /* [256] */

    const kdp_net *generator; /* obs_dim + latent_dim -> window */
    const kdp_net *critic;    /* obs_dim + critic_steps * act_dim -> 1; NULL, or k 1: all scores are 0 */

    const uint8_t *sha256;        /* [32] of nets and plan spec */
    const uint8_t *schema_sha256; /* [32] of names, units, order and rate of the signals */

    uint16_t golden_count;
    const kdp_golden *golden;        /* [golden_count] */
    const float *golden_observation; /* [golden_count][obs_dim] */
    const float *golden_action;      /* [golden_count][act_dim], first action before limits */
} kdp_model;

/* Length of a window: horizon * (obs_dim + act_dim), of an actor act_dim. */
size_t kdp_model_window(const kdp_model *model);

/* One plan. `actions` is float [horizon][act_dim], before limits, in memory the owner provides. */
typedef struct kdp_plan {
    uint32_t digest;
    uint8_t best;
    float *actions;
} kdp_plan;

/* Workspace of the planner. The fields are for reading: PLAN replies show windows and scores. */
typedef struct kdp_planner {
    const kdp_model *model;
    int8_t *observation; /* [obs_dim] quantised */
    int8_t *columns;     /* [k][latent_dim], later [k][critic_steps * act_dim] */
    int8_t *windows;     /* [k][window] */
    int8_t *scores;      /* [k], right behind the windows: one digest over both */
    void *scratch;
    size_t scratch_size;
} kdp_planner;

/* Room for `bytes` in an arena whose pieces stay aligned for the kernels. */
#define KDP_ROUND(bytes) (((size_t)(bytes) + KDP_ALIGNMENT - 1u) / KDP_ALIGNMENT * KDP_ALIGNMENT)

/* Bytes that kdp_planner_init cuts from its arena; `scratch` is the larger need of the two nets. */
#define KDP_PLANNER_MEMORY(obs_dim, act_dim, horizon, k, latent_dim, critic_steps, scratch)               \
    (KDP_ROUND(obs_dim) +                                                                                 \
     KDP_ROUND((k) * ((latent_dim) > (critic_steps) * (act_dim) ? (latent_dim)                            \
                                                                : (critic_steps) * (act_dim))) +          \
     KDP_ROUND((k) * ((horizon) * ((obs_dim) + (act_dim)) + 1)) + KDP_ROUND(scratch))

/* An arena: memory that is handed out once, front to back, at start-up. No heap anywhere. */
typedef struct kdp_arena {
    uint8_t *next; /* aligned to KDP_ALIGNMENT */
    size_t left;
} kdp_arena;

/* Cut `size` bytes off `arena`, or NULL when it is used up. */
void *kdp_arena_take(kdp_arena *arena, size_t size);

/* Prepare `planner` for `model`. Returns 0, or KDP_ERROR_OUT_OF_MEMORY when the arena is too small. */
int kdp_planner_init(kdp_planner *planner, const kdp_model *model, kdp_arena *arena);

/* Whether a signal of a finite observation [obs_dim] lies beyond what its int8 can tell apart. */
bool kdp_planner_saturates(const kdp_planner *planner, const float *observation);

/*
 * Make plan number `index` of an episode from a finite observation [obs_dim].
 *
 * Returns 0, or a KDP_ERROR_NET_* when a net could not run (the workspace does not fit the model).
 */
int kdp_planner_plan(kdp_planner *planner, const float *observation, uint32_t episode, uint32_t index,
                     kdp_plan *plan);

#ifdef __cplusplus
}
#endif

#endif
