/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_blob.h"

#include <stdbool.h>
#include <string.h>

#include "kdp_bytes.h"
#include "kdp_frame.h"

#if !KDP_LITTLE_ENDIAN
#error "a model that comes over the link is read in place, and is little-endian"
#endif

enum { VERSION = 3, AHEAD_AT = 7, CRC_AT = 12, CRC_FROM = 16, SEQUENCE_AT = 152, SIZE_STEP = 32 };

/* Steps of the kernel's layers and int32 per row: `Kernel` in export/c_layout.py. */
#if KDP_KERNEL == KDP_KERNEL_MVE
enum { ROW_STEP = 4, INPUT_STEP = 16, FIRST_STEP = 16, ROW_WORDS = 3 };
#elif KDP_KERNEL == KDP_KERNEL_M4
enum { ROW_STEP = 2, INPUT_STEP = 8, FIRST_STEP = 2, ROW_WORDS = 4 };
#elif KDP_KERNEL == KDP_KERNEL_DUAL
enum { ROW_STEP = 2, INPUT_STEP = 8, FIRST_STEP = 1, ROW_WORDS = 4 };
#else
enum { ROW_STEP = 2, INPUT_STEP = 4, FIRST_STEP = 4, ROW_WORDS = 4 };
#endif

#define RATE_LIMIT 4000000000u /* millihertz */

/* golden vectors are read in place */
typedef char golden_is_four_words[sizeof(kdp_golden) == 16 ? 1 : -1];

/* The arrays, taken one after the other; `at` never passes `size`. */
typedef struct {
    const uint8_t *data;
    size_t size, at;
    bool short_of;  /* an array would have passed the end */
    bool bad_value;
} reader_t;

/* Shape of a net, from the header. */
typedef struct {
    uint16_t width;
    uint8_t block_count;
    uint16_t inner[KDP_BLOB_BLOCKS];
    uint16_t shared, columns, outputs;
} shape_t;

uint32_t kdp_blob_size(const uint8_t *data)
{
    return kdp_get_u32(data + 8);
}

uint32_t kdp_blob_crc(const uint8_t *data)
{
    return kdp_get_u32(data + CRC_AT);
}

uint32_t kdp_blob_sequence(const uint8_t *data)
{
    return kdp_get_u32(data + SEQUENCE_AT);
}

const uint8_t *kdp_blob_signature(const uint8_t *data, size_t size)
{
    return data + size - KDP_SIGNATURE_SIZE;
}

void kdp_blob_hash(const uint8_t *data, size_t size, uint8_t hash[KDP_SHA256_SIZE])
{
    kdp_sha256 sum;
    kdp_sha256_init(&sum);
    kdp_sha256_add(&sum, data, CRC_AT);
    kdp_sha256_add(&sum, data + CRC_FROM, size - CRC_FROM - KDP_SIGNATURE_SIZE);
    kdp_sha256_end(&sum, hash);
}

static uint16_t padded(size_t size, size_t step)
{
    return (uint16_t)((size + step - 1) / step * step);
}

/* The next array of `bytes`; the start of the blob when it does not fit, which is never used then. */
static const void *take(reader_t *reader, size_t bytes)
{
    size_t left = reader->size - reader->at;
    size_t aligned = KDP_ROUND_UP(bytes);
    if (reader->short_of || aligned > left) {
        reader->short_of = true;
        return reader->data;
    }
    const void *array = reader->data + reader->at;
    reader->at += aligned;
    return array;
}

static bool is_minus_zero(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == 0x80000000u;
}

static const float *take_floats(reader_t *reader, size_t count)
{
    const float *values = take(reader, 4u * count);
    for (size_t i = 0; !reader->short_of && i < count; i++) {
        /* false for NaN, too; the host makes no -0.0 either, whose bits differ where the number does not */
        if (!(values[i] >= -FLT_MAX && values[i] <= FLT_MAX) || is_minus_zero(values[i])) {
            reader->bad_value = true;
        }
    }
    return values;
}

/*
 * Sums stay below 2^30, as every kernel needs it: 2^29 for a bias leaves room for the products of
 * KDP_BLOB_WIDTH inputs, 2^14 each.
 */
static bool is_small(int32_t value)
{
    const int32_t limit = KDP_KERNEL == KDP_KERNEL_MVE ? 1 << 29 : 1 << 30; /* the others keep twice the value */
    return value > -limit && value < limit; /* so that the sum of two fits int32, too */
}

static bool row_fits(const int32_t *rows, size_t row, int32_t least_shift)
{
#if KDP_KERNEL == KDP_KERNEL_MVE
    const int32_t *first = rows + row / 4 * 12 + row % 4;
    int32_t bias = first[0], multiplier = first[4], shift = -first[8];
    bool rounding = true;
#else
    const int32_t *first = rows + row * ROW_WORDS;
    int32_t bias = first[0], multiplier = first[1], shift = first[3];
    bool rounding = shift < 1 || shift > 31 ? first[2] == 0 : first[2] == (int32_t)(1u << (shift - 1));
#endif
    return is_small(bias) && multiplier >= 0 && shift >= (multiplier > 0 ? least_shift : 0) && shift <= 31 && rounding;
}

