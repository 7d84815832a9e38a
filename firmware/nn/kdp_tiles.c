/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* The layers of the portable, the M4 and the dual kernel: every tile's sums become outputs here.
 *
 * rows  [outputs][4]: 2 * bias, multiplier, rounding constant 2^(shift - 1) or 0, right shift
 *       (net->shared: [outputs] 2 * bias)
 *
 * Requantization is gemmlowp's SaturatingRoundingDoublingHighMul followed by RoundingDivideByPOT.
 * With sums below 2^30 (the exporter's promise) the first is the high word of 2 * sum * multiplier,
 * rounded half up; the second rounds halves away from zero. */
#include "kdp_nn.h"

#if KDP_KERNEL == KDP_KERNEL_PORTABLE || KDP_KERNEL == KDP_KERNEL_M4 || KDP_KERNEL == KDP_KERNEL_DUAL

#include "kdp_tile.h"

typedef struct {
    int32_t twice_bias, multiplier, rounding, shift;
} row_constants;

enum { ROW_WORDS = sizeof(row_constants) / sizeof(int32_t) };

/* 2 * sum -> 0..127. A ReLU drops every negative value, and with it the difference between rounding
 * halves up and away from zero. */
KDP_INLINE int32_t requantize_relu(int32_t twice, const row_constants *row)
{
    return kdp_clamp_relu(kdp_high(twice, row->multiplier, row->rounding) >> row->shift);
}

/* 2 * sum -> -128..127. Halves of negative values need one less before the shift, which is never 0
 * here. Their sign is the sum's: should the product round to 0, one less changes nothing. */
KDP_INLINE int32_t requantize(int32_t twice, const row_constants *row)
{
    return kdp_clamp((kdp_high(twice, row->multiplier, row->rounding) + (twice >> 31)) >> row->shift);
}

KDP_INLINE const row_constants *constants_of(const kdp_layer *layer, int row)
{
    return (const row_constants *)(const void *)layer->rows + row;
}

/* Sums [2][group] of a tile, without bias, as kdp_tile_twice wants them. */
KDP_INLINE void multiply(const kdp_layer *layer, int row, const kdp_activation *x, int group,
                         const int32_t *totals, int32_t *sums)
{
    kdp_tile_multiply(layer->weights + row * layer->inputs, x, layer->inputs, group, totals, sums);
}

/* Candidates that a tile takes, the next one being j of k. */
KDP_INLINE int group_at(int j, int k)
{
    return k - j >= KDP_GROUP ? KDP_GROUP : 1;
}

/* What tiles of `layer` have in common, for each of k candidates. */
KDP_INLINE void find_totals(const kdp_layer *layer, const kdp_activation *x, int stride, int k, int32_t *totals)
{
    int j = 0;
    for (; j + KDP_GROUP <= k; j += KDP_GROUP) {
        kdp_tile_totals(x + j * stride, layer->inputs, KDP_GROUP, totals + j);
    }
    for (; j < k; j++) {
        kdp_tile_totals(x + j * stride, layer->inputs, 1, totals + j);
    }
}

#if KDP_TOTALS
#define TOTALS KDP_MAX_K
#define AT(totals, candidate) ((totals) + (candidate))

/* Activations from `size` up to the stride are read with weights of 0; where these are stored with an offset
 * they must be numbers of a ReLU all the same. */
static void fill(kdp_activation *buffer, int size, int stride, int k)
{
    for (int j = 0, group; j < k; j += group) {
        group = group_at(j, k);
        for (int row = size; row < stride; row++) {
            for (int c = 0; c < group; c++) {
                buffer[j * stride + row * group + c] = 0;
            }
        }
    }
}
#else
#define TOTALS 1
#define AT(totals, candidate) (totals)

KDP_INLINE void fill(kdp_activation *buffer, int size, int stride, int k)
{
    (void)buffer, (void)size, (void)stride, (void)k;
}
#endif

#if KDP_FUSED
/* `layer` for 4 candidates, or for one: its first outputs and all behind them. */
KDP_INLINE kdp_m4_layer whole(const kdp_layer *layer, void *to, const kdp_add *add)
{
    const int8_t *const end = layer->weights + layer->outputs * layer->inputs;
    return (kdp_m4_layer){layer->rows, to, 2, end, add, NULL, 0};
}
#endif

void kdp_kernel_shared(const kdp_layer *layer, const int8_t *shared, int size, kdp_activation *work, int32_t *sums)
{
    kdp_tile_pack(shared, size, layer->inputs, 1, work);
#if KDP_FUSED
    if (layer->inputs > 0) {
        kdp_m4_layer fused = whole(layer, sums, NULL);
        kdp_m4_shared(layer->weights, work, layer->inputs / 2, &fused);
        return;
    }
#endif
    for (int row = 0; row < layer->outputs; row += KDP_ROWS) {
        kdp_tile_multiply_first(layer->weights + row * layer->inputs, work, layer->inputs, 1, sums + row);
        sums[row] = layer->rows[row] + 2 * sums[row];
        sums[row + 1] = layer->rows[row + 1] + 2 * sums[row + 1];
    }
}

KDP_INLINE void first_tile(const kdp_layer *layer, int row, const int32_t *shared, const kdp_activation *x,
                           int group, kdp_activation *to)
{
    kdp_activation *const pair = kdp_tile_at(to, row, group);
    const row_constants a = constants_of(layer, row)[0], b = constants_of(layer, row)[1];
    int32_t sums[KDP_ROWS * KDP_GROUP];
    kdp_tile_multiply_first(layer->weights + row * layer->inputs, x, layer->inputs, group, sums);
    KDP_UNROLL
    for (int c = 0; c < group; c++) {
        const int32_t even = requantize_relu(shared[row] + 2 * sums[c], &a);
        const int32_t odd = requantize_relu(shared[row + 1] + 2 * sums[group + c], &b);
        kdp_tile_store(pair, group, c, even, odd);
    }
}

void kdp_kernel_first(const kdp_net *net, const int32_t *sums, const int8_t *columns, int k,
                      kdp_activation *work, kdp_activation *hidden)
{
    const kdp_layer *const layer = &net->first;
    const int size = net->column_size, inputs = layer->inputs, stride = net->hidden_stride;
    for (int j = 0, group; j < k; j += group) {
        group = group_at(j, k);
        kdp_tile_pack(columns + j * size, size, inputs, group, work + j * inputs);
    }
#if KDP_FUSED
    for (int j = 0, group; j < k; j += group) {
        group = group_at(j, k);
        kdp_m4_layer fused = whole(layer, hidden + j * stride, NULL);
        fused.shared = sums;
        if (group == 1) {
            kdp_m4_first_1(layer->weights, work + j * inputs, inputs / 2, &fused);
        } else {
            kdp_m4_first_4(layer->weights, work + j * inputs, inputs / 2, &fused);
        }
    }
#else
    for (int row = 0; row < layer->outputs; row += KDP_ROWS) {
        int j = 0;
        for (; j + KDP_GROUP <= k; j += KDP_GROUP) {
            first_tile(layer, row, sums, work + j * inputs, KDP_GROUP, hidden + j * stride);
        }
        for (; j < k; j++) {
            first_tile(layer, row, sums, work + j * inputs, 1, hidden + j * stride);
        }
    }
    fill(hidden, layer->outputs, stride, k);
#endif
}

KDP_INLINE void inner_tile(const kdp_layer *layer, int row, const kdp_activation *x, int group,
                           const int32_t *totals, kdp_activation *to)
{
    kdp_activation *const pair = kdp_tile_at(to, row, group);
    const row_constants a = constants_of(layer, row)[0], b = constants_of(layer, row)[1];
    int32_t sums[KDP_ROWS * KDP_GROUP];
    multiply(layer, row, x, group, totals, sums);
    KDP_UNROLL
    for (int c = 0; c < group; c++) {
        const int32_t even = requantize_relu(a.twice_bias + kdp_tile_twice(sums[c]), &a);
        const int32_t odd = requantize_relu(b.twice_bias + kdp_tile_twice(sums[group + c]), &b);
        kdp_tile_store(pair, group, c, even, odd);
    }
}

void kdp_kernel_inner(const kdp_net *net, const kdp_layer *layer, int k, const kdp_activation *hidden,
                      kdp_activation *inner)
{
    const int x_stride = net->hidden_stride, stride = net->inner_stride;
#if KDP_FUSED
    for (int j = 0, group; j < k; j += group) {
        group = group_at(j, k);
        kdp_m4_layer fused = whole(layer, inner + j * stride, NULL);
        if (group == 1) {
            kdp_m4_inner_1(layer->weights, hidden + j * x_stride, layer->inputs / 4, &fused);
        } else {
            kdp_m4_inner_4(layer->weights, hidden + j * x_stride, layer->inputs / 4, &fused);
        }
    }
#else
    int32_t totals[TOTALS];
    find_totals(layer, hidden, x_stride, k, totals);
    for (int row = 0; row < layer->outputs; row += KDP_ROWS) {
        int j = 0;
        for (; j + KDP_GROUP <= k; j += KDP_GROUP) {
            inner_tile(layer, row, hidden + j * x_stride, KDP_GROUP, AT(totals, j), inner + j * stride);
        }
        for (; j < k; j++) {
            inner_tile(layer, row, hidden + j * x_stride, 1, AT(totals, j), inner + j * stride);
        }
    }
    fill(inner, layer->outputs, stride, k);
#endif
}

KDP_INLINE void branch_tile(const kdp_layer *layer, const kdp_add *add, int row, const kdp_activation *x,
                            int group, const int32_t *totals, kdp_activation *hidden)
{
    kdp_activation *const pair = kdp_tile_at(hidden, row, group);
    const row_constants a = constants_of(layer, row)[0], b = constants_of(layer, row)[1];
    const row_constants sum = {0, add->multiplier, add->rounding, add->shift};
    const int32_t *const residual = add->residual, *const branch = add->branch;
    int32_t sums[KDP_ROWS * KDP_GROUP];
    multiply(layer, row, x, group, totals, sums);
    KDP_UNROLL
    for (int c = 0; c < group; c++) {
        const int32_t b_even = requantize(a.twice_bias + kdp_tile_twice(sums[c]), &a);
        const int32_t b_odd = requantize(b.twice_bias + kdp_tile_twice(sums[group + c]), &b);
        const int32_t even = branch[b_even] + residual[kdp_tile_even(pair, group, c)];
        const int32_t odd = branch[b_odd] + residual[kdp_tile_odd(pair, group, c)];
        kdp_tile_store(pair, group, c, requantize_relu(even, &sum), requantize_relu(odd, &sum));
    }
}

void kdp_kernel_branch(const kdp_net *net, const kdp_block *block, int k, const kdp_activation *inner,
                       kdp_activation *hidden)
{
    const kdp_layer *const layer = &block->branch;
    const int x_stride = net->inner_stride, stride = net->hidden_stride;
#if KDP_FUSED
    for (int j = 0, group; j < k; j += group) {
        group = group_at(j, k);
        kdp_m4_layer fused = whole(layer, hidden + j * stride, &block->add);
        if (group == 1) {
            kdp_m4_branch_1(layer->weights, inner + j * x_stride, layer->inputs / 4, &fused);
        } else {
            kdp_m4_branch_4(layer->weights, inner + j * x_stride, layer->inputs / 4, &fused);
        }
    }
#else
    int32_t totals[TOTALS];
    find_totals(layer, inner, x_stride, k, totals);
    for (int row = 0; row < layer->outputs; row += KDP_ROWS) {
        int j = 0;
        for (; j + KDP_GROUP <= k; j += KDP_GROUP) {
            branch_tile(layer, &block->add, row, inner + j * x_stride, KDP_GROUP, AT(totals, j),
                        hidden + j * stride);
        }
        for (; j < k; j++) {
            branch_tile(layer, &block->add, row, inner + j * x_stride, 1, AT(totals, j), hidden + j * stride);
        }
    }
#endif
}

KDP_INLINE void last_tile(const kdp_net *net, int row, const kdp_activation *x, int group,
                          const int32_t *totals, int8_t *out)
{
    const kdp_layer *const layer = &net->last;
    const int outputs = net->output_size;
    int32_t sums[KDP_ROWS * KDP_GROUP];
    multiply(layer, row, x, group, totals, sums);
    for (int r = 0; r < KDP_ROWS && row + r < outputs; r++) {
        const row_constants constants = constants_of(layer, row)[r];
        KDP_UNROLL
        for (int c = 0; c < group; c++) {
            const int32_t sum = constants.twice_bias + kdp_tile_twice(sums[r * group + c]);
            out[c * outputs + row + r] = (int8_t)requantize(sum, &constants);
        }
    }
}

void kdp_kernel_last(const kdp_net *net, int k, const kdp_activation *hidden, int8_t *out)
{
    const int stride = net->hidden_stride, outputs = net->output_size;
    int first = 0;
#if KDP_FUSED
    const int whole_rows = outputs / KDP_ROWS * KDP_ROWS; /* an odd last output remains */
    const kdp_layer even = {net->last.weights, net->last.rows, net->last.inputs, (uint16_t)whole_rows};
    for (int j = 0, group; j < k && whole_rows > 0; j += group) {
        group = group_at(j, k);
        kdp_m4_layer fused = whole(&even, out + j * outputs, NULL);
        fused.stride = outputs;
        if (group == 1) {
            kdp_m4_last_1(even.weights, hidden + j * stride, even.inputs / 4, &fused);
        } else {
            kdp_m4_last_4(even.weights, hidden + j * stride, even.inputs / 4, &fused);
        }
    }
    first = whole_rows;
#endif
    int32_t totals[TOTALS];
    find_totals(&net->last, hidden, stride, k, totals);
    for (int row = first; row < outputs; row += KDP_ROWS) {
        int j = 0;
        for (; j + KDP_GROUP <= k; j += KDP_GROUP) {
            last_tile(net, row, hidden + j * stride, KDP_GROUP, AT(totals, j), out + j * outputs);
        }
        for (; j < k; j++) {
            last_tile(net, row, hidden + j * stride, 1, AT(totals, j), out + j * outputs);
        }
    }
}

#endif
