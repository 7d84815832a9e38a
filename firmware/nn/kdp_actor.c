/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* An actor's operations, one after the other. A layer's sums come from the kernel's own code for inputs that
 * may be negative; requantization, sums of two activations and tables are plain C, equal on every kernel. */
#include "kdp_actor.h"

#include <string.h>

#include "kdp_constant_time.h"

/* All tiles but Helium's double their sums; the exporter doubles tables to match. */
#if KDP_KERNEL == KDP_KERNEL_MVE
enum { DOUBLED = 2 };
#else
enum { DOUBLED = 1 };
#endif

/* gemmlowp's SaturatingRoundingDoublingHighMul and RoundingDivideByPOT, clamped to least..127. Sums are below
 * 2^30, so nothing saturates before the clamp. */
static int8_t requantize(int32_t sum, int32_t multiplier, int32_t shift, int32_t least)
{
    const uint32_t high = (uint32_t)kdp_rounded_product(DOUBLED * sum, multiplier, 0);
    const uint32_t half = (1u << shift) >> 1; /* halves go away from zero */
    const uint32_t lower = high >> 31 & (half | (0u - half)) >> 31;
    const int32_t result = (int32_t)(high + half - lower) >> shift;
    return (int8_t)(kdp_limit_bits((int32_t)((uint32_t)result - (uint32_t)least), 127 - least) + least);
}

static void dense(const kdp_op *op, const int8_t *from, int8_t *to, kdp_activation *work, int32_t *sums)
{
    kdp_kernel_shared(&op->layer, from, op->from_size, work, sums);
    for (int i = 0; i < op->to_size; i++) {
        to[i] = requantize(sums[i], op->multipliers[i], op->shifts[i], op->least);
    }
}

static void add(const kdp_op *op, const int8_t *left, const int8_t *right, int8_t *to)
{
    for (int i = 0; i < op->to_size; i++) {
        const int32_t sum = op->add.branch[left[i]] + op->add.residual[right[i]];
        to[i] = requantize(sum, op->add.multiplier, op->add.shift, op->least);
    }
}

static void look_up(const kdp_op *op, const int8_t *from, int8_t *to)
{
    for (int i = 0; i < op->to_size; i++) {
        to[i] = op->table[from[i]];
    }
}

void kdp_actor_run(const kdp_actor *actor, const int8_t *input, int8_t *out, uint8_t *scratch)
{
    /* [activations][packed inputs of a layer][sums of a layer] */
    int8_t *const activations = (int8_t *)scratch;
    kdp_activation *const work = (void *)(scratch + actor->work_at);
    int32_t *const sums = (void *)(scratch + actor->sums_at);
    const kdp_op *last = &actor->ops[actor->op_count - 1];
    memcpy(activations, input, actor->ops[0].from_size);
    for (int i = 0; i < actor->op_count; i++) {
        const kdp_op *const op = &actor->ops[i];
        int8_t *const to = activations + op->to;
        if (op->kind == KDP_OP_DENSE) {
            dense(op, activations + op->from, to, work, sums);
        } else if (op->kind == KDP_OP_ADD) {
            add(op, activations + op->from, activations + op->other, to);
        } else {
            look_up(op, activations + op->from, to);
        }
    }
    memcpy(out, activations + last->to, last->to_size);
}
