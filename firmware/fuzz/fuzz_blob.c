/*
 * Any bytes as a model. As they are, hardly any pass the CRC; so the input also chooses the dimensions
 * of a sound blob and changes any bytes of it, under a CRC that is right. What the parser accepts must
 * lie within the blob and must run: two plans, under sanitizers.
 */
#include <string.h>

#include "fuzz.h"
#include "kdp_blob.h"
#include "kdp_bytes.h"
#include "kdp_frame.h"
#include "kdp_slots.h"

enum { ROOM = 8192 };

KDP_ALIGNED static uint8_t data[ROOM];
KDP_ALIGNED static uint8_t memory[1 << 18];
static kdp_blob blob;

static void require_inside(const void *array, size_t bytes, size_t size)
{
    const uint8_t *start = array;
    REQUIRE(start >= data && start <= data + size && bytes <= (size_t)(data + size - start));
}

static void require_layer_inside(const kdp_layer *layer, size_t size)
{
    require_inside(layer->weights, (size_t)layer->inputs * layer->outputs, size);
    require_inside(layer->rows, 4u * layer->outputs, size);
}

static void require_net_inside(const kdp_net *net, size_t size)
{
    require_layer_inside(&net->shared, size);
    require_layer_inside(&net->first, size);
    for (size_t i = 0; i < net->block_count; i++) {
        require_layer_inside(&net->blocks[i].inner, size);
        require_layer_inside(&net->blocks[i].branch, size);
        require_inside(net->blocks[i].add.branch - 128, 4u * 256u, size);
        require_inside(net->blocks[i].add.residual, 4u * 128u, size);
    }
    require_layer_inside(&net->last, size);
}

static void run(const kdp_model *model)
{
    static float actions[254 * 64] = {0};
    kdp_plan plan = {0, 0, actions};
    kdp_planner planner;
    kdp_arena arena = {memory, sizeof memory};
    REQUIRE(kdp_planner_init(&planner, model, &arena) == 0);
    for (uint32_t index = 0; index < 2; index++) {
        REQUIRE(kdp_planner_plan(&planner, model->obs_high, index, index, &plan) == 0);
        REQUIRE(plan.best < model->k);
    }
}

static void parse(size_t size)
{
    if (kdp_blob_parse(&blob, data, size) == 0) {
        require_net_inside(&blob.generator, size);
        require_net_inside(&blob.critic, size);
        require_inside(blob.model.golden, sizeof(kdp_golden) * blob.model.golden_count, size);
        run(&blob.model);
    }
}

/* ---- a sound blob of small dimensions, laid out for the portable kernel */

static size_t padded(size_t size, size_t step)
{
    return (size + step - 1) / step * step;
}

static size_t put_layer(size_t at, size_t inputs, size_t outputs)
{
    at += padded(inputs * outputs, 16);
    for (size_t row = 0; row < outputs; row++) {
        kdp_put_u32(data + at + 16 * row + 4, 1u << 30); /* multiplier */
        kdp_put_u32(data + at + 16 * row + 8, 1u << 4);  /* rounding */
        kdp_put_u32(data + at + 16 * row + 12, 5);       /* shift */
    }
    return at + 16 * outputs;
}

static size_t put_net(size_t at, const uint8_t *shape, size_t shared, size_t columns, size_t outputs)
{
    size_t hidden = padded(shape[0], 4), rows = padded(shape[0], 2), inner = shape[4];
    at += padded(padded(shared, 4) * rows, 16) + padded(4 * rows, 16);
    at = put_layer(at, padded(columns, 4), rows);
    if (shape[2] != 0) {
        at = put_layer(at, hidden, padded(inner, 2));
        at = put_layer(at, padded(inner, 4), rows);
        kdp_put_u32(data + at, 1u << 30);
        kdp_put_u32(data + at + 4, 1);
        at += 4 * (4 + 256 + 128);
    }
    return put_layer(at, hidden, padded(outputs, 2));
}

/* Contents for the dimensions in `data`; returns the size. */
static size_t put_contents(void)
{
    size_t obs = data[16], act = data[18], horizon = data[19], goldens = data[44];
    size_t at = KDP_BLOB_HEADER + 4 * padded(4 * obs, 16) + padded(4 * horizon * act, 16) + 4 * padded(4 * act, 16);
    at += 256 + 16 * goldens + padded(4 * goldens * obs, 16) + padded(4 * goldens * act, 16);
    at = put_net(at, data + 112, obs, data[22], horizon * (obs + act));
    at = put_net(at, data + 132, obs, data[23] * act, 1);
    return padded(at, KDP_FLASH_WORD);
}

static void put_dimensions(const uint8_t *input)
{
    static const uint8_t largest[8] = {4, 1, 3, 4, 2, 5, 6, 2}; /* obs_dim (two bytes) to critic_steps */
    for (size_t i = 0; i < 8; i++) {
        data[16 + i] = (uint8_t)(i == 1 ? 0 : 1 + input[i] % largest[i]);
    }
    data[20] = (uint8_t)(1 + input[4] % data[19]);
    data[23] = (uint8_t)(1 + input[7] % data[19]);
    data[40] = 1; /* deadline */
    data[44] = (uint8_t)(1 + input[8] % 3);
    for (size_t net = 0; net < 2; net++) {
        uint8_t *shape = data + 112 + 20 * net;
        shape[0] = (uint8_t)(1 + input[9 + 3 * net] % 8);
        shape[2] = input[10 + 3 * net] % 2;
        shape[4] = shape[2] == 0 ? 0 : (uint8_t)(1 + input[11 + 3 * net] % 8);
    }
    kdp_put_u32(data, 0x4250444Bu); /* "KDPB" */
    kdp_put_u16(data + 4, 1);
    data[6] = KDP_KERNEL;
}

enum { DIMENSIONS = 15, PATCH = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    memset(data, 0, sizeof data);
    memcpy(data, input, size < ROOM ? size : ROOM);
    if (size >= KDP_BLOB_HEADER && size <= ROOM) {
        parse(size);
    }
    if (size < DIMENSIONS) {
        return 0;
    }
    memset(data, 0, sizeof data);
    put_dimensions(input);
    size_t whole = put_contents();
    REQUIRE(whole <= ROOM);
    kdp_put_u32(data + 8, (uint32_t)whole);
    /* then any bytes anywhere, (where, what) each */
    for (size_t at = DIMENSIONS; at + PATCH <= size; at += PATCH) {
        data[kdp_get_u16(input + at) % whole] = input[at + 2];
    }
    kdp_put_u32(data + 12, kdp_crc32(0, data + 16, whole - 16));
    if (size < DIMENSIONS + PATCH) {
        REQUIRE(kdp_blob_parse(&blob, data, whole) == 0); /* or nothing below is ever reached */
    }
    parse(whole);
    return 0;
}
