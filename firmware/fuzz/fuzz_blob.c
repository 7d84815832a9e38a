/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a model. As they are, hardly any pass the CRC; so the input also chooses the dimensions
 * of a sound blob and changes any bytes of it, under a CRC that is right. What the parser accepts must
 * lie within the blob and must run: two plans, under sanitizers.
 */
#include <string.h>

#include "fuzz.h"
#include "small_blob.h"

KDP_ALIGNED static uint8_t data[SMALL_BLOB_ROOM];
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

enum { PATCH = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    memset(data, 0, sizeof data);
    memcpy(data, input, size < sizeof data ? size : sizeof data);
    if (size >= KDP_BLOB_HEADER && size <= sizeof data) {
        parse(size);
    }
    if (size < SMALL_BLOB_DIMENSIONS) {
        return 0;
    }
    size_t whole = put_small_blob(data, input);
    REQUIRE(kdp_blob_parse(&blob, data, whole) == 0); /* or nothing below is ever reached */
    /* then any bytes anywhere, (where, what) each */
    for (size_t at = SMALL_BLOB_DIMENSIONS; at + PATCH <= size; at += PATCH) {
        data[kdp_get_u16(input + at) % whole] = input[at + 2];
    }
    kdp_put_u32(data + 8, (uint32_t)whole);
    put_crc(data, whole);
    parse(whole);
    return 0;
}
