/* The kernel for any C99 compiler.
 *
 * Tiles of 2 outputs x 4 candidates: per input 2 weights and 4 activations are loaded for 8
 * multiply-accumulates. k % 4 candidates are left over and run one at a time.
 *
 * weights  [outputs / 2][inputs][2]
 * rows     [outputs][3]: bias, multiplier, right shift (net->shared: [outputs] bias)
 * buffers  a group of 4 candidates is [inputs][4], a single one [inputs]
 */
#include "kdp_kernel.h"

#if KDP_KERNEL == KDP_KERNEL_PORTABLE

enum { ROWS = 2, GROUP = 4, ROW_WORDS = 3 };

/* sums [2][4] += weights . four interleaved candidates; n inputs. */
static void multiply_4(const int8_t *w, const int8_t *x, int n, int32_t *sums)
{
    int32_t a0 = sums[0], a1 = sums[1], a2 = sums[2], a3 = sums[3];
    int32_t b0 = sums[4], b1 = sums[5], b2 = sums[6], b3 = sums[7];
    for (int i = 0; i < n; i++, w += ROWS, x += GROUP) {
        const int32_t wa = w[0], wb = w[1];
        a0 += wa * x[0], b0 += wb * x[0];
        a1 += wa * x[1], b1 += wb * x[1];
        a2 += wa * x[2], b2 += wb * x[2];
        a3 += wa * x[3], b3 += wb * x[3];
    }
    sums[0] = a0, sums[1] = a1, sums[2] = a2, sums[3] = a3;
    sums[4] = b0, sums[5] = b1, sums[6] = b2, sums[7] = b3;
}

/* sums [2] += weights . one candidate. */
static void multiply_1(const int8_t *w, const int8_t *x, int n, int32_t *sums)
{
    int32_t a = sums[0], b = sums[1];
    for (int i = 0; i < n; i++, w += ROWS, x++) {
        a += w[0] * x[0], b += w[1] * x[0];
    }
    sums[0] = a, sums[1] = b;
}

/* gemmlowp's SaturatingRoundingDoublingHighMul then RoundingDivideByPOT, for shifts to the right.
 * Its one saturation, INT32_MIN * INT32_MIN, cannot happen: multipliers are not negative. */
static int32_t requantize(int32_t sum, int32_t multiplier, int32_t shift)
{
    const int64_t product = (int64_t)sum * multiplier + ((int64_t)1 << 30);
    const int32_t high = (int32_t)(product >> 31);
    if (shift == 0) {
        return high;
    }
    /* halves round away from zero; no overflow: the exporter holds |sum| below 2^30 */
    return (high + (high >> 31) + ((int32_t)1 << (shift - 1))) >> shift;
}

static int32_t clamp(int32_t value, int32_t low)
{
    return value < low ? low : value > 127 ? 127 : value;
}

/* One tile: sums of 2 outputs for `group` (4 or 1) candidates, requantized into values [2][group]. */
static void tile(const kdp_layer *layer, int row, int group, const int8_t *x, int32_t low, const int32_t *first,
                 int32_t *values)
{
    const int32_t *const constants = layer->rows + row * ROW_WORDS;
    for (int r = 0; r < ROWS; r++) {
        const int32_t start = first != NULL ? first[row + r] : constants[r * ROW_WORDS];
        for (int c = 0; c < group; c++) {
            values[r * group + c] = start;
        }
    }
    const int8_t *const w = layer->weights + (size_t)row * layer->inputs;
    if (group == GROUP) {
        multiply_4(w, x, layer->inputs, values);
    } else {
        multiply_1(w, x, layer->inputs, values);
    }
    for (int r = 0; r < ROWS; r++) {
        const int32_t multiplier = constants[r * ROW_WORDS + 1], shift = constants[r * ROW_WORDS + 2];
        for (int c = 0; c < group; c++) {
            values[r * group + c] = clamp(requantize(values[r * group + c], multiplier, shift), low);
        }
    }
}

/* Candidates of the group that starts at candidate `first`. */
static int group_at(int first, int k)
{
    return k - first >= GROUP ? GROUP : 1;
}

static void relu_layer(const kdp_layer *layer, const int32_t *first, int k, const int8_t *x, size_t x_stride,
                       int8_t *y, size_t y_stride)
{
    int32_t values[ROWS * GROUP];
    for (int row = 0; row < layer->outputs; row += ROWS) {
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            tile(layer, row, group, x + (size_t)j * x_stride, 0, first, values);
            int8_t *const to = y + (size_t)j * y_stride + row * group;
            for (int i = 0; i < ROWS * group; i++) {
                to[i] = (int8_t)values[i];
            }
        }
    }
}

void kdp_kernel_shared(const kdp_net *net, const int8_t *shared, kdp_activation *work, int32_t *sums)
{
    const kdp_layer *const layer = &net->shared;
    (void)work;
    for (int row = 0; row < layer->outputs; row += ROWS) {
        sums[row] = layer->rows[row];
        sums[row + 1] = layer->rows[row + 1];
        multiply_1(layer->weights + (size_t)row * layer->inputs, shared, layer->inputs, sums + row);
    }
}

void kdp_kernel_first(const kdp_net *net, const int32_t *sums, const int8_t *columns, int k,
                      kdp_activation *work, kdp_activation *hidden)
{
    const int n = net->column_size;
    for (int j = 0, group; j < k; j += group) {
        group = group_at(j, k);
        for (int c = 0; c < group; c++) {
            for (int i = 0; i < n; i++) {
                work[j * n + i * group + c] = columns[(j + c) * n + i];
            }
        }
    }
    relu_layer(&net->first, sums, k, work, (size_t)n, hidden, net->hidden_stride);
}

void kdp_kernel_inner(const kdp_net *net, const kdp_layer *layer, int k, const kdp_activation *hidden,
                      kdp_activation *inner)
{
    relu_layer(layer, NULL, k, hidden, net->hidden_stride, inner, net->inner_stride);
}

void kdp_kernel_branch(const kdp_net *net, const kdp_block *block, int k, const kdp_activation *inner,
                       kdp_activation *hidden)
{
    const kdp_add *const add = &block->add;
    int32_t values[ROWS * GROUP];
    for (int row = 0; row < block->branch.outputs; row += ROWS) {
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            tile(&block->branch, row, group, inner + (size_t)j * net->inner_stride, -128, NULL, values);
            int8_t *const h = hidden + (size_t)j * net->hidden_stride + row * group;
            for (int i = 0; i < ROWS * group; i++) {
                const int32_t sum = add->residual[h[i]] + add->branch[values[i]];
                h[i] = (int8_t)clamp(requantize(sum, add->multiplier, add->shift), 0);
            }
        }
    }
}

void kdp_kernel_last(const kdp_net *net, int k, const kdp_activation *hidden, int8_t *out)
{
    const int outputs = net->output_size;
    int32_t values[ROWS * GROUP];
    for (int row = 0; row < net->last.outputs; row += ROWS) {
        const int rows = outputs - row < ROWS ? outputs - row : ROWS;
        for (int j = 0, group; j < k; j += group) {
            group = group_at(j, k);
            tile(&net->last, row, group, hidden + (size_t)j * net->hidden_stride, -128, NULL, values);
            for (int i = 0; i < rows * group; i++) {
                out[(j + i % group) * outputs + row + i / group] = (int8_t)values[i];
            }
        }
    }
}

#endif
