/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Frames of the link protocol: COBS(type u8 | seq u16 | payload | crc32 u32) 0x00
 *
 * COBS (Cheshire & Baker, 1999) leaves no zero byte inside a frame, so a receiver that lost its
 * place finds it again at the next zero. A "body" is what lies between: type, seq and payload,
 * without the CRC.
 */
#ifndef KDP_FRAME_H
#define KDP_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "kdp_error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Longest decoded frame in bytes, CRC included. Part of the protocol: both ends must agree. */
#define KDP_FRAME_MAX 1024u

/* Bytes before the payload (type, seq), and of the CRC behind it. */
#define KDP_FRAME_HEADER 3u
#define KDP_FRAME_CRC 4u
#define KDP_BODY_MAX (KDP_FRAME_MAX - KDP_FRAME_CRC)
#define KDP_PAYLOAD_MAX (KDP_BODY_MAX - KDP_FRAME_HEADER)

/* Longest encoded frame: one code byte per 254 data bytes and the closing zero. */
#define KDP_WIRE_MAX (KDP_FRAME_MAX + KDP_FRAME_MAX / 254u + 2u)

/* CRC-32/ISO-HDLC (the one of zlib) of `size` bytes, continuing from `crc`; start with 0. */
uint32_t kdp_crc32(uint32_t crc, const void *data, size_t size);

/* A receiver takes one byte at a time and never looks further back than its own buffer. */
typedef struct kdp_receiver {
    uint8_t frame[KDP_FRAME_MAX]; /* the body once kdp_receiver_push returned its size */
    uint16_t size;                /* decoded bytes so far */
    uint8_t code;                 /* code byte of the current COBS block; 0 before the first */
    uint8_t left;                 /* data bytes the block still owes */
    uint8_t broken;               /* too long: wait for the next zero */
} kdp_receiver;

/* Empty `receiver`; also right after a device was opened in the middle of a frame. */
void kdp_receiver_init(kdp_receiver *receiver);

/*
 * Take one byte from the wire.
 *
 * Returns 0 while a frame is incomplete, the size of the body (3 to KDP_BODY_MAX) when `byte`
 * completed a good one, and KDP_ERROR_BAD_FRAME when it ended a bad one (too long, too short, not COBS, wrong CRC),
 * which is to be counted and forgotten. Zeros between frames are not bad frames. The body stays
 * valid until the next call.
 */
int kdp_receiver_push(kdp_receiver *receiver, uint8_t byte);

/*
 * Encode `body` (`size` bytes, 3 to KDP_BODY_MAX) with its CRC and the closing zero into `wire`.
 * Returns the number of bytes to send.
 */
size_t kdp_frame_encode(const uint8_t *body, size_t size, uint8_t wire[KDP_WIRE_MAX]);

#ifdef __cplusplus
}
#endif

#endif
