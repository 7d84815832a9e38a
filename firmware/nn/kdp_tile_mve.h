/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* The assembly of the Helium kernel: nine tenths of a plan's time. */
#ifndef KDP_TILE_MVE_H
#define KDP_TILE_MVE_H

#include <stdint.h>

/* sums [2][4] = weights . x of 4 outputs for 2 candidates.
 *   weights [chunks][4][16], x [chunks][16] each, the second candidate `stride` bytes after the first;
 *   chunks: inputs / 16, > 0 */
void kdp_mve_tile_2(const int8_t *weights, const int8_t *x, int stride, int chunks, int32_t *sums);

/* The same for one candidate: sums [4]. */
void kdp_mve_tile_1(const int8_t *weights, const int8_t *x, int chunks, int32_t *sums);

#if defined(__ARM_FEATURE_MVE)
#define KDP_FUSED 1

/* 4 outputs for pairs of candidates, from multiplication to result; kdp_tile_mve.c knows the offsets.
 * The functions change `to` and `pairs`. */
typedef struct {
    const int8_t *weights;
    const int8_t *x;
    int32_t x_stride;     /* bytes from candidate to candidate */
    int32_t chunks;       /* inputs / 16, > 0 */
    const int32_t *start; /* [4] added to the sums: the bias, or the shared inputs' sums */
    const int32_t *rows;  /* bias, multiplier, shift [4] each */
    int8_t *to;           /* results, for kdp_mve_branch also h */
    int32_t to_stride;
    int32_t x_step; /* 2 * x_stride - inputs */
    int32_t pairs;  /* > 0 */
    const int32_t *branch, *residual; /* the addition's tables, multiplier and shift to the left: */
    int32_t multiplier, shift;        /* kdp_mve_branch only */
    int32_t saved[16]; /* for Q4 to Q7, so that the caller's frame accounts for them */
} kdp_mve_rows;

void kdp_mve_inner(kdp_mve_rows *rows);
void kdp_mve_branch(kdp_mve_rows *rows);

/* 8 outputs after the other for one candidate. The functions change start, rows, to and eights. */
typedef struct {
    const int8_t *weights;
    const int8_t *x;
    const int32_t *start; /* added to the sums of the next outputs: the bias, or the shared inputs' sums */
    const int32_t *rows;  /* bias, multiplier, shift [4] each, of the next outputs */
    int8_t *to;           /* results, for kdp_mve_branch_1 also h */
    int32_t chunks;       /* inputs / 16, > 0 */
    int32_t eights;       /* outputs / 8, > 0 */
    int32_t start_step;   /* bytes of `start` from 4 outputs to the next */
    const int32_t *branch, *residual; /* as above: kdp_mve_branch_1 only */
    int32_t multiplier, shift;
} kdp_mve_layer;

void kdp_mve_inner_1(kdp_mve_layer *layer);
void kdp_mve_branch_1(kdp_mve_layer *layer);
void kdp_mve_last_1(kdp_mve_layer *layer);
#else
#define KDP_FUSED 0
#endif

#endif
