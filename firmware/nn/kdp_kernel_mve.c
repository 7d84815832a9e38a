/* The kernel for cores with integer Helium: Cortex-M55, M85.
 *
 * Tiles of 4 outputs x 2 candidates (kdp_tile_mve.c); an odd candidate runs alone.
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

enum { LANES = 4, CHUNK = 16, ROW_WORDS = 3 };

#define INLINE static inline __attribute__((always_inline))

typedef struct {
    int32x4_t bias, multiplier, shift;
} row_constants;

INLINE row_constants constants_of(const kdp_layer *layer, int row)
{
    const int32_t *const at = layer->rows + row * ROW_WORDS;
    const row_constants rows = {vldrwq_s32(at), vldrwq_s32(at + LANES), vldrwq_s32(at + 2 * LANES)};
    return rows;
}

INLINE int32x4_t clamp(int32x4_t value, int32_t low)
{
    return vminq_s32(vmaxq_s32(value, vdupq_n_s32(low)), vdupq_n_s32(127));
}

/* sums + start -> 0..127 */
INLINE int32x4_t requantize_relu(const int32_t *sums, int32x4_t start, const row_constants *rows)
{
    const int32x4_t high = vqrdmulhq_s32(vaddq_s32(vldrwq_s32(sums), start), rows->multiplier);
    return clamp(vrshlq_s32(high, rows->shift), 0);
}

/* sums + bias -> -128..127; the exporter sees to it that no shift is 0 */
INLINE int32x4_t requantize(const int32_t *sums, const row_constants *rows)
{
    int32x4_t high = vqrdmulhq_s32(vaddq_s32(vldrwq_s32(sums), rows->bias), rows->multiplier);
    high = vaddq_s32(high, vshrq_n_s32(high, 31));
    return clamp(vrshlq_s32(high, rows->shift), -128);
}

/* sums [group][4] of outputs row..row + 3 for `group` (2 or 1) candidates */
INLINE void multiply(const kdp_layer *layer, int row, const int8_t *x, int stride, int group, int32_t *sums)
{
    const int8_t *const weights = layer->weights + row * layer->inputs;
    if (group == 2) {
        kdp_mve_tile_2(weights, x, stride, layer->inputs / CHUNK, sums);
    } else {
        kdp_mve_tile_1(weights, x, layer->inputs / CHUNK, sums);
    }
}

INLINE int group_at(int first, int k)
{
    return k - first >= 2 ? 2 : 1;
}

void kdp_kernel_shared(const kdp_net *net, const int8_t *shared, kdp_activation *work, int32_t *sums)
{
    const kdp_layer *const layer = &net->shared;
    if (layer->inputs == 0) {
        memcpy(sums, layer->rows, layer->outputs * sizeof *sums);
        return;
    }
    memset(work, 0, layer->inputs);
    memcpy(work, shared, net->shared_size);
    for (int row = 0; row < layer->outputs; row += LANES) {
        multiply(layer, row, work, 0, 1, sums + row);
        vstrwq_s32(sums + row, vaddq_s32(vldrwq_s32(sums + row), vldrwq_s32(layer->rows + row)));
    }
}

void kdp_kernel_first(const kdp_net *net, const int32_t *shared_sums, const int8_t *columns, int k,
                      kdp_activation *work, kdp_activation *hidden)
{
    const kdp_layer *const layer = &net->first;
    KDP_ALIGNED int32_t sums[2 * LANES];
    memset(work, 0, (size_t)k * layer->inputs);
    for (int j = 0; j < k; j++) {
        memcpy(work + j * layer->inputs, columns + j * net->column_size, net->column_size);
    }
    for (int row = 0; row < layer->outputs; row += LANES) {
        const row_constants rows = constants_of(layer, row);
        const int32x4_t start = vldrwq_s32(shared_sums + row);
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            multiply(layer, row, work + j * layer->inputs, layer->inputs, group, sums);
            for (int c = 0; c < group; c++) {
                int8_t *const to = hidden + (j + c) * net->hidden_stride + row;
                vstrbq_s32(to, requantize_relu(sums + c * LANES, start, &rows));
            }
        }
    }
}

void kdp_kernel_inner(const kdp_net *net, const kdp_layer *layer, int k, const kdp_activation *hidden,
                      kdp_activation *inner)
{
    KDP_ALIGNED int32_t sums[2 * LANES];
    for (int row = 0; row < layer->outputs; row += LANES) {
        const row_constants rows = constants_of(layer, row);
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            multiply(layer, row, hidden + j * net->hidden_stride, net->hidden_stride, group, sums);
            for (int c = 0; c < group; c++) {
                int8_t *const to = inner + (j + c) * net->inner_stride + row;
                vstrbq_s32(to, requantize_relu(sums + c * LANES, rows.bias, &rows));
            }
        }
    }
}

/* relu(h + branch): tables hold what the addition makes of each input */
INLINE int32x4_t add_relu(const kdp_add *add, int32x4_t h, int32x4_t branch)
{
    int32x4_t sum = vldrwq_gather_shifted_offset_s32(add->branch, vreinterpretq_u32_s32(branch));
    sum = vaddq_s32(sum, vldrwq_gather_shifted_offset_s32(add->residual, vreinterpretq_u32_s32(h)));
    return clamp(vrshlq_n_s32(vqrdmulhq_n_s32(sum, add->multiplier), -add->shift), 0);
}

void kdp_kernel_branch(const kdp_net *net, const kdp_block *block, int k, const kdp_activation *inner,
                       kdp_activation *hidden)
{
    const kdp_layer *const layer = &block->branch;
    KDP_ALIGNED int32_t sums[2 * LANES];
    for (int row = 0; row < layer->outputs; row += LANES) {
        const row_constants rows = constants_of(layer, row);
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            multiply(layer, row, inner + j * net->inner_stride, net->inner_stride, group, sums);
            for (int c = 0; c < group; c++) {
                int8_t *const h = hidden + (j + c) * net->hidden_stride + row;
                vstrbq_s32(h, add_relu(&block->add, vldrbq_s32(h), requantize(sums + c * LANES, &rows)));
            }
        }
    }
}

void kdp_kernel_last(const kdp_net *net, int k, const kdp_activation *hidden, int8_t *out)
{
    const kdp_layer *const layer = &net->last;
    const int outputs = net->output_size;
    KDP_ALIGNED int32_t sums[2 * LANES];
    for (int row = 0; row < layer->outputs; row += LANES) {
        const row_constants rows = constants_of(layer, row);
        const mve_pred16_t wanted = vctp32q((uint32_t)(outputs - row));
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            multiply(layer, row, hidden + j * net->hidden_stride, net->hidden_stride, group, sums);
            for (int c = 0; c < group; c++) {
                vstrbq_p_s32(out + (j + c) * outputs + row, requantize(sums + c * LANES, &rows), wanted);
            }
        }
    }
}

#endif
