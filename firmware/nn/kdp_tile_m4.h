/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Tiles for cores with the DSP extension: Cortex-M4, M7, M33. The arithmetic is explained in kdp_tile_m4.c.
 *
 * weights  [outputs / 2][inputs / 4][2] words of 4 weights: (256*w1 + w0, 256*w3 + w2), low halfword first
 *          first layer: [outputs / 2][inputs / 2] words of bytes (a0, b0, a1, b1), outputs a and b
 * buffers  a group of 4 candidates is [inputs / 4][D, E][4] words, a single one [inputs / 4][D, E]:
 *          D = (x1, x3), E = (256*x0 - x1, 256*x2 - x3)
 *          first layer: [inputs / 2][4] words (x0, x1), a single one [inputs / 2]
 */
#include "kdp_dsp.h"

/* 256 times the sums of 2 outputs for 4 candidates, sums [2][4]; quads: inputs / 4, even, > 0. */
void kdp_m4_tile_4(const int8_t *weights, const int16_t *x, int quads, int32_t *sums);

/* The same for one candidate: sums [2]. */
void kdp_m4_tile_1(const int8_t *weights, const int16_t *x, int quads, int32_t *sums);

#if KDP_HAVE_DSP
#define KDP_FUSED 1

/* What the assembly needs of a layer besides weights and activations, and where it is in it; kdp_tile_m4.c
 * knows the offsets. */
typedef struct {
    const int32_t *rows;   /* constants of the next two outputs; kdp_m4_shared: 2 * bias */
    void *to;              /* where they go: D and E; kdp_m4_last_*: bytes; kdp_m4_shared: 2 * sums */
    int32_t step;          /* bytes to where the next D go: 2, then to the next word */
    const int8_t *end;     /* of the weights */
    const kdp_add *add;    /* kdp_m4_branch_* only */
    const int32_t *shared; /* kdp_m4_first_* only: 2 * sums of the shared inputs */
    int32_t stride;        /* kdp_m4_last_4 only: bytes from candidate to candidate */
} kdp_m4_layer;

/* A layer for 4 candidates, or for one, from multiplication to result, as kdp_tiles.c has it in C.
 * kdp_m4_shared: the sums that all candidates have in common. quads: inputs / 4, even, > 0; pairs: inputs / 2, > 0 */
void kdp_m4_shared(const int8_t *weights, const int16_t *x, int pairs, kdp_m4_layer *layer);
void kdp_m4_first_4(const int8_t *weights, const int16_t *x, int pairs, kdp_m4_layer *layer);
void kdp_m4_inner_4(const int8_t *weights, const int16_t *x, int quads, kdp_m4_layer *layer);
void kdp_m4_branch_4(const int8_t *weights, const int16_t *x, int quads, kdp_m4_layer *layer);
void kdp_m4_last_4(const int8_t *weights, const int16_t *x, int quads, kdp_m4_layer *layer);
void kdp_m4_first_1(const int8_t *weights, const int16_t *x, int pairs, kdp_m4_layer *layer);
void kdp_m4_inner_1(const int8_t *weights, const int16_t *x, int quads, kdp_m4_layer *layer);
void kdp_m4_branch_1(const int8_t *weights, const int16_t *x, int quads, kdp_m4_layer *layer);
void kdp_m4_last_1(const int8_t *weights, const int16_t *x, int quads, kdp_m4_layer *layer);
#else
#define KDP_FUSED 0
#endif

KDP_INLINE void kdp_tile_multiply(const int8_t *weights, const kdp_activation *x, int inputs, int group,
                                  const int32_t *totals, int32_t *sums)
{
    (void)totals;
    if (group == KDP_GROUP) {
        kdp_m4_tile_4(weights, x, inputs / 4, sums);
    } else {
        kdp_m4_tile_1(weights, x, inputs / 4, sums);
    }
}

KDP_INLINE int32_t kdp_tile_twice(int32_t sum)
{
    return sum >> 7; /* exact: 2 / 256 of a multiple of 256 */
}

/* The first layer's inputs may be negative, so every weight is unpacked; inputs: a multiple of 2. */
KDP_INLINE void kdp_tile_multiply_first(const int8_t *w, const kdp_activation *x, int inputs, int group,
                                        int32_t *sums)
{
    int32_t a[KDP_GROUP] = {0, 0, 0, 0}, b[KDP_GROUP] = {0, 0, 0, 0};
    for (const int8_t *const end = w + inputs * 2; w != end; w += 4, x += 2 * group) {
        const uint32_t four = kdp_word(w), wa = kdp_sxtb16(four), wb = kdp_sxtb16_odd(four);
        KDP_UNROLL
        for (int c = 0; c < group; c++) {
            a[c] = kdp_smlad(wa, kdp_word(x + 2 * c), a[c]);
            b[c] = kdp_smlad(wb, kdp_word(x + 2 * c), b[c]);
        }
    }
    KDP_UNROLL
    for (int c = 0; c < group; c++) {
        sums[c] = a[c], sums[group + c] = b[c];
    }
}

static inline void kdp_tile_pack(const int8_t *from, int size, int inputs, int group, kdp_activation *to)
{
    for (int i = 0; i < inputs; i += 2) {
        for (int c = 0; c < group; c++, to += 2) {
            to[0] = i < size ? from[c * size + i] : 0;
            to[1] = i + 1 < size ? from[c * size + i + 1] : 0;
        }
    }
}

/* E of the same pair of outputs is 2 * group further. */
KDP_INLINE kdp_activation *kdp_tile_at(kdp_activation *buffer, int row, int group)
{
    return buffer + row / 4 * 4 * group + row / 2 % 2;
}

KDP_INLINE void kdp_tile_store(kdp_activation *at, int group, int candidate, int32_t even, int32_t odd)
{
    at[2 * candidate] = (int16_t)odd;
    at[2 * group + 2 * candidate] = (int16_t)(even * 256 - odd);
}

KDP_INLINE int32_t kdp_tile_odd(const kdp_activation *at, int group, int candidate)
{
    (void)group;
    return at[2 * candidate];
}

KDP_INLINE int32_t kdp_tile_even(const kdp_activation *at, int group, int candidate)
{
    return (at[2 * group + 2 * candidate] + at[2 * candidate]) >> 8;
}

KDP_INLINE int32_t kdp_high(int32_t a, int32_t b, int32_t c)
{
    return kdp_smmlar(a, b, c);
}

KDP_INLINE int32_t kdp_clamp_relu(int32_t a)
{
    return kdp_usat7(a);
}

KDP_INLINE int32_t kdp_clamp(int32_t a)
{
    return kdp_ssat8(a);
}
