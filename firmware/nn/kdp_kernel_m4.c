/* The kernel for cores with the DSP extension: Cortex-M4, M7, M33.
 *
 * Tiles of 2 outputs x 4 candidates (kdp_m4_tile.c); k % 4 candidates are left over and run one at a
 * time. The first layer, whose inputs may be negative, unpacks every weight instead.
 *
 * weights  [outputs / 2][inputs / 4][2] words of 4 weights: (256*w1 + w0, 256*w3 + w2), low halfword first
 *          first layer: [outputs / 2][inputs / 2] words of bytes (a0, b0, a1, b1), outputs a and b
 * rows     [outputs][4]: 2 * bias, multiplier, rounding constant, right shift
 *          (net->shared: [outputs] bias)
 * buffers  a group of 4 candidates is [inputs / 4][D, E][4] words, a single one [inputs / 4][D, E]:
 *          D = (x1, x3), E = (256*x0 - x1, 256*x2 - x3)
 *          first layer: [inputs / 2][4] words (x0, x1), a single one [inputs / 2]
 */
#include "kdp_kernel.h"

#if KDP_KERNEL == KDP_KERNEL_M4

#include <string.h>

#include "kdp_dsp.h"
#include "kdp_m4_tile.h"

enum { ROWS = 2, GROUP = 4 };

typedef struct {
    int32_t twice_bias;
    int32_t multiplier;
    int32_t rounding; /* 2^(shift - 1), or 0 */
    int32_t shift;
} row_constants;

/* A ReLU drops every negative value, and with it the difference between rounding halves up and
 * rounding them away from zero: requantization is three instructions. `twice` is 2 * sum. */
static int32_t requantize_relu(int32_t twice, int32_t multiplier, int32_t rounding, int32_t shift)
{
    return kdp_usat7(kdp_smmlar(twice, multiplier, rounding) >> shift);
}

/* Without a ReLU, negative values need one less. Their sign is that of the sum: where the product
 * rounds to 0, one less changes nothing as shift > 0 (the exporter refuses 0). */
static int32_t requantize(int32_t twice, const row_constants *row)
{
    const int32_t high = kdp_smmlar(twice, row->multiplier, row->rounding) + (twice >> 31);
    return kdp_ssat8(high >> row->shift);
}

static const row_constants *constants_of(const kdp_layer *layer, int row)
{
    return (const row_constants *)(const void *)layer->rows + row;
}

static const int8_t *weights_of(const kdp_layer *layer, int row)
{
    return layer->weights + (size_t)row * layer->inputs;
}

static uint32_t word_at(const void *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word); /* one load */
    return word;
}

/* Where outputs row and row + 1 (row even) of the first candidate of a group go; E is 2 * group further. */
static int16_t *pair_at(int16_t *buffer, int row, int group)
{
    return buffer + (row / 4) * 4 * group + (row / 2) % 2;
}

static int group_at(int first, int k)
{
    return k - first >= GROUP ? GROUP : 1;
}

static void store_pair(int16_t *pair, int group, int32_t even, int32_t odd)
{
    pair[0] = (int16_t)odd;
    pair[2 * group] = (int16_t)(even * 256 - odd);
}

/* 2 * (sum + bias) of a tile whose sums are 256-fold. */
static int32_t twice_sum(int32_t sum256, const row_constants *row)
{
    return row->twice_bias + (sum256 >> 7);
}

