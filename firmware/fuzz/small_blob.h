/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * A sound blob of small dimensions, laid out for the portable kernel: every layer requantizes by 2^-6,
 * every other byte is 0. What export/model_blob.py does, for inputs that a fuzzer makes up.
 */
#ifndef SMALL_BLOB_H
#define SMALL_BLOB_H

#include <string.h>

#include "kdp_blob.h"
#include "kdp_bytes.h"
#include "kdp_frame.h"
#include "kdp_slots.h"

enum { SMALL_BLOB_ROOM = 8192, SMALL_BLOB_DIMENSIONS = 15 };

static size_t padded(size_t size, size_t step)
{
    return (size + step - 1) / step * step;
}

static size_t put_layer(uint8_t *data, size_t at, size_t inputs, size_t outputs)
{
    at += padded(inputs * outputs, 16);
    for (size_t row = 0; row < outputs; row++) {
        kdp_put_u32(data + at + 16 * row + 4, 1u << 30); /* multiplier */
        kdp_put_u32(data + at + 16 * row + 8, 1u << 4);  /* rounding */
        kdp_put_u32(data + at + 16 * row + 12, 5);       /* shift */
    }
    return at + 16 * outputs;
}

static size_t put_net(uint8_t *data, size_t at, const uint8_t *shape, size_t shared, size_t columns, size_t outputs)
{
    size_t hidden = padded(shape[0], 4), rows = padded(shape[0], 2), inner = shape[4];
    at += padded(padded(shared, 4) * rows, 16) + padded(4 * rows, 16);
    at = put_layer(data, at, padded(columns, 4), rows);
    if (shape[2] != 0) {
        at = put_layer(data, at, hidden, padded(inner, 2));
        at = put_layer(data, at, padded(inner, 4), rows);
        kdp_put_u32(data + at, 1u << 30);
        kdp_put_u32(data + at + 4, 1);
        at += 4 * (4 + 256 + 128);
    }
    return put_layer(data, at, hidden, padded(outputs, 2));
}

static void put_dimensions(uint8_t *data, const uint8_t input[SMALL_BLOB_DIMENSIONS])
{
    static const uint8_t largest[8] = {4, 1, 3, 4, 2, 5, 6, 2}; /* obs_dim (two bytes) to critic_steps */
    for (size_t i = 0; i < 8; i++) {
        data[16 + i] = (uint8_t)(i == 1 ? 0 : 1 + input[i] % largest[i]);
    }
    data[20] = (uint8_t)(1 + input[4] % data[19]);
    data[23] = (uint8_t)(1 + input[7] % data[19]);
    data[36] = 1; /* rate */
    data[40] = 1; /* deadline */
    data[44] = (uint8_t)(1 + input[8] % 3);
    data[46] = 1; /* periods of silence */
    for (size_t net = 0; net < 2; net++) {
        uint8_t *shape = data + 112 + 20 * net;
        shape[0] = (uint8_t)(1 + input[9 + 3 * net] % 8);
        shape[2] = input[10 + 3 * net] % 2;
        shape[4] = shape[2] == 0 ? 0 : (uint8_t)(1 + input[11 + 3 * net] % 8);
    }
    kdp_put_u32(data, 0x4250444Bu); /* "KDPB" */
    kdp_put_u16(data + 4, 3);
    data[6] = KDP_KERNEL;
}

/* The CRC that belongs to what `data` holds. */
static void put_crc(uint8_t *data, size_t size)
{
    kdp_put_u32(data + 12, kdp_crc32(0, data + 16, size - 16));
}

/* A whole blob whose dimensions `input` chooses; returns its size. */
static size_t put_small_blob(uint8_t data[SMALL_BLOB_ROOM], const uint8_t input[SMALL_BLOB_DIMENSIONS])
{
    memset(data, 0, SMALL_BLOB_ROOM);
    put_dimensions(data, input);
    size_t obs = data[16], act = data[18], horizon = data[19], goldens = data[44];
    size_t at = KDP_BLOB_HEADER + 4 * padded(4 * obs, 16);
    for (size_t i = 0; i < horizon * act; i++) {
        kdp_put_f32(data + at + 4 * i, 1.0f); /* gains of actions */
    }
    at += padded(4 * horizon * act, 16) + 5 * padded(4 * act, 16);
    at += 256 + padded(act, 16) + 16 * goldens + padded(4 * goldens * obs, 16) + padded(4 * goldens * act, 16);
    at = put_net(data, at, data + 112, obs, data[22], horizon * (obs + act));
    at = put_net(data, at, data + 132, obs, data[23] * act, 1);
    at = padded(at, KDP_FLASH_WORD) + KDP_SIGNATURE_SIZE;
    kdp_put_u32(data + 8, (uint32_t)at);
    put_crc(data, at);
    return at;
}

#endif
