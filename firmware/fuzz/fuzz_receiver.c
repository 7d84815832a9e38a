/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Any bytes into the frame receiver. What it accepts must be a frame: the body, encoded again and
 * received again, is the same body, and its CRC is right by a second, bitwise computation.
 */
#include <string.h>

#include "fuzz.h"
#include "kdp_bytes.h"
#include "kdp_frame.h"

static uint32_t bitwise_crc32(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1u ? 0xEDB88320u : 0u);
        }
    }
    return ~crc;
}

static void check_accepted(const uint8_t *frame, size_t body)
{
    static kdp_receiver again;
    uint8_t wire[KDP_WIRE_MAX];
    REQUIRE(body >= KDP_FRAME_HEADER && body <= KDP_BODY_MAX);
    REQUIRE(bitwise_crc32(frame, body) == kdp_get_u32(frame + body));
    size_t size = kdp_frame_encode(frame, body, wire);
    REQUIRE(size <= KDP_WIRE_MAX && wire[size - 1] == 0 && memchr(wire, 0, size - 1) == NULL);
    kdp_receiver_init(&again);
    for (size_t i = 0; i + 1 < size; i++) {
        REQUIRE(kdp_receiver_push(&again, wire[i]) == 0);
    }
    REQUIRE(kdp_receiver_push(&again, 0) == (int)body);
    REQUIRE(memcmp(again.frame, frame, body) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static kdp_receiver receiver;
    kdp_receiver_init(&receiver);
    for (size_t i = 0; i < size; i++) {
        int body = kdp_receiver_push(&receiver, data[i]);
        REQUIRE(body >= 0 || body == KDP_ERROR_BAD_FRAME);
        if (body > 0) {
            check_accepted(receiver.frame, (size_t)body);
        }
    }
    /* the input as a body of its own: whatever is sent arrives */
    if (size >= KDP_FRAME_HEADER && size <= KDP_BODY_MAX) {
        uint8_t frame[KDP_FRAME_MAX];
        memcpy(frame, data, size);
        kdp_put_u32(frame + size, kdp_crc32(0, data, size));
        check_accepted(frame, size);
    }
    return 0;
}