void kdp_kernel_inner(const kdp_net *net, const kdp_layer *layer, int k, const kdp_activation *hidden,
                      kdp_activation *inner)
{
    int32_t sums[ROWS * GROUP];
    for (int row = 0; row < layer->outputs; row += ROWS) {
        const int8_t *const weights = weights_of(layer, row);
        const row_constants a = constants_of(layer, row)[0], b = constants_of(layer, row)[1];
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            const int16_t *const x = hidden + j * net->hidden_stride;
            int16_t *const y = pair_at(inner + j * net->inner_stride, row, group);
            if (group == GROUP) {
                kdp_m4_tile_4(weights, x, layer->inputs / 4, sums);
            } else {
                kdp_m4_tile_1(weights, x, layer->inputs / 4, sums);
            }
            for (int c = 0; c < group; c++) {
                const int32_t even = requantize_relu(twice_sum(sums[c], &a), a.multiplier, a.rounding, a.shift);
                const int32_t odd =
                    requantize_relu(twice_sum(sums[group + c], &b), b.multiplier, b.rounding, b.shift);
                store_pair(y + 2 * c, group, even, odd);
            }
        }
    }
}

void kdp_kernel_branch(const kdp_net *net, const kdp_block *block, int k, const kdp_activation *inner,
                       kdp_activation *hidden)
{
    const kdp_layer *const layer = &block->branch;
    const kdp_add add = block->add;
    const int32_t rounding = add.shift > 0 ? (int32_t)1 << (add.shift - 1) : 0;
    int32_t sums[ROWS * GROUP];
    for (int row = 0; row < layer->outputs; row += ROWS) {
        const int8_t *const weights = weights_of(layer, row);
        const row_constants *const a = constants_of(layer, row), *const b = a + 1;
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            const int16_t *const x = inner + j * net->inner_stride;
            int16_t *const h = pair_at(hidden + j * net->hidden_stride, row, group);
            if (group == GROUP) {
                kdp_m4_tile_4(weights, x, layer->inputs / 4, sums);
            } else {
                kdp_m4_tile_1(weights, x, layer->inputs / 4, sums);
            }
            for (int c = 0; c < group; c++) {
                int16_t *const pair = h + 2 * c;
                const int32_t h_odd = pair[0], h_even = (pair[2 * group] + h_odd) >> 8;
                int32_t even = add.branch[requantize(twice_sum(sums[c], a), a)];
                int32_t odd = add.branch[requantize(twice_sum(sums[group + c], b), b)];
                even = requantize_relu(even + add.residual[h_even], add.multiplier, rounding, add.shift);
                odd = requantize_relu(odd + add.residual[h_odd], add.multiplier, rounding, add.shift);
                store_pair(pair, group, even, odd);
            }
        }
    }
}

void kdp_kernel_last(const kdp_net *net, int k, const kdp_activation *hidden, int8_t *out)
{
    const kdp_layer *const layer = &net->last;
    const int outputs = net->output_size;
    int32_t sums[ROWS * GROUP];
    for (int row = 0; row < layer->outputs; row += ROWS) {
        const int8_t *const weights = weights_of(layer, row);
        const row_constants *const constants = constants_of(layer, row);
        const int rows = outputs - row < ROWS ? outputs - row : ROWS;
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            const int16_t *const x = hidden + j * net->hidden_stride;
            if (group == GROUP) {
                kdp_m4_tile_4(weights, x, layer->inputs / 4, sums);
            } else {
                kdp_m4_tile_1(weights, x, layer->inputs / 4, sums);
            }
            for (int r = 0; r < rows; r++) {
                int8_t *const to = out + j * outputs + row + r;
                for (int c = 0; c < group; c++) {
                    const int32_t twice = twice_sum(sums[r * group + c], &constants[r]);
                    to[c * outputs] = (int8_t)requantize(twice, &constants[r]);
                }
            }
        }
    }
}

/* sums [2] += weights . one candidate, any int8 inputs; n inputs, even. */
static void multiply_1(const int8_t *w, const int16_t *x, int n, int32_t *sums)
{
    int32_t a = sums[0], b = sums[1];
    for (int i = 0; i < n; i += 2, w += 4, x += 2) {
        const uint32_t four = word_at(w);
        a = kdp_smlad(kdp_sxtb16(four), word_at(x), a);
        b = kdp_smlad(kdp_sxtb16_odd(four), word_at(x), b);
    }
    sums[0] = a, sums[1] = b;
}

