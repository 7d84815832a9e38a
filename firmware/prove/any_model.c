/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "any_model.h"

#include "any.h"

/*
 * The arrays of a net. Its blocks share theirs: each read of them gives any value anyhow.
 */
#define NET(name, columns, outputs, width, middle, depth)                          \
    static int8_t name##_shared_weights[ROWS(width) * INPUTS(OBS)];                      \
    static int8_t name##_first_weights[ROWS(width) * INPUTS(columns)];                   \
    static int8_t name##_inner_weights[ROWS(middle) * INPUTS(width)];                     \
    static int8_t name##_branch_weights[ROWS(width) * INPUTS(middle)];                    \
    static int8_t name##_last_weights[ROWS(outputs) * INPUTS(width) - ONE_SHORT];        \
    static int32_t name##_shared_rows[ROWS(width)], name##_first_rows[4 * ROWS(width)];  \
    static int32_t name##_inner_rows[4 * ROWS(middle)], name##_branch_rows[4 * ROWS(width)]; \
    static int32_t name##_last_rows[4 * ROWS(outputs)];                                  \
    static int32_t name##_add_branch[256], name##_add_residual[128];                     \
    static kdp_block name##_blocks[(depth) + 1];                                   \
    static kdp_net name;                                                                 \
    static void any_##name(void)                                                         \
    {                                                                                    \
        any_bytes(name##_shared_weights, sizeof name##_shared_weights);                  \
        any_bytes(name##_first_weights, sizeof name##_first_weights);                    \
        any_bytes(name##_inner_weights, sizeof name##_inner_weights);                    \
        any_bytes(name##_branch_weights, sizeof name##_branch_weights);                  \
        any_bytes(name##_last_weights, sizeof name##_last_weights);                      \
        any_words(name##_shared_rows, ROWS(width));                                      \
        any_rows(name##_first_rows, ROWS(width), 0);                                     \
        any_rows(name##_inner_rows, ROWS(middle), 0);                                     \
        any_rows(name##_branch_rows, ROWS(width), 1);                                    \
        any_rows(name##_last_rows, ROWS(outputs), 1);                                    \
        any_words(name##_add_branch, 256);                                               \
        any_words(name##_add_residual, 128);                                             \
        for (size_t i = 0; i < (depth); i++) {                                     \
            name##_blocks[i].inner = layer(name##_inner_weights, name##_inner_rows, INPUTS(width), ROWS(middle));   \
            name##_blocks[i].branch = layer(name##_branch_weights, name##_branch_rows, INPUTS(middle), ROWS(width)); \
            name##_blocks[i].add = any_add(name##_add_branch, name##_add_residual);      \
        }                                                                                \
        name.kernel = KDP_KERNEL;                                                        \
        name.block_count = (depth);                                                \
        name.shared_size = OBS;                                                          \
        name.column_size = (columns);                                                    \
        name.output_size = (outputs);                                                    \
        name.hidden_stride = INPUTS(width);                                              \
        name.inner_stride = (depth) > 0 ? INPUTS(middle) : 0;                       \
        name.shared = layer(name##_shared_weights, name##_shared_rows, INPUTS(OBS), ROWS(width)); \
        name.first = layer(name##_first_weights, name##_first_rows, INPUTS(columns), ROWS(width)); \
        name.blocks = name##_blocks;                                                     \
        name.actor = NULL;                                                               \
        name.last = layer(name##_last_weights, name##_last_rows, INPUTS(width), ROWS(outputs)); \
    }

/* is_small of kdp_blob.c */
static int32_t small(void)
{
    return (int32_t)any_between(1 - (1 << 30), (1 << 30) - 1);
}

static void any_words(int32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        words[i] = small();
    }
}

/* row_fits of kdp_blob.c, and more: the rounding constant need not belong to the shift */
static void any_rows(int32_t *rows, size_t count, int32_t least_shift)
{
    for (size_t i = 0; i < count; i++) {
        rows[4 * i] = small();
        rows[4 * i + 1] = (int32_t)any_between(0, INT32_MAX);
        rows[4 * i + 2] = (int32_t)any_between(0, 1 << 30);
        rows[4 * i + 3] = (int32_t)any_between(least_shift, 31);
    }
}

static kdp_layer layer(const int8_t *weights, const int32_t *rows, size_t inputs, size_t outputs)
{
    kdp_layer made = {weights, rows, (uint16_t)inputs, (uint16_t)outputs};
    return made;
}

static kdp_add any_add(const int32_t *branch, const int32_t *residual)
{
    kdp_add add = {branch + 128, residual, (int32_t)any_between(0, INT32_MAX), (int32_t)any_between(1, 1 << 30),
                   (int32_t)any_between(1, 31)};
    return add;
}

NET(generator, LATENT, WINDOW, WIDTH, INNER, BLOCKS)
NET(critic, PLAYED, 1, CRITIC_WIDTH, CRITIC_INNER, CRITIC_BLOCKS)

static float obs_offset[OBS], obs_gain[OBS], obs_low[OBS], obs_high[OBS];
static float act_gain[HORIZON * ACT], act_offset[ACT], act_low[ACT], act_high[ACT], act_rate[ACT], safe_action[ACT];
static int8_t latent_table[256];
static uint8_t safe_hold[ACT];
static uint8_t sha256[32], schema_sha256[32];
static kdp_golden golden[VECTORS];
static float golden_observation[VECTORS * OBS], golden_action[VECTORS * ACT];
static kdp_model model;

static void any_floats(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = any_finite();
    }
}

static void any_limits(void)
{
    any_floats(obs_offset, OBS);
    any_floats(obs_gain, OBS);
    any_floats(obs_low, OBS);
    any_floats(obs_high, OBS);
    any_floats(act_gain, HORIZON * ACT);
    any_floats(act_offset, ACT);
    any_floats(act_rate, ACT);
    any_floats(safe_action, ACT);
    for (size_t i = 0; i < ACT; i++) {
        act_low[i] = -1.0f;
        act_high[i] = 1.0f;
    }
    model.obs_offset = obs_offset;
    model.obs_gain = obs_gain;
    model.obs_low = obs_low;
    model.obs_high = obs_high;
    model.act_gain = act_gain;
    model.act_offset = act_offset;
    model.act_low = act_low;
    model.act_high = act_high;
    model.act_rate = act_rate;
    model.safe_action = safe_action;
    model.safe_hold = safe_hold;
}

static void any_golden(void)
{
    any_bytes(golden, sizeof golden);
    any_floats(golden_observation, VECTORS * OBS);
    any_floats(golden_action, VECTORS * ACT);
    model.golden_count = VECTORS;
    model.golden = golden;
    model.golden_observation = golden_observation;
    model.golden_action = golden_action;
}

const kdp_model *any_model(void)
{
    any_generator();
    any_critic();
    any_limits();
    any_golden();
    any_bytes(latent_table, sizeof latent_table);
    any_bytes(safe_hold, sizeof safe_hold);
    any_bytes(sha256, sizeof sha256);
    any_bytes(schema_sha256, sizeof schema_sha256);
    model.obs_dim = OBS;
    model.act_dim = ACT;
    model.horizon = HORIZON;
    model.ahead = AHEAD;
    model.chunk = (uint8_t)any_between(1, HORIZON);
    model.k = K;
    model.latent_dim = LATENT;
    model.critic_steps = CRITIC_STEPS;
    model.margin = small();
    model.seed = any_u32();
    model.safe_steps = any_u32();
    model.silent_steps = (uint32_t)any_between(1, UINT16_MAX);
    model.rate_millihertz = (uint32_t)any_between(1, 4000000000);
    model.deadline_us = any_u32();
    model.latent_table = latent_table;
    model.generator = &generator;
    model.critic = &critic;
    model.sha256 = sha256;
    model.schema_sha256 = schema_sha256;
    return &model;
}
