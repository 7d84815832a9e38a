/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* The net with one row-major matrix a layer, for the implementations that the kernels are measured
 * against: layer 0 is the first, then inner and branch of each block, the last one is last. */
#ifndef BENCH_PLAIN_H
#define BENCH_PLAIN_H

#include <stdint.h>

typedef struct {
    const int8_t *weights; /* [outputs][inputs] */
    const int32_t *bias, *multiplier, *shift;
    int inputs, outputs;
} bench_layer;

/* (multiplier, shift) of the two inputs and of the sum */
typedef struct {
    int32_t residual[2], branch[2], sum[2];
} bench_add;

extern const bench_layer bench_layers[];
extern const bench_add bench_adds[];

typedef struct {
    const float *weights; /* [outputs][inputs], outputs a multiple of 4 */
    const float *bias;
    int inputs, outputs;
} bench_float_layer;

extern const bench_float_layer bench_float_layers[];
extern const float bench_float_input[]; /* [inputs][k], candidates side by side */

extern const int bench_blocks;

#endif
