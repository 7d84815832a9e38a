/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* The kernel for cores with integer Helium: Cortex-M55, M85.
 *
 * Tiles of 4 outputs x 2 candidates (kdp_tile_mve.c); an odd candidate runs alone, 8 outputs at a time.
 *
 * weights  [outputs / 4][inputs / 16][4][16]
 * rows     [outputs / 4][bias, multiplier, shift][4], shift to the left: 0 or negative
 *          (net->shared: [outputs] bias)
 * buffers  [k][stride], stride a multiple of 16
 *
 * Requantization is gemmlowp's: VQRDMULH is SaturatingRoundingDoublingHighMul, and VRSHL divides by a
 * power of two rounding halves up, so negative values lose one first to round halves away from zero.
 * A ReLU drops those anyway. */
#include "kdp_kernel.h"

#if KDP_KERNEL == KDP_KERNEL_MVE

#include <arm_mve.h>
#include <string.h>

#include "kdp_tile_mve.h"

enum { LANES = 4, CHUNK = 16, ROW_WORDS = 3, EIGHT = 8 };

typedef struct {
    int32x4_t bias, multiplier, shift;
} row_constants;

KDP_INLINE row_constants constants_of(const kdp_layer *layer, int row)
{
    const int32_t *const at = layer->rows + row * ROW_WORDS;
    const row_constants rows = {vldrwq_s32(at), vldrwq_s32(at + LANES), vldrwq_s32(at + 2 * LANES)};
    return rows;
}

/* A constant that is made anew where it is used: one instruction, where keeping it would cost two to
 * spill and reload. */
#if defined(__ARM_FEATURE_MVE)
#define CONSTANT(name, instruction)                     \
    KDP_INLINE int32x4_t name(void)                         \
    {                                                   \
        int32x4_t value;                                \
        __asm__ volatile(instruction : "=w"(value));    \
        return value;                                   \
    }
CONSTANT(zero, "vmov.i32 %q0, #0")
CONSTANT(lowest, "vmvn.i32 %q0, #127")
#else
KDP_INLINE int32x4_t zero(void) { return vdupq_n_s32(0); }
KDP_INLINE int32x4_t lowest(void) { return vdupq_n_s32(-128); }
#endif

KDP_INLINE int32x4_t clamp(int32x4_t value, int32x4_t low)
{
    return vminq_s32(vmaxq_s32(value, low), vdupq_n_s32(127));
}

/* sums + start -> 0..127 */
KDP_INLINE int32x4_t requantize_relu(const int32_t *sums, int32x4_t start, const row_constants *rows)
{
    const int32x4_t high = vqrdmulhq_s32(vaddq_s32(vldrwq_s32(sums), start), rows->multiplier);
    return clamp(vrshlq_s32(high, rows->shift), zero());
}

/* sums + bias -> -128..127; the exporter sees to it that no shift is 0 */
KDP_INLINE int32x4_t requantize(const int32_t *sums, const row_constants *rows)
{
    int32x4_t high = vqrdmulhq_s32(vaddq_s32(vldrwq_s32(sums), rows->bias), rows->multiplier);
    high = vaddq_s32(high, vshrq_n_s32(high, 31));
    return clamp(vrshlq_s32(high, rows->shift), lowest());
}

/* sums [2][4] of outputs row..row + 3 for two candidates, or [1][4] for one */
KDP_INLINE void multiply(const kdp_layer *layer, int row, const int8_t *x, int stride, int group, int32_t *sums)
{
    const int8_t *const weights = layer->weights + row * layer->inputs;
    if (group == 2) {
        kdp_mve_tile_2(weights, x, stride, layer->inputs / CHUNK, sums);
    } else {
        kdp_mve_tile_1(weights, x, layer->inputs / CHUNK, sums);
    }
}

#if KDP_FUSED
/* What is the same for all rows of a layer. */
KDP_INLINE void prepare_layer(kdp_mve_rows *rows, const kdp_layer *layer, const int8_t *x, int x_stride,
                          int to_stride)
{
    rows->x = x;
    rows->x_stride = x_stride;
    rows->chunks = layer->inputs / CHUNK;
    rows->to_stride = to_stride;
    rows->x_step = 2 * x_stride - layer->inputs;
}

/* Outputs row to row + 3 of the first k & ~1 candidates; returns how many those are. */
KDP_INLINE int prepare_row(kdp_mve_rows *rows, const kdp_layer *layer, int row, const int32_t *start, int k,
                       int8_t *to)
{
    rows->weights = layer->weights + row * layer->inputs;
    rows->rows = layer->rows + row * ROW_WORDS;
    rows->start = start;
    rows->to = to + row;
    rows->pairs = k / 2;
    return k & ~1;
}