/* sums [2][4] += weights . four candidates, any int8 inputs. */
static void multiply_4(const int8_t *w, const int16_t *x, int n, int32_t *sums)
{
    int32_t a0 = sums[0], a1 = sums[1], a2 = sums[2], a3 = sums[3];
    int32_t b0 = sums[4], b1 = sums[5], b2 = sums[6], b3 = sums[7];
    for (int i = 0; i < n; i += 2, w += 4, x += 2 * GROUP) {
        const uint32_t four = word_at(w), wa = kdp_sxtb16(four), wb = kdp_sxtb16_odd(four);
        a0 = kdp_smlad(wa, word_at(x), a0), b0 = kdp_smlad(wb, word_at(x), b0);
        a1 = kdp_smlad(wa, word_at(x + 2), a1), b1 = kdp_smlad(wb, word_at(x + 2), b1);
        a2 = kdp_smlad(wa, word_at(x + 4), a2), b2 = kdp_smlad(wb, word_at(x + 4), b2);
        a3 = kdp_smlad(wa, word_at(x + 6), a3), b3 = kdp_smlad(wb, word_at(x + 6), b3);
    }
    sums[0] = a0, sums[1] = a1, sums[2] = a2, sums[3] = a3;
    sums[4] = b0, sums[5] = b1, sums[6] = b2, sums[7] = b3;
}

/* [group][n] bytes -> words (x0, x1) of the group's candidates in turn, odd n filled up with 0. */
static void widen(const int8_t *from, int n, int group, int16_t *to)
{
    for (int c = 0; c < group; c++, from += n, to += 2) {
        int16_t *word = to;
        for (int i = 0; i < n; i += 2, word += 2 * group) {
            word[0] = from[i];
            word[1] = i + 1 < n ? from[i + 1] : 0;
        }
    }
}

void kdp_kernel_shared(const kdp_net *net, const int8_t *shared, kdp_activation *work, int32_t *sums)
{
    const kdp_layer *const layer = &net->shared;
    widen(shared, net->shared_size, 1, work);
    for (int row = 0; row < layer->outputs; row += ROWS) {
        sums[row] = layer->rows[row];
        sums[row + 1] = layer->rows[row + 1];
        multiply_1(weights_of(layer, row), work, layer->inputs, sums + row);
    }
}

void kdp_kernel_first(const kdp_net *net, const int32_t *shared_sums, const int8_t *columns, int k,
                      kdp_activation *work, kdp_activation *hidden)
{
    const kdp_layer *const layer = &net->first;
    for (int j = 0, group; j < k; j += group) {
        group = group_at(j, k);
        widen(columns + j * net->column_size, net->column_size, group, work + j * layer->inputs);
    }
    int32_t sums[ROWS * GROUP];
    for (int row = 0; row < layer->outputs; row += ROWS) {
        const int8_t *const weights = weights_of(layer, row);
        const row_constants a = constants_of(layer, row)[0], b = constants_of(layer, row)[1];
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            const int16_t *const x = work + j * layer->inputs;
            for (int c = 0; c < group; c++) {
                sums[c] = shared_sums[row];
                sums[group + c] = shared_sums[row + 1];
            }
            if (group == GROUP) {
                multiply_4(weights, x, layer->inputs, sums);
            } else {
                multiply_1(weights, x, layer->inputs, sums);
            }
            int16_t *const y = pair_at(hidden + j * net->hidden_stride, row, group);
            for (int c = 0; c < group; c++) {
                const int32_t even = requantize_relu(2 * sums[c], a.multiplier, a.rounding, a.shift);
                const int32_t odd = requantize_relu(2 * sums[group + c], b.multiplier, b.rounding, b.shift);
                store_pair(y + 2 * c, group, even, odd);
            }
        }
    }
}

#endif
