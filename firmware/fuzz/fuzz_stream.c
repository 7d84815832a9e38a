/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Any bytes onto the wire of a whole device: whatever it sends back is frames.
 */
#include "fuzz.h"
#include "kdp_frame.h"

int kdp_library_start(void);
size_t kdp_library_receive(const uint8_t *bytes, size_t size, uint8_t *replies, size_t room);

/* Every request body in the input becomes a good frame when its first byte says so: noise alone
 * would never get past the CRC. */
static size_t make_stream(const uint8_t *data, size_t size, uint8_t *stream, size_t room)
{
    size_t made = 0;
    for (size_t at = 0; at < size;) {
        size_t length = data[at] % 48u;
        int framed = (data[at] & 0x80u) != 0 && length >= KDP_FRAME_HEADER;
        at++;
        if (length > size - at) {
            length = size - at;
            framed = framed && length >= KDP_FRAME_HEADER;
        }
        if (made + length + 16u > room) {
            break;
        }
        if (framed) {
            made += kdp_frame_encode(data + at, length, stream + made);
        } else {
            for (size_t i = 0; i < length; i++) {
                stream[made + i] = data[at + i];
            }
            made += length;
        }
        at += length;
    }
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t stream[2 * KDP_WIRE_MAX], replies[1 << 20];
    static kdp_receiver receiver;
    static int started;
    REQUIRE(started || kdp_library_start() == 0);
    started = 1;
    size_t made = make_stream(data, size, stream, KDP_WIRE_MAX);
    size_t sent = kdp_library_receive(stream, made, replies, sizeof replies);
    kdp_receiver_init(&receiver);
    for (size_t i = 0; i < sent; i++) {
        REQUIRE(kdp_receiver_push(&receiver, replies[i]) >= 0);
    }
    REQUIRE(sent == 0 || replies[sent - 1] == 0);
    return 0;
}