/* A layer whose result goes through a ReLU (least_shift 0) or not (1). */
static kdp_layer take_layer(reader_t *reader, uint16_t inputs, uint16_t outputs, int32_t least_shift)
{
    kdp_layer layer = {NULL, NULL, inputs, outputs};
    layer.weights = take(reader, (size_t)inputs * outputs);
    layer.rows = take(reader, 4u * (size_t)ROW_WORDS * outputs);
    for (size_t row = 0; !reader->short_of && row < outputs; row++) {
        reader->bad_value |= !row_fits(layer.rows, row, least_shift);
    }
    return layer;
}

/* The shared inputs' part of the first layer: biases only. */
static kdp_layer take_shared(reader_t *reader, uint16_t inputs, uint16_t outputs)
{
    kdp_layer layer = {NULL, NULL, inputs, outputs};
    layer.weights = take(reader, (size_t)inputs * outputs);
    layer.rows = take(reader, 4u * (size_t)outputs);
    for (size_t row = 0; !reader->short_of && row < outputs; row++) {
        reader->bad_value |= !is_small(layer.rows[row]);
    }
    return layer;
}

static kdp_add take_add(reader_t *reader)
{
    const int32_t *words = take(reader, 4u * (4u + 256u + 128u));
    kdp_add add;
    memset(&add, 0, sizeof add);
    if (reader->short_of) {
        return add;
    }
    for (size_t i = 0; i < 256 + 128; i++) {
        reader->bad_value |= !is_small(words[4 + i]);
    }
    if (words[0] < 0 || words[1] < 1 || words[1] > 31) {
        reader->bad_value = true;
        return add;
    }
    add.branch = words + 4 + 128;
    add.residual = words + 4 + 256;
    add.multiplier = words[0];
    add.rounding = (int32_t)(1u << (words[1] - 1));
    add.shift = words[1];
    return add;
}

static void take_net(reader_t *reader, const shape_t *shape, kdp_net *net, kdp_block *blocks)
{
    uint16_t hidden = padded(shape->width, INPUT_STEP), rows = padded(shape->width, ROW_STEP);
    memset(net, 0, sizeof *net);
    net->kernel = KDP_KERNEL;
    net->block_count = shape->block_count;
    net->shared_size = shape->shared;
    net->column_size = shape->columns;
    net->output_size = shape->outputs;
    net->hidden_stride = hidden;
    net->shared = take_shared(reader, padded(shape->shared, FIRST_STEP), rows);
    net->first = take_layer(reader, padded(shape->columns, FIRST_STEP), rows, 0);
    for (size_t i = 0; i < shape->block_count; i++) {
        uint16_t inner = padded(shape->inner[i], INPUT_STEP);
        net->inner_stride = inner > net->inner_stride ? inner : net->inner_stride;
        blocks[i].inner = take_layer(reader, hidden, padded(shape->inner[i], ROW_STEP), 0);
        blocks[i].branch = take_layer(reader, inner, rows, 1);
        blocks[i].add = take_add(reader);
    }
    net->blocks = blocks;
    net->last = take_layer(reader, hidden, padded(shape->outputs, ROW_STEP), 1);
}

static void read_scalars(kdp_model *model, const uint8_t *data)
{
    memset(model, 0, sizeof *model);
    model->ahead = data[AHEAD_AT];
    model->obs_dim = kdp_get_u16(data + 16);
    model->act_dim = data[18];
    model->horizon = data[19];
    model->chunk = data[20];
    model->k = data[21];
    model->latent_dim = data[22];
    model->critic_steps = data[23];
    model->margin = (int32_t)kdp_get_u32(data + 24);
    model->seed = kdp_get_u32(data + 28);
    model->safe_steps = kdp_get_u32(data + 32);
    model->rate_millihertz = kdp_get_u32(data + 36);
    model->deadline_us = kdp_get_u32(data + 40);
    model->golden_count = kdp_get_u16(data + 44);
    model->silent_steps = kdp_get_u16(data + 46);
    model->sha256 = data + KDP_BLOB_SHA256;
    model->schema_sha256 = data + 80;
}

/* The ranges of check_deployable in export/c_model.py and of check in kdp_edge/quantization/plan.py. */
static bool dimensions_fit(const kdp_model *model)
{
    const int32_t margin = 1 << 30;
    return model->obs_dim >= 1 && model->obs_dim <= 250 && model->act_dim >= 1 && model->act_dim <= 64 &&
           model->horizon >= 1 && model->horizon <= 254 && model->chunk >= 1 &&
           model->ahead <= 1 && model->chunk > model->ahead && model->chunk <= model->horizon &&
           model->k >= 1 && model->k <= KDP_MAX_K && model->latent_dim >= 1 && model->critic_steps >= 1 &&
           model->critic_steps <= model->horizon && model->margin >= -margin && model->margin <= margin &&
           model->rate_millihertz >= 1 && model->rate_millihertz <= RATE_LIMIT && model->deadline_us >= 1 &&
           model->silent_steps >= 1 &&
           model->golden_count >= 1 &&
           KDP_FRAME_HEADER + 5u + model->k + kdp_model_window(model) <= KDP_BODY_MAX;
}