/* The layer's outputs by eights for a candidate that runs alone; what is left of them is up to 7. */
KDP_INLINE kdp_mve_layer prepare_alone(const kdp_layer *layer, int outputs, const int32_t *starts, const int8_t *x,
                                   int8_t *to)
{
    kdp_mve_layer alone = {.weights = layer->weights, .x = x, .start = layer->rows, .rows = layer->rows};
    alone.start_step = ROW_WORDS * LANES * (int32_t)sizeof(int32_t);
    if (starts != NULL) {
        alone.start = starts;
        alone.start_step = LANES * (int32_t)sizeof(int32_t);
    }
    alone.to = to;
    alone.chunks = layer->inputs / CHUNK;
    alone.eights = outputs / EIGHT;
    return alone;
}
#endif

/* Rows that a loop over them begins with, and candidates it has to serve in a row that is done for the last. */
#if KDP_FUSED
#define FIRST_ROW(k, done) ((k) == 1 ? (done) : 0)
#define LAST_J(k, done) ((done) ? (k) - 1 : (k))
#else
#define FIRST_ROW(k, done) 0
#define LAST_J(k, done) (k)
#endif

/* to[c * stride] = relu(requantize(start + weights . x)) for `group` candidates */
KDP_INLINE void relu_tile(const kdp_layer *layer, int row, const int32_t *start, const int8_t *x, int x_stride,
                      int group, int8_t *to, int stride)
{
    int32_t sums[2 * LANES];
    multiply(layer, row, x, x_stride, group, sums);
    const row_constants rows = constants_of(layer, row);
    vstrbq_s32(to, requantize_relu(sums, vldrwq_s32(start), &rows));
    if (group == 2) {
        vstrbq_s32(to + stride, requantize_relu(sums + LANES, vldrwq_s32(start), &rows));
    }
}

/* A layer with ReLU for all k candidates; starts [outputs] replace the bias, or null. */
static void relu_layer(const kdp_layer *layer, const int32_t *starts, const int8_t *x, int x_stride, int k,
                       int8_t *to, int stride)
{
#if KDP_FUSED
    const int alone = k - 1; /* the candidate, if k is odd */
    int done = 0;            /* its outputs */
    if (k % 2 != 0 && layer->outputs >= EIGHT) {
        kdp_mve_layer eights =
            prepare_alone(layer, layer->outputs, starts, x + alone * x_stride, to + alone * stride);
        done = eights.eights * EIGHT;
        kdp_mve_inner_1(&eights);
    }
    kdp_mve_rows rows;
    prepare_layer(&rows, layer, x, x_stride, stride);
#endif
    for (int row = FIRST_ROW(k, done); row < layer->outputs; row += LANES) {
        const int32_t *const constants = layer->rows + row * ROW_WORDS;
        const int32_t *const start = starts == NULL ? constants : starts + row;
        int j = 0;
#if KDP_FUSED
        if (k >= 2) {
            j = prepare_row(&rows, layer, row, start, k, to);
            kdp_mve_inner(&rows);
        }
        if (row < done) {
            continue;
        }
#endif
        for (int group; j < k; j += group) {
            group = !KDP_FUSED && k - j >= 2 ? 2 : 1;
            relu_tile(layer, row, start, x + j * x_stride, x_stride, group, to + j * stride + row, stride);
        }
    }
}

void kdp_kernel_shared(const kdp_layer *layer, const int8_t *shared, int size, kdp_activation *work, int32_t *sums)
{
    if (layer->inputs == 0) {
        memcpy(sums, layer->rows, layer->outputs * sizeof *sums);
        return;
    }
    memset(work, 0, layer->inputs);
    memcpy(work, shared, (size_t)size);
    for (int row = 0; row < layer->outputs; row += LANES) {
        multiply(layer, row, work, 0, 1, sums + row);
        vstrwq_s32(sums + row, vaddq_s32(vldrwq_s32(sums + row), vldrwq_s32(layer->rows + row)));
    }
}

void kdp_kernel_first(const kdp_net *net, const int32_t *sums, const int8_t *columns, int k,
                      kdp_activation *work, kdp_activation *hidden)
{
    const kdp_layer *const layer = &net->first;
    memset(work, 0, (size_t)k * layer->inputs);
    for (int j = 0; j < k; j++) {
        memcpy(work + j * layer->inputs, columns + j * net->column_size, net->column_size);
    }
    relu_layer(layer, sums, work, layer->inputs, k, hidden, net->hidden_stride);
}

