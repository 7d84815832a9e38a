/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* The yardstick: loops as TensorFlow Lite for Microcontrollers' reference kernels have them, one
 * candidate at a time (reference_integer_ops::FullyConnectedPerChannel, Add; gemmlowp fixedpoint.h). */
#include <string.h>

#include "bench.h"
#include "bench_net.h"
#include "bench_nets.h"
#include "bench_plain.h"

static int8_t hidden[BENCH_WIDTH], inner[BENCH_WIDTH], branch[BENCH_WIDTH], input[NET_SHARED + NET_COLUMNS];

static int32_t doubling_high_multiply(int32_t a, int32_t b)
{
    if (a == b && a == INT32_MIN) {
        return INT32_MAX;
    }
    const int64_t product = (int64_t)a * b;
    const int32_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
    return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

static int32_t rounding_divide(int32_t x, int32_t exponent)
{
    const int32_t mask = (int32_t)(((int64_t)1 << exponent) - 1), remainder = x & mask;
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

static int32_t multiply(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
    return rounding_divide(doubling_high_multiply(x * (1 << left), multiplier), right);
}

static int32_t clamp(int32_t x, int32_t low, int32_t high)
{
    x = x > low ? x : low;
    return x < high ? x : high;
}

/* Offsets are parameters there, too: always 0 here, but the loop adds them. */
__attribute__((noinline)) static void fully_connected(const bench_layer *layer, const int8_t *x, int32_t offset,
                                                      int32_t low, int8_t *y)
{
    for (int row = 0; row < layer->outputs; row++) {
        int32_t sum = 0;
        for (int i = 0; i < layer->inputs; i++) {
            const int32_t weight = layer->weights[row * layer->inputs + i], value = x[i];
            sum += weight * (value + offset);
        }
        sum += layer->bias[row];
        y[row] = (int8_t)clamp(multiply(sum, layer->multiplier[row], layer->shift[row]) + offset, low, 127);
    }
}

__attribute__((noinline)) static void add(const bench_add *constants, const int8_t *a, const int8_t *b, int n,
                                          int32_t offset, int8_t *y)
{
    for (int i = 0; i < n; i++) {
        const int32_t left = (a[i] + offset) * (1 << 20), right = (b[i] + offset) * (1 << 20);
        const int32_t sum = multiply(left, constants->residual[0], constants->residual[1]) +
                            multiply(right, constants->branch[0], constants->branch[1]);
        y[i] = (int8_t)clamp(multiply(sum, constants->sum[0], constants->sum[1]) + offset, 0, 127);
    }
}

void bench_reference(int call, int8_t *out)
{
    volatile int32_t zero = 0; /* not known to the compiler */
    const int32_t offset = zero;
    for (int j = 0; j < BENCH_K; j++) {
        memcpy(input, bench_shared + call * NET_SHARED, NET_SHARED);
        memcpy(input + NET_SHARED, bench_columns + (call * BENCH_K + j) * NET_COLUMNS, NET_COLUMNS);
        const bench_layer *layer = bench_layers;
        fully_connected(layer, input, offset, 0, hidden);
        for (int i = 0; i < bench_blocks; i++) {
            fully_connected(++layer, hidden, offset, 0, inner);
            fully_connected(++layer, inner, offset, -128, branch);
            add(&bench_adds[i], hidden, branch, layer->outputs, offset, hidden);
        }
        fully_connected(++layer, hidden, offset, -128, out + j * NET_OUTPUTS);
    }
}
