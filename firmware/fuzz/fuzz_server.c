/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Any sequence of requests into the request handler: the input is cut into bodies of a length byte
 * and so many bytes, with silence between some. Whatever comes, replies keep the protocol and actions their limits.
 */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "kdp_bytes.h"
#include "kdp_model.h"
#include "kdp_server.h"

int kdp_library_start(void);
void kdp_library_set_ticks(uint32_t ticks);
void kdp_library_wait(uint32_t ticks);
void kdp_library_actuated(float *values);
size_t kdp_library_answer(const uint8_t *body, size_t size, uint8_t *reply);

static float previous[KDP_MODEL_ACT_DIM];

static void check_action(const uint8_t *payload, size_t size)
{
    const kdp_model *model = &kdp_model_data;
    REQUIRE(size == 18u + 4u * model->act_dim);
    REQUIRE(payload[4] >= KDP_RUNNING && payload[4] <= KDP_LATCHED);
    REQUIRE(payload[6] < model->k);
    REQUIRE(payload[7] < model->horizon || payload[7] == KDP_NO_PLAN);
    for (size_t i = 0; i < model->act_dim; i++) {
        float action = kdp_get_f32(payload + 12 + 4 * i);
        REQUIRE(action >= model->act_low[i] && action <= model->act_high[i]);
        REQUIRE(fabsf(action - previous[i]) <= model->act_rate[i] + 1e-6f);
        previous[i] = action;
    }
}

static void check_reply(const uint8_t *request, const uint8_t *reply, size_t size)
{
    REQUIRE(size >= KDP_FRAME_HEADER && size <= KDP_BODY_MAX);
    REQUIRE(memcmp(request + 1, reply + 1, 2) == 0);
    REQUIRE(reply[0] == KDP_ERROR || reply[0] == (request[0] | KDP_REPLY));
    if (reply[0] == KDP_ERROR) {
        REQUIRE(size == KDP_FRAME_HEADER + 2u && reply[4] == request[0]);
        REQUIRE(reply[3] >= -KDP_ERROR_UNKNOWN_TYPE && reply[3] <= -KDP_ERROR_OTHER_SIGNALS);
    } else if (request[0] == KDP_RESET || request[0] == KDP_ARM) {
        REQUIRE(size == KDP_FRAME_HEADER + 4u + sizeof previous);
        for (size_t i = 0; i < kdp_model_data.act_dim; i++) { /* the rate's origin stays */
            REQUIRE(kdp_get_f32(reply + KDP_FRAME_HEADER + 4 + 4 * i) == previous[i]);
        }
    }
}

/* Silence: what the device does then keeps its limits. */
static void pass_time(uint32_t microseconds)
{
    const kdp_model *model = &kdp_model_data;
    kdp_library_wait(microseconds);
    kdp_library_actuated(previous);
    for (size_t i = 0; i < model->act_dim; i++) {
        REQUIRE(previous[i] >= model->act_low[i] && previous[i] <= model->act_high[i]);
    }
}

/* IDLE with nothing kept, from any state: an input must do the same alone as after others. */
static void start_over(uint8_t *reply)
{
    const kdp_model *model = &kdp_model_data;
    uint8_t body[KDP_FRAME_HEADER + 5] = {KDP_RESET};
    static int started;
    if (!started) {
        REQUIRE(kdp_library_start() == 0);
        started = 1;
    }
    kdp_library_answer(body, sizeof body, reply);
    body[0] = KDP_TICK;
    for (uint32_t step = 0; step <= model->safe_steps + 16; step++) { /* latched, and the safe action reached */
        kdp_put_u32(body + KDP_FRAME_HEADER, step);
        kdp_library_answer(body, sizeof body - 1, reply);
    }
    body[0] = KDP_ARM;
    kdp_library_answer(body, KDP_FRAME_HEADER, reply);
    REQUIRE(reply[KDP_FRAME_HEADER] == KDP_IDLE); /* or the self-test failed: a stale bundle */
    kdp_library_actuated(previous); /* the safe action, or what was held */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t reply[KDP_BODY_MAX];
    uint8_t last[KDP_FRAME_HEADER + 64];
    size_t last_size = 0;
    start_over(reply);
    for (size_t at = 0; at < size;) {
        uint8_t body[KDP_FRAME_HEADER + 64] = {0};
        size_t length = data[at] % 64u + KDP_FRAME_HEADER;
        kdp_library_set_ticks(data[at] & 0x80u ? 10000000u : 1u);
        if (data[at] & 0x40u) {
            pass_time(1000u * data[at]);
        }
        at++;
        memcpy(body, data + at, length < size - at ? length : size - at);
        at += length;
        if (body[0] == KDP_SELFTEST) {
            continue; /* sixteen plans: nothing here can change what it finds */
        }
        size_t answered = kdp_library_answer(body, length, reply);
        check_reply(body, reply, answered);
        int repeated = last_size == length && memcmp(last, body, length) == 0;
        if ((reply[0] == (KDP_STEP | KDP_REPLY) || reply[0] == (KDP_TICK | KDP_REPLY)) && !repeated) {
            check_action(reply + KDP_FRAME_HEADER, answered - KDP_FRAME_HEADER);
            memcpy(last, body, length);
            last_size = length;
        } else if (reply[0] == (KDP_RESET | KDP_REPLY) || reply[0] == (KDP_ARM | KDP_REPLY)) {
            last_size = 0; /* a refused one keeps the answer before it */
        }
    }
    return 0;
}
