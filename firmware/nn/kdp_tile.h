/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* What the portable, the M4 and the dual kernel have in common: tiles of 2 outputs x 4 candidates, requantized
 * and stored by kdp_tiles.c. Each kernel gives the functions at the end of this file. */
#ifndef KDP_TILE_H
#define KDP_TILE_H

#include <string.h>

#include "kdp_kernel.h"

enum {
    KDP_ROWS = 2, /* outputs of a tile */
    KDP_GROUP = 4 /* candidates of a tile; k % 4 are left over and run one at a time */
};

KDP_INLINE uint32_t kdp_word(const void *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word); /* one load */
    return word;
}

#if KDP_KERNEL == KDP_KERNEL_M4
#include "kdp_tile_m4.h"
#elif KDP_KERNEL == KDP_KERNEL_DUAL
#include "kdp_tile_dual.h"
#elif KDP_KERNEL == KDP_KERNEL_PORTABLE
#include "kdp_tile_portable.h"
#endif

#ifndef KDP_TOTALS
#define KDP_TOTALS 0
KDP_INLINE void kdp_tile_totals(const kdp_activation *x, int inputs, int group, int32_t *totals)
{
    (void)x, (void)inputs, (void)group, (void)totals;
}
#endif

/* Provided by kdp_tile_portable.h, kdp_tile_m4.h and kdp_tile_dual.h. KDP_FUSED: whether assembly does
 * whole layers; KDP_TOTALS: whether tiles need kdp_tile_totals. `group` is
 * KDP_GROUP or 1, sums are [2][group].
 *
 * void kdp_tile_totals(const kdp_activation *x, int inputs, int group, int32_t *totals)
 *     what a layer's tiles have in common, per candidate
 * void kdp_tile_multiply(const int8_t *weights, const kdp_activation *x, int inputs, int group,
 *                        const int32_t *totals, int32_t *sums)
 *     sums that kdp_tile_twice makes 2 * weights . x of, x the result of a ReLU layer
 * int32_t kdp_tile_twice(int32_t sum)
 * void kdp_tile_multiply_first(..., the same without totals)
 *     sums = weights . x, x as kdp_tile_pack left it
 * void kdp_tile_pack(const int8_t *from, int size, int inputs, int group, kdp_activation *to)
 *     [group][size] -> the first layer's form, filled up to `inputs` with zeros
 * kdp_activation *kdp_tile_at(kdp_activation *buffer, int row, int group)
 *     where outputs row and row + 1 of a group go
 * void kdp_tile_store(kdp_activation *at, int group, int candidate, int32_t even, int32_t odd)
 * int32_t kdp_tile_even(const kdp_activation *at, int group, int candidate), kdp_tile_odd
 *     what kdp_tile_store stored
 * int32_t kdp_high(int32_t a, int32_t b, int32_t c)
 *     c + round(a * b / 2^32), halves up
 * int32_t kdp_clamp_relu(int32_t a), kdp_clamp
 *     to 0..127, to -128..127 */

#endif
