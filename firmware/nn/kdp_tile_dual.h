/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Tiles for cores with a plain 32-bit multiplication and nothing that multiplies and adds in parallel:
 * Cortex-M0+, RV32IM. One multiplication makes two products.
 *
 * Two candidates' activations share a word, x0 + 65536 * x1, and weights are stored as u = w + 128:
 *
 *     u * (x0 + 65536 * x1) = u * x0 + 65536 * (u * x1)
 *
 * x is a ReLU's result, 0..127, and u at most 255, so that the sum of two products, 64,770 at most, does not
 * carry into the upper half. Of such sums q, `all` adds up q and `high` q >> 16:
 *
 *     sum of u * x1 = high                    sum of u * x0 = all - 65536 * high
 *     sum of w * x  = sum of u * x - 128 * sum of x
 *
 * The sum of x is the same for all outputs of a layer: kdp_tile_totals.
 *
 * weights  [outputs / 2][inputs / 2][2 outputs][2 inputs] of u
 *          first layer, whose inputs may be negative: [outputs / 2][inputs][2] of w
 * buffers  a group of 4 candidates is [inputs][4], a single one [inputs]
 */
#define KDP_FUSED 0
#define KDP_TOTALS 1

/* Sums of 2 outputs for 2 pairs of candidates: (all, high) [2 pairs][2 outputs]; inputs: a multiple of 8. */
void kdp_dual_tile_4(const int8_t *weights, const int16_t *x, int inputs, uint32_t *sums);

/* Sum of u * x of 2 outputs for one candidate; inputs: a multiple of 4. */
KDP_INLINE void kdp_dual_tile_1(const int8_t *weights, const int16_t *x, int inputs, int32_t *sums)
{
    const uint8_t *u = (const uint8_t *)weights;
    int32_t a = 0, b = 0;
    for (const uint8_t *const end = u + inputs * 2; u != end; u += 8, x += 4) {
        a += u[0] * x[0] + u[1] * x[1], b += u[2] * x[0] + u[3] * x[1];
        a += u[4] * x[2] + u[5] * x[3], b += u[6] * x[2] + u[7] * x[3];
    }
    sums[0] = a, sums[1] = b;
}

KDP_INLINE void kdp_tile_totals(const kdp_activation *x, int inputs, int group, int32_t *totals)
{
    KDP_UNROLL
    for (int c = 0; c < group; c++) {
        totals[c] = 0;
    }
    for (int i = 0; i < inputs; i++, x += group) {
        KDP_UNROLL
        for (int c = 0; c < group; c++) {
            totals[c] += 128 * x[c];
        }
    }
}

KDP_INLINE void kdp_tile_multiply(const int8_t *weights, const kdp_activation *x, int inputs, int group,
                                  const int32_t *totals, int32_t *sums)
{
    if (group == KDP_GROUP) {
        uint32_t made[2 * KDP_ROWS * KDP_GROUP / 2];
        kdp_dual_tile_4(weights, x, inputs, made);
        KDP_UNROLL
        for (int c = 0; c < KDP_GROUP; c += 2) {
            KDP_UNROLL
            for (int r = 0; r < KDP_ROWS; r++) {
                const uint32_t all = made[2 * c + 2 * r], high = made[2 * c + 2 * r + 1];
                sums[r * KDP_GROUP + c] = (int32_t)(all - (high << 16)) - totals[c];
                sums[r * KDP_GROUP + c + 1] = (int32_t)high - totals[c + 1];
            }
        }
    } else {
        kdp_dual_tile_1(weights, x, inputs, sums);
        sums[0] -= totals[0], sums[1] -= totals[0];
    }
}

KDP_INLINE int32_t kdp_tile_twice(int32_t sum)
{
    return 2 * sum;
}

KDP_INLINE void kdp_tile_multiply_first(const int8_t *w, const kdp_activation *x, int inputs, int group,
                                        int32_t *sums)
{
    int32_t a[KDP_GROUP] = {0, 0, 0, 0}, b[KDP_GROUP] = {0, 0, 0, 0};
    for (const int8_t *const end = w + inputs * 2; w != end; w += 2, x += group) {
        KDP_UNROLL
        for (int c = 0; c < group; c++) {
            a[c] += w[0] * x[c];
            b[c] += w[1] * x[c];
        }
    }
    KDP_UNROLL
    for (int c = 0; c < group; c++) {
        sums[c] = a[c], sums[group + c] = b[c];
    }
}

#include "kdp_tile_plain.h"
