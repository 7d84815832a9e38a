/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Tiles in plain C99: per input 2 weights and 4 activations are loaded for 8 multiply-accumulates. On a computer
 * its compiler's vectors do the same.
 *
 * weights  [outputs / 2][inputs][2]
 * buffers  a group of 4 candidates is [inputs][4], a single one [inputs]
 */
#define KDP_FUSED 0

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__)) && !defined(__FRAMAC__)
#define KDP_VECTORS 1
#else
#define KDP_VECTORS 0
#endif

#if KDP_VECTORS
#include <string.h>

/* A computer has vectors of 16 bytes, and its compiler writes them alike. Lanes are unsigned where they are added
 * or multiplied: the bits are the same. */
typedef int8_t kdp_bytes_8 __attribute__((vector_size(8)));
typedef int16_t kdp_halves_8 __attribute__((vector_size(16)));
typedef uint16_t kdp_lanes_8 __attribute__((vector_size(16)));
typedef int32_t kdp_words_4 __attribute__((vector_size(16)));
typedef uint32_t kdp_sums_4 __attribute__((vector_size(16)));

#if defined(__clang__)
#define KDP_PICK(v, p, q) __builtin_shufflevector(v, v, p, p, p, p, q, q, q, q)
#else
#define KDP_PICK(v, p, q) __builtin_shuffle(v, (kdp_lanes_8){p, p, p, p, q, q, q, q})
#endif

/* 8 bytes, widened */
KDP_INLINE kdp_lanes_8 kdp_widen_8(const int8_t *from)
{
    kdp_bytes_8 bytes;
    memcpy(&bytes, from, sizeof bytes);
    return (kdp_lanes_8)__builtin_convertvector(bytes, kdp_halves_8);
}

/* Sums of one row: candidates 0 and 2 in `even`, 1 and 3 in `odd`, of two inputs each. */
typedef struct {
    kdp_sums_4 even, odd;
} kdp_row;

/* 4 inputs more; two products fit 16 bits */
KDP_INLINE void kdp_row_add(kdp_row *row, kdp_lanes_8 w, kdp_lanes_8 x, kdp_lanes_8 w_next, kdp_lanes_8 x_next)
{
    const kdp_sums_4 pairs = (kdp_sums_4)(w * x + w_next * x_next);
    row->even += (kdp_sums_4)((kdp_words_4)(pairs << 16) >> 16);
    row->odd += (kdp_sums_4)((kdp_words_4)pairs >> 16);
}

KDP_INLINE void kdp_row_store(const kdp_row *row, int32_t *sums)
{
    sums[0] = (int32_t)(row->even[0] + row->even[2]), sums[2] = (int32_t)(row->even[1] + row->even[3]);
    sums[1] = (int32_t)(row->odd[0] + row->odd[2]), sums[3] = (int32_t)(row->odd[1] + row->odd[3]);
}

/* inputs: a multiple of 4 */
static void kdp_multiply_4(const int8_t *w, const int8_t *x, int inputs, int32_t *sums)
{
    kdp_row a = {{0}, {0}}, b = {{0}, {0}};
    for (const int8_t *const end = w + inputs * 2; w != end; w += 8, x += 16) {
        const kdp_lanes_8 weights = kdp_widen_8(w); /* of a and b for input 0, 1, 2, 3 */
        const kdp_lanes_8 x01 = kdp_widen_8(x), x23 = kdp_widen_8(x + 8);
        kdp_row_add(&a, KDP_PICK(weights, 0, 2), x01, KDP_PICK(weights, 4, 6), x23);
        kdp_row_add(&b, KDP_PICK(weights, 1, 3), x01, KDP_PICK(weights, 5, 7), x23);
    }
    kdp_row_store(&a, sums);
    kdp_row_store(&b, sums + 4);
}
#else
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
#endif

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
