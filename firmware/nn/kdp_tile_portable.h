/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Tiles in plain C99: per input 2 weights and 4 activations are loaded for 8 multiply-accumulates.
 *
 * weights  [outputs / 2][inputs][2]
 * buffers  a group of 4 candidates is [inputs][4], a single one [inputs]
 */
#define KDP_FUSED 0

/* One input. The macro keeps eight sums in registers, which an array would not. */
#define KDP_MULTIPLY_4(w, x)                  \
    do {                                      \
        const int32_t wa = (w)[0];            \
        const int32_t wb = (w)[1];            \
        a0 += wa * (x)[0], b0 += wb * (x)[0]; \
        a1 += wa * (x)[1], b1 += wb * (x)[1]; \
        a2 += wa * (x)[2], b2 += wb * (x)[2]; \
        a3 += wa * (x)[3], b3 += wb * (x)[3]; \
    } while (0)

/* inputs: a multiple of 4 */
static void kdp_multiply_4(const int8_t *w, const int8_t *x, int inputs, int32_t *sums)
{
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    for (const int8_t *const end = w + inputs * 2; w != end; w += 8, x += 16) {
        KDP_MULTIPLY_4(w, x);
        KDP_MULTIPLY_4(w + 2, x + 4);
        KDP_MULTIPLY_4(w + 4, x + 8);
        KDP_MULTIPLY_4(w + 6, x + 12);
    }
    sums[0] = a0, sums[1] = a1, sums[2] = a2, sums[3] = a3;
    sums[4] = b0, sums[5] = b1, sums[6] = b2, sums[7] = b3;
}

static void kdp_multiply_1(const int8_t *w, const int8_t *x, int inputs, int32_t *sums)
{
    int32_t a = 0, b = 0;
    for (const int8_t *const end = w + inputs * 2; w != end; w += 4, x += 2) {
        a += w[0] * x[0], b += w[1] * x[0];
        a += w[2] * x[1], b += w[3] * x[1];
    }
    sums[0] = a, sums[1] = b;
}

KDP_INLINE void kdp_tile_multiply(const int8_t *weights, const kdp_activation *x, int inputs, int group,
                                  const int32_t *totals, int32_t *sums)
{
    (void)totals;
    if (group == KDP_GROUP) {
        kdp_multiply_4(weights, x, inputs, sums);
    } else {
        kdp_multiply_1(weights, x, inputs, sums);
    }
}

KDP_INLINE int32_t kdp_tile_twice(int32_t sum)
{
    return 2 * sum;
}

KDP_INLINE void kdp_tile_multiply_first(const int8_t *weights, const kdp_activation *x, int inputs, int group,
                                        int32_t *sums)
{
    kdp_tile_multiply(weights, x, inputs, group, NULL, sums);
}

#include "kdp_tile_plain.h"
