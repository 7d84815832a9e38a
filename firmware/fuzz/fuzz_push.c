/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Any sequence of pushes, right and wrong ones, with power cuts in the middle of any flash operation.
 * Whatever happened, the device starts with a model that passes its self-test, and that is the last
 * one whose PUSH_COMMIT was answered, or the one whose PUSH_COMMIT the power cut.
 */
#include <setjmp.h>
#include <string.h>

#include "fuzz.h"
#include "kdp_model.h"
#include "kdp_server.h"
#include "small_blob.h"

enum { BLOBS = 2, CHUNK = 480, NONE = -1, HELLO_BLOB = 92 };

int kdp_library_start(void);
size_t kdp_library_answer(const uint8_t *body, size_t size, uint8_t *reply);

/* ---- flash with NOR rules, whose power may fail */

KDP_ALIGNED static uint8_t flash[KDP_SLOTS][SMALL_BLOB_ROOM];
static kdp_slot_area area = {{flash[0], flash[1]}, SMALL_BLOB_ROOM};
static jmp_buf power_cut;
static unsigned cut_in, cut_after; /* flash operations from now (0: never), bytes of it that happen */

const kdp_slot_area *kdp_port_slots(void *context)
{
    (void)context;
    return &area;
}

static void operate(uint8_t *to, const uint8_t *after, size_t size)
{
    if (cut_in == 1) {
        cut_in = 0;
        memcpy(to, after, cut_after % size);
        longjmp(power_cut, 1);
    }
    cut_in -= cut_in > 0;
    memcpy(to, after, size);
}

int kdp_port_slot_erase(void *context, uint32_t slot)
{
    (void)context;
    static uint8_t erased[SMALL_BLOB_ROOM];
    memset(erased, 0xFF, sizeof erased);
    operate(flash[slot], erased, sizeof erased);
    return 0;
}

int kdp_port_slot_program(void *context, uint32_t slot, uint32_t offset,
                          const uint8_t word[KDP_FLASH_WORD])
{
    (void)context;
    REQUIRE(slot < KDP_SLOTS && offset <= SMALL_BLOB_ROOM - KDP_FLASH_WORD && offset % KDP_FLASH_WORD == 0);
    for (size_t i = 0; i < KDP_FLASH_WORD; i++) {
        if (flash[slot][offset + i] != 0xFF) {
            return KDP_ERROR_FLASH_FAILED;
        }
    }
    operate(flash[slot] + offset, word, KDP_FLASH_WORD);
    return 0;
}

/* ---- two models whose golden vectors are right */

KDP_ALIGNED static uint8_t blobs[BLOBS][SMALL_BLOB_ROOM];
static size_t sizes[BLOBS];

static void make_blob(int which)
{
    static const uint8_t dimensions[SMALL_BLOB_DIMENSIONS] = {2, 0, 1, 1, 0, 1, 1, 0, 0, 3, 0, 0, 3, 0, 0};
    static KDP_ALIGNED uint8_t memory[1 << 14];
    static kdp_blob parsed;
    uint8_t *data = blobs[which];
    float actions[8] = {0};
    kdp_plan plan = {0, 0, actions};
    kdp_planner planner;
    kdp_arena arena = {memory, sizeof memory};
    size_t size = put_small_blob(data, dimensions);
    memset(data + KDP_BLOB_SHA256, which + 1, 32);
    memcpy(data + KDP_BLOB_SHA256 + 32, kdp_model_data.schema_sha256, 32);
    kdp_put_u32(data + 36, kdp_model_data.rate_millihertz);
    put_crc(data, size);
    REQUIRE(kdp_blob_parse(&parsed, data, size) == 0 && parsed.model.golden_count == 1);
    REQUIRE(kdp_planner_init(&planner, &parsed.model, &arena) == 0);
    REQUIRE(kdp_planner_plan(&planner, parsed.model.golden_observation, 0, 0, &plan) == 0);
    uint8_t *golden = data + ((const uint8_t *)parsed.model.golden - data);
    kdp_put_u32(golden + 8, plan.digest);
    golden[12] = plan.best;
    put_crc(data, size);
    sizes[which] = size;
}