static bool in_order(const float *low, const float *high, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (low[i] > high[i]) {
            return false;
        }
    }
    return true;
}

/* _check_values in kdp_edge/quantization/plan.py, of finite numbers. */
static bool limits_fit(const kdp_model *model)
{
    size_t obs = model->obs_dim, act = model->act_dim;
    for (size_t i = 0; i < act; i++) {
        if (model->act_rate[i] < 0.0f || model->safe_hold[i] > 1) {
            return false;
        }
    }
    for (size_t i = 0; i < model->horizon * act; i++) {
        if (model->act_gain[i] <= 0.0f) {
            return false;
        }
    }
    return in_order(model->obs_low, model->obs_high, obs) && in_order(model->act_low, model->safe_action, act) &&
           in_order(model->safe_action, model->act_high, act);
}

static bool read_shape(shape_t *shape, const uint8_t *data, size_t columns, size_t outputs, uint16_t shared)
{
    shape->width = kdp_get_u16(data);
    shape->block_count = data[2];
    shape->shared = shared;
    shape->columns = (uint16_t)columns;
    shape->outputs = (uint16_t)outputs;
    bool fits = shape->width >= 1 && shape->width <= KDP_BLOB_WIDTH && shape->block_count <= KDP_BLOB_BLOCKS &&
                columns <= KDP_BLOB_WIDTH && outputs <= KDP_BLOB_WIDTH;
    for (size_t i = 0; i < KDP_BLOB_BLOCKS; i++) {
        shape->inner[i] = kdp_get_u16(data + 4 + 2 * i);
        bool used = i < shape->block_count;
        fits = fits && (used ? shape->inner[i] >= 1 && shape->inner[i] <= KDP_BLOB_WIDTH : shape->inner[i] == 0);
    }
    return fits;
}

static void take_spec(reader_t *reader, kdp_model *model)
{
    size_t obs = model->obs_dim, act = model->act_dim, count = model->golden_count;
    model->obs_offset = take_floats(reader, obs);
    model->obs_gain = take_floats(reader, obs);
    model->obs_low = take_floats(reader, obs);
    model->obs_high = take_floats(reader, obs);
    model->act_gain = take_floats(reader, model->horizon * act);
    model->act_offset = take_floats(reader, act);
    model->act_low = take_floats(reader, act);
    model->act_high = take_floats(reader, act);
    model->act_rate = take_floats(reader, act);
    model->safe_action = take_floats(reader, act);
    model->latent_table = take(reader, 256);
    model->safe_hold = take(reader, act);
    /* written as four little-endian words each: episode, index, digest, best */
    model->golden = take(reader, sizeof(kdp_golden) * count);
    model->golden_observation = take_floats(reader, obs * count);
    model->golden_action = take_floats(reader, act * count);
}

int kdp_blob_check(const uint8_t *data, size_t size)
{
    if (size < KDP_BLOB_LEAST || kdp_blob_size(data) != size || size % SIZE_STEP != 0) {
        return KDP_ERROR_BLOB_SIZE;
    }
    if (memcmp(data, "KDPB", 4) != 0 || kdp_get_u16(data + 4) != VERSION || data[AHEAD_AT] > 1) {
        return KDP_ERROR_BLOB_FORMAT;
    }
    if (kdp_crc32(0, data + CRC_FROM, size - CRC_FROM) != kdp_blob_crc(data)) {
        return KDP_ERROR_BLOB_CRC;
    }
    return data[6] == KDP_KERNEL ? 0 : KDP_ERROR_BLOB_KERNEL;
}

int kdp_blob_parse(kdp_blob *blob, const uint8_t *data, size_t size)
{
    kdp_model *model = &blob->model;
    reader_t reader = {data, 0, KDP_BLOB_HEADER, false, false};
    shape_t generator, critic;
    int status = kdp_blob_check(data, size);
    if (status != 0) {
        return status;
    }
    reader.size = size - KDP_SIGNATURE_SIZE;
    read_scalars(model, data);
    size_t played = (size_t)model->critic_steps * model->act_dim;
    if (!dimensions_fit(model) ||
        !read_shape(&generator, data + 112, model->latent_dim, kdp_model_window(model), model->obs_dim) ||
        !read_shape(&critic, data + 132, played, 1, model->obs_dim)) {
        return KDP_ERROR_BLOB_DIMENSIONS;
    }
    take_spec(&reader, model);
    take_net(&reader, &generator, &blob->generator, blob->blocks[0]);
    take_net(&reader, &critic, &blob->critic, blob->blocks[1]);
    model->generator = &blob->generator;
    model->critic = &blob->critic;
    if (reader.short_of || (reader.at + SIZE_STEP - 1) / SIZE_STEP * SIZE_STEP != reader.size) {
        return KDP_ERROR_BLOB_DIMENSIONS;
    }
    if (reader.bad_value) {
        return KDP_ERROR_BLOB_VALUES;
    }
    return limits_fit(model) ? 0 : KDP_ERROR_BLOB_LIMITS;
}
