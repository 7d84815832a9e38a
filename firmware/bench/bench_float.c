/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* The same net in float32, given the same chance: tiles of 4 outputs x 4 candidates, so that weights
 * and activations are loaded once for four multiply-accumulates. Only its speed is compared. */
#include "bench.h"
#include "bench_net.h"
#include "bench_plain.h"

enum { ROWS = 4, GROUP = 4 };

static float hidden[BENCH_WIDTH * BENCH_K], inner[BENCH_WIDTH * BENCH_K], last[BENCH_LAST_ROWS * BENCH_K];

/* sums [4][4] = bias + weights . x; x [n][BENCH_K] */
static void tile(const float *w, const float *bias, int n, const float *x, float *sums)
{
    const float *const w1 = w + n, *const w2 = w1 + n, *const w3 = w2 + n;
    float s[ROWS][GROUP];
    for (int r = 0; r < ROWS; r++) {
        for (int c = 0; c < GROUP; c++) {
            s[r][c] = bias[r];
        }
    }
    for (int i = 0; i < n; i++, x += BENCH_K) {
        const float x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
        const float a = w[i], b = w1[i], c = w2[i], d = w3[i];
        s[0][0] += a * x0, s[0][1] += a * x1, s[0][2] += a * x2, s[0][3] += a * x3;
        s[1][0] += b * x0, s[1][1] += b * x1, s[1][2] += b * x2, s[1][3] += b * x3;
        s[2][0] += c * x0, s[2][1] += c * x1, s[2][2] += c * x2, s[2][3] += c * x3;
        s[3][0] += d * x0, s[3][1] += d * x1, s[3][2] += d * x2, s[3][3] += d * x3;
    }
    for (int i = 0; i < ROWS * GROUP; i++) {
        sums[i] = s[i / GROUP][i % GROUP];
    }
}

/* y [outputs][BENCH_K] = relu?(residual? + bias + weights . x) */
static void layer_of(const bench_float_layer *layer, const float *x, const float *residual, int relu, float *y)
{
    float sums[ROWS * GROUP];
    for (int row = 0; row < layer->outputs; row += ROWS) {
        for (int j = 0; j < BENCH_K; j += GROUP) {
            tile(layer->weights + row * layer->inputs, layer->bias + row, layer->inputs, x + j, sums);
            for (int i = 0; i < ROWS * GROUP; i++) {
                const int at = (row + i / GROUP) * BENCH_K + j + i % GROUP;
                float value = residual == 0 ? sums[i] : sums[i] + residual[at];
                y[at] = relu && value < 0.0f ? 0.0f : value;
            }
        }
    }
}

void bench_float(void)
{
    const bench_float_layer *layer = bench_float_layers;
    layer_of(layer, bench_float_input, 0, 1, hidden);
    for (int i = 0; i < bench_blocks; i++) {
        layer_of(++layer, hidden, 0, 1, inner);
        layer_of(++layer, inner, hidden, 1, hidden);
    }
    layer_of(++layer, hidden, 0, 0, last);
}
