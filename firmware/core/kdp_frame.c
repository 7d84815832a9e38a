/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_frame.h"

#include "kdp_bytes.h"

/* One table row per nibble: 64 bytes of flash instead of 1 KiB, two steps a byte. */
static const uint32_t crc_of_nibble[16] = {
    0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
    0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
};

/*@ assigns \result \from crc, size, ((const uint8_t *)data)[0 .. size - 1]; */
uint32_t kdp_crc32(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *byte = data;
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= byte[i];
        crc = crc_of_nibble[crc & 15u] ^ (crc >> 4);
        crc = crc_of_nibble[crc & 15u] ^ (crc >> 4);
    }
    return ~crc;
}

void kdp_receiver_init(kdp_receiver *receiver)
{
    receiver->size = 0;
    receiver->code = 0;
    receiver->left = 0;
    receiver->broken = 0;
}

static void append(kdp_receiver *receiver, uint8_t byte)
{
    if (receiver->size < KDP_FRAME_MAX) {
        receiver->frame[receiver->size] = byte;
        receiver->size++;
    } else {
        receiver->broken = 1;
    }
}

/* The closing zero came: the body's size, 0 for nothing between two zeros, or an error. */
static int finish(const kdp_receiver *receiver)
{
    if (receiver->code == 0) {
        return 0;
    }
    if (receiver->broken || receiver->left != 0 || receiver->size < KDP_FRAME_HEADER + KDP_FRAME_CRC) {
        return KDP_ERROR_BAD_FRAME;
    }
    size_t size = receiver->size - KDP_FRAME_CRC;
    if (kdp_crc32(0, receiver->frame, size) != kdp_get_u32(receiver->frame + size)) {
        return KDP_ERROR_BAD_FRAME;
    }
    return (int)size;
}

int kdp_receiver_push(kdp_receiver *receiver, uint8_t byte)
{
    if (byte == 0) {
        int result = finish(receiver);
        kdp_receiver_init(receiver);
        return result;
    }
    if (receiver->left != 0) {
        receiver->left--;
        append(receiver, byte);
        return 0;
    }
    /* a code byte; the block before it ended in a zero unless it was a full one */
    if (receiver->code != 0 && receiver->code != 0xFF) {
        append(receiver, 0);
    }
    receiver->code = byte;
    receiver->left = (uint8_t)(byte - 1u);
    return 0;
}

typedef struct {
    uint8_t *wire;
    size_t size; /* bytes written */
    size_t code; /* where the current block's code byte goes */
} encoder;

/*
 * A block spans at most 255 bytes, and each full one, which takes a byte more than it encodes, lies before
 * `code`: so many bytes were encoded at least.
 */
/*@ logic integer encoded{L}(encoder *to) = to->size - 1 - to->code / 255;
    predicate open{L}(encoder *to) =
      \valid(to) && \valid(to->wire + (0 .. KDP_WIRE_MAX - 1)) &&
      \separated(to, to->wire + (0 .. KDP_WIRE_MAX - 1)) && to->code < to->size <= to->code + 255; */

/*@ requires room: open(to) && to->size < KDP_WIRE_MAX;
    assigns to->wire[to->code], to->code, to->size;
    ensures to->code == \old(to->size) && to->size == to->code + 1; */
static void close_block(encoder *to)
{
    to->wire[to->code] = (uint8_t)(to->size - to->code);
    to->code = to->size;
    to->size++;
}

/*@ requires room: open(to) && encoded(to) + size <= KDP_FRAME_MAX;
    requires \valid_read(data + (0 .. size - 1));
    requires apart: \separated(data + (0 .. size - 1), to, to->wire + (0 .. KDP_WIRE_MAX - 1));
    assigns to->wire[0 .. KDP_WIRE_MAX - 1], to->code, to->size;
    ensures room: open(to) && encoded(to) <= \old(encoded(to)) + size; */
static void encode(encoder *to, const uint8_t *data, size_t size)
{
    /*@ loop invariant room: 0 <= i <= size && open(to) && encoded(to) <= \at(encoded(to), Pre) + i;
        loop assigns i, to->wire[0 .. KDP_WIRE_MAX - 1], to->code, to->size;
        loop variant size - i; */
    for (size_t i = 0; i < size; i++) {
        /* a full block is closed only when more follows: none is left empty at the end */
        if (to->size - to->code == 0xFF) {
            close_block(to);
        }
        /*@ assert room: to->size < KDP_WIRE_MAX && to->code < KDP_WIRE_MAX; */
        if (data[i] == 0) {
            close_block(to);
        } else {
            to->wire[to->size] = data[i];
            to->size++;
        }
    }
}

/*@ requires size <= KDP_BODY_MAX && \valid_read(body + (0 .. size - 1));
    requires \valid(wire + (0 .. KDP_WIRE_MAX - 1));
    requires apart: \separated(body + (0 .. size - 1), wire + (0 .. KDP_WIRE_MAX - 1));
    assigns wire[0 .. KDP_WIRE_MAX - 1];
    ensures room: \result <= KDP_WIRE_MAX; */
size_t kdp_frame_encode(const uint8_t *body, size_t size, uint8_t wire[KDP_WIRE_MAX])
{
    encoder to = {wire, 1, 0};
    uint8_t crc[KDP_FRAME_CRC];
    kdp_put_u32(crc, kdp_crc32(0, body, size));
    encode(&to, body, size);
    encode(&to, crc, sizeof crc);
    /*@ assert room: to.size < KDP_WIRE_MAX && to.code < KDP_WIRE_MAX; */
    wire[to.code] = (uint8_t)(to.size - to.code);
    wire[to.size] = 0;
    return to.size + 1;
}