/* ---- the device and its host */

static uint8_t reply[KDP_BODY_MAX];
static int settled, committing; /* blob that counts, and the one whose PUSH_COMMIT is on its way */

static bool ask(uint8_t type, const uint8_t *payload, size_t size)
{
    uint8_t body[KDP_FRAME_HEADER + 4 + CHUNK + 64] = {type};
    memcpy(body + KDP_FRAME_HEADER, payload, size);
    kdp_library_answer(body, KDP_FRAME_HEADER + size, reply);
    return reply[0] == (type | KDP_REPLY);
}

static bool announce(int which)
{
    uint8_t payload[8];
    kdp_put_u32(payload, (uint32_t)sizes[which]);
    kdp_put_u32(payload + 4, kdp_blob_crc(blobs[which]));
    return ask(KDP_PUSH_BEGIN, payload, sizeof payload);
}

static bool send(int which, size_t offset, uint8_t spoil)
{
    uint8_t payload[4 + CHUNK];
    size_t left = sizes[which] - offset, size = left < CHUNK ? left : CHUNK;
    kdp_put_u32(payload, (uint32_t)offset);
    memcpy(payload + 4, blobs[which] + offset, size);
    payload[4 + spoil % size] ^= spoil;
    return ask(KDP_PUSH_DATA, payload, 4 + size);
}

static bool commit(int which)
{
    uint8_t payload[4];
    kdp_put_u32(payload, kdp_blob_crc(blobs[which]));
    committing = which;
    bool taken = ask(KDP_PUSH_COMMIT, payload, sizeof payload);
    settled = taken ? which : settled;
    committing = NONE;
    return taken;
}

/* Whether HELLO has the hash of the blob `which`; none for the model compiled in. */
static bool is_in_use(const uint8_t *hello, int which)
{
    uint8_t expected[KDP_SHA256_SIZE] = {0};
    if (which != NONE) {
        kdp_blob_hash(blobs[which], sizes[which], expected);
    }
    return memcmp(hello + HELLO_BLOB, expected, sizeof expected) == 0;
}

/* Power on: the right model answers and has passed its self-test. */
static void start(void)
{
    REQUIRE(kdp_library_start() == 0);
    REQUIRE(ask(KDP_HELLO, reply, 0));
    const uint8_t *hello = reply + KDP_FRAME_HEADER;
    REQUIRE((hello[2] & 1u) != 0);
    if (!is_in_use(hello, settled)) {
        REQUIRE(committing != NONE && is_in_use(hello, committing));
        settled = committing;
    }
    committing = NONE;
}

static void obey(uint8_t what, uint8_t how)
{
    int which = how % BLOBS;
    switch (what % 8u) {
    case 0:
        announce(which);
        break;
    case 1:
        send(which, (how / BLOBS * (size_t)CHUNK) % sizes[which], 0);
        break;
    case 2:
        send(which, 0, how);
        break;
    case 3:
        commit(which);
        break;
    case 4:
        REQUIRE(ask(KDP_SLOT_INFO, reply, 0));
        break;
    case 5:
        start();
        break;
    case 6:
        cut_in = 1u + how;
        cut_after = how;
        break;
    default: /* a whole push, which must succeed */
        REQUIRE(announce(which));
        for (size_t offset = 0; offset < sizes[which]; offset += CHUNK) {
            REQUIRE(send(which, offset, 0));
        }
        REQUIRE(commit(which) && settled == which);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static volatile size_t at; /* survives the jump */
    if (sizes[0] == 0) {
        make_blob(0);
        make_blob(1);
    }
    memset(flash, 0xFF, sizeof flash);
    settled = committing = NONE;
    cut_in = 0;
    at = 0;
    (void)setjmp(power_cut); /* a power cut comes back to here */
    start();
    while (at + 2 <= size) {
        size_t now = at;
        at = now + 2;
        obey(input[now], input[now + 1]);
    }
    cut_in = 0;
    start();
    return 0;
}