void kdp_kernel_inner(const kdp_net *net, const kdp_layer *layer, int k, const kdp_activation *hidden,
                      kdp_activation *inner)
{
    relu_layer(layer, NULL, hidden, net->hidden_stride, k, inner, net->inner_stride);
}

/* h = relu(h + branch), 4 outputs of one candidate; the tables hold what the addition makes of each input */
KDP_INLINE void add_relu(const kdp_add *add, int32x4_t branch, int8_t *h)
{
    int32x4_t sum = vldrwq_gather_shifted_offset_s32(add->branch, vreinterpretq_u32_s32(branch));
    const uint32x4_t index = vreinterpretq_u32_s32(vldrbq_s32(h));
    sum = vaddq_s32(sum, vldrwq_gather_shifted_offset_s32(add->residual, index));
    vstrbq_s32(h, clamp(vrshlq_n_s32(vqrdmulhq_n_s32(sum, add->multiplier), -add->shift), zero()));
}

KDP_INLINE void branch_tile(const kdp_layer *layer, const kdp_add *add, int row, const int8_t *x, int x_stride,
                        int group, int8_t *h, int stride)
{
    int32_t sums[2 * LANES];
    multiply(layer, row, x, x_stride, group, sums);
    const row_constants rows = constants_of(layer, row);
    add_relu(add, requantize(sums, &rows), h);
    if (group == 2) {
        add_relu(add, requantize(sums + LANES, &rows), h + stride);
    }
}

void kdp_kernel_branch(const kdp_net *net, const kdp_block *block, int k, const kdp_activation *inner,
                       kdp_activation *hidden)
{
    const kdp_layer *const layer = &block->branch;
    const int x_stride = net->inner_stride, stride = net->hidden_stride;
#if KDP_FUSED
    kdp_mve_rows rows;
    prepare_layer(&rows, layer, inner, x_stride, stride);
    rows.branch = block->add.branch, rows.residual = block->add.residual;
    rows.multiplier = block->add.multiplier, rows.shift = -block->add.shift;
    const int alone = k - 1; /* the candidate, if k is odd */
    int done = 0;            /* its outputs */
    if (k % 2 != 0 && layer->outputs >= EIGHT) {
        kdp_mve_layer eights = prepare_alone(layer, layer->outputs, NULL, inner + alone * x_stride,
                                             hidden + alone * stride);
        eights.branch = rows.branch, eights.residual = rows.residual;
        eights.multiplier = rows.multiplier, eights.shift = rows.shift;
        done = eights.eights * EIGHT;
        kdp_mve_branch_1(&eights);
    }
#endif
    for (int row = FIRST_ROW(k, done); row < layer->outputs; row += LANES) {
        int j = 0;
#if KDP_FUSED
        if (k >= 2) {
            j = prepare_row(&rows, layer, row, layer->rows + row * ROW_WORDS, k, hidden);
            kdp_mve_branch(&rows);
        }
        if (row < done) {
            continue;
        }
#endif
        for (int group; j < k; j += group) {
            group = !KDP_FUSED && k - j >= 2 ? 2 : 1;
            branch_tile(layer, &block->add, row, inner + j * x_stride, x_stride, group,
                        hidden + j * stride + row, stride);
        }
    }
}

void kdp_kernel_last(const kdp_net *net, int k, const kdp_activation *hidden, int8_t *out)
{
    const kdp_layer *const layer = &net->last;
    const int outputs = net->output_size, stride = net->hidden_stride;
    int32_t sums[2 * LANES];
#if KDP_FUSED
    const int alone = k - 1; /* the candidate, if k is odd */
    int done = 0;            /* its outputs */
    if (k % 2 != 0 && outputs >= EIGHT) {
        kdp_mve_layer eights = prepare_alone(layer, outputs, NULL, hidden + alone * stride, out + alone * outputs);
        done = eights.eights * EIGHT;
        kdp_mve_last_1(&eights);
    }
#endif
    for (int row = FIRST_ROW(k, done); row < layer->outputs; row += LANES) {
        const row_constants rows = constants_of(layer, row);
        const mve_pred16_t wanted = vctp32q((uint32_t)(outputs - row));
        int8_t *to = out + row;
        for (int j = 0; j < LAST_J(k, row < done); j += 2, to += 2 * outputs) {
            const int group = k - j >= 2 ? 2 : 1;
            multiply(layer, row, hidden + j * stride, stride, group, sums);
            vstrbq_p_s32(to, requantize(sums, &rows), wanted);
            if (group == 2) {
                vstrbq_p_s32(to + outputs, requantize(sums + LANES, &rows), wanted);
            }
        }
    }
}

#endif
