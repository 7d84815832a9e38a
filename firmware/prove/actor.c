/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * An actor of every kind of operation: any weights, any tables, any observation, any content of scratch. Each
 * array is a region of its own with just the size that kdp_nn.h gives it.
 */
#include "any.h"
#include "kdp_nn.h"

#define PAD(n, step) (((n) + (step) - 1) / (step) * (step))

enum { IN = 5, HIDDEN = 7, OUT = 3, ROW = 2, STEP = 4 };
/* places in scratch: input, two hidden activations, then work and sums */
enum { FIRST = 16, SECOND = 32, WORK = 48, SUMS = WORK + 16, SIZE = SUMS + 32 };

static int8_t weights_in[PAD(HIDDEN, ROW) * PAD(IN, STEP)], weights_out[PAD(OUT, ROW) * PAD(HIDDEN, STEP)];
static int32_t biases_in[PAD(HIDDEN, ROW)], biases_out[PAD(OUT, ROW)];
static int32_t multipliers_in[HIDDEN], multipliers_out[OUT];
static uint8_t shifts_in[HIDDEN], shifts_out[OUT];
static int32_t left[256], right[256];
static int8_t table[256];
static int8_t observation[IN], columns[1], out[OUT];
KDP_ALIGNED static uint8_t scratch[SIZE];

/* What export/c_layout.py's check_rows lets through: twice a sum stays within int32. */
static void any_biases(int32_t *biases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        biases[i] = (int32_t)any_between(1 - (1 << 30), (1 << 30) - 1);
    }
}

static void any_multipliers(int32_t *multipliers, uint8_t *shifts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        multipliers[i] = (int32_t)any_between(0, INT32_MAX);
        shifts[i] = (uint8_t)any_between(0, 31);
    }
}

int main(void)
{
    any_bytes(weights_in, sizeof weights_in);
    any_bytes(weights_out, sizeof weights_out);
    any_biases(biases_in, PAD(HIDDEN, ROW));
    any_biases(biases_out, PAD(OUT, ROW));
    any_biases(left, 256);
    any_biases(right, 256);
    any_multipliers(multipliers_in, shifts_in, HIDDEN);
    any_multipliers(multipliers_out, shifts_out, OUT);
    any_bytes(table, sizeof table);
    any_bytes(observation, sizeof observation);
    any_bytes(scratch, sizeof scratch);
    const kdp_op ops[4] = {
        {.kind = KDP_OP_DENSE, .least = -128, .from_size = IN, .to_size = HIDDEN, .from = 0, .to = FIRST,
         .layer = {weights_in, biases_in, PAD(IN, STEP), PAD(HIDDEN, ROW)},
         .multipliers = multipliers_in, .shifts = shifts_in},
        {.kind = KDP_OP_TABLE, .from_size = HIDDEN, .to_size = HIDDEN, .from = FIRST, .to = SECOND,
         .table = table + 128},
        {.kind = KDP_OP_ADD, .least = (int8_t)(any_between(0, 1) != 0 ? 0 : -128), .from_size = HIDDEN,
         .to_size = HIDDEN, .from = FIRST, .other = SECOND, .to = FIRST,
         .add = {left + 128, right + 128, (int32_t)any_between(0, INT32_MAX), 1, (int32_t)any_between(0, 31)}},
        {.kind = KDP_OP_DENSE, .least = 0, .from_size = HIDDEN, .to_size = OUT, .from = FIRST, .to = SECOND,
         .layer = {weights_out, biases_out, PAD(HIDDEN, STEP), PAD(OUT, ROW)},
         .multipliers = multipliers_out, .shifts = shifts_out},
    };
    const kdp_actor actor = {ops, 4, WORK, SUMS, SIZE};
    kdp_net net = {.kernel = KDP_KERNEL, .shared_size = IN, .output_size = OUT, .actor = &actor};
    if (kdp_net_run(&net, observation, columns, 2, out, scratch, sizeof scratch) != KDP_ERROR_NET_ARGUMENT) {
        return 1;
    }
    if (kdp_net_run(&net, observation, columns, 1, out, scratch, sizeof scratch) != 0) {
        return 1;
    }
    for (size_t i = 0; i < OUT; i++) {
        //@ assert after_a_relu: 0 <= out[i] <= 127;
    }
    return 0;
}
