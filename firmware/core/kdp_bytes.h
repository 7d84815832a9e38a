/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Little-endian fields of the link protocol, on any host byte order and any alignment.
 */
#ifndef KDP_BYTES_H
#define KDP_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t kdp_get_u16(const uint8_t *from)
{
    return (uint16_t)(from[0] | (from[1] << 8));
}

static inline uint32_t kdp_get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | ((uint32_t)from[1] << 8) | ((uint32_t)from[2] << 16) | ((uint32_t)from[3] << 24);
}

static inline float kdp_get_f32(const uint8_t *from)
{
    uint32_t bits = kdp_get_u32(from);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Each put returns the address behind what it wrote, so that a reply is a chain of puts. */
static inline uint8_t *kdp_put_u8(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)value;
    return to + 1;
}

/*@ requires \valid(to + (0 .. 1));
    assigns to[0 .. 1] \from value;
    assigns \result \from to;
    ensures \result == to + 2; */
static inline uint8_t *kdp_put_u16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    return to + 2;
}

/*@ requires \valid(to + (0 .. 3));
    assigns to[0 .. 3] \from value;
    assigns \result \from to;
    ensures \result == to + 4; */
static inline uint8_t *kdp_put_u32(uint8_t *to, uint32_t value)
{
    return kdp_put_u16(kdp_put_u16(to, value), value >> 16);
}

static inline uint8_t *kdp_put_f32(uint8_t *to, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return kdp_put_u32(to, bits);
}

static inline uint8_t *kdp_put_bytes(uint8_t *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

#endif
