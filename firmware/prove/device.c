/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * A whole device: any model of the shape, any requests for ever. The planner is any_plan.c.
 */
#include "any.h"
#include "any_model.h"
#include "kdp_bytes.h"
#include "kdp_server.h"

KDP_ALIGNED static uint8_t memory[ANY_MEMORY];
static kdp_server server;

#ifndef EXACT
#define EXACT 0 /* sizes of requests up to which the request ends where its memory ends */
#endif

/* One request with any payload; types one by one, or the analysis would mix their lengths. */
static void answer_to(uint8_t *body, uint8_t type, size_t size)
{
    body[0] = type;
    size_t answered = kdp_server_answer(&server, body, size);
    //@ assert reply_fits_a_frame: answered <= KDP_BODY_MAX;
    kdp_server_prepare(&server);
}

static void ask_sized(uint8_t type, size_t size)
{
    static uint8_t body[KDP_BODY_MAX];
    any_bytes(body, sizeof body);
    answer_to(body, type, size);
}

static void ask(uint8_t type)
{
    static uint8_t body[EXACT + 1];
    any_bytes(body, sizeof body);
    ask_sized(type, KDP_FRAME_HEADER);
    for (size_t size = KDP_FRAME_HEADER + 1; size <= EXACT; size++) {
        answer_to(body + (sizeof body - size), type, size);
    }
    ask_sized(type, (size_t)any_between(KDP_LARGER(KDP_FRAME_HEADER, EXACT) + 1, KDP_BODY_MAX));
}

/* Lengths that hold whole flash words one by one: what fits behind an offset depends on the length. */
static void push_data(void)
{
    size_t empty = KDP_FRAME_HEADER + 4;
    ask_sized(KDP_PUSH_DATA, (size_t)any_between(KDP_FRAME_HEADER, empty));
    //@ loop unroll 32;
    for (size_t size = empty + KDP_FLASH_WORD; size <= KDP_BODY_MAX; size += KDP_FLASH_WORD) {
        ask_sized(KDP_PUSH_DATA, size - (size_t)any_between(1, KDP_FLASH_WORD - 1));
        ask_sized(KDP_PUSH_DATA, size);
    }
    ask_sized(KDP_PUSH_DATA, (size_t)any_between(KDP_BODY_MAX / 32 * 32 + 8, KDP_BODY_MAX));
}

static void ask_anything(void)
{
    switch (any_between(0, 14)) {
    case 0:
        ask(KDP_HELLO);
        break;
    case 1:
        ask(KDP_RESET);
        break;
    case 2:
        ask(KDP_STEP);
        break;
    case 3:
        ask(KDP_TICK);
        break;
    case 4:
        ask(KDP_SELFTEST);
        break;
    case 5:
        ask(KDP_TELEMETRY);
        break;
    case 6:
        ask(KDP_ARM);
        break;
    case 7:
        ask(KDP_REBOOT);
        break;
    case 8:
        ask(KDP_ECHO);
        break;
    case 9:
        ask(KDP_PLAN);
        break;
    case 10:
        ask(KDP_PUSH_BEGIN);
        break;
    case 11:
        push_data();
        break;
    case 12:
        ask(KDP_PUSH_COMMIT);
        break;
    case 13:
        ask(KDP_SLOT_INFO);
        break;
    default:
        ask((uint8_t)any_between(KDP_SLOT_INFO + 1, 255));
        ask((uint8_t)any_between(KDP_PLAN + 1, KDP_PUSH_BEGIN - 1));
        ask(0);
    }
}

static void serve(void)
{
    for (;;) {
        ask_anything();
        kdp_server_watch(&server); /* silence, however long */
    }
}

int main(void)
{
    if (kdp_server_init(&server, any_model(), memory, sizeof memory, NULL) != 0) {
        return 1;
    }
    server.push.blob.model = *any_model(); /* assumed: a blob is in use only after a parse filled it */
    serve();
}
