/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * A blob of one shape: the dimensions in its header are those of the command line, or any others that
 * one byte or one number less or more would make of them; every other byte is any byte. The blob ends
 * where its memory ends.
 */
#include "any.h"
#include "any_model.h"
#include "kdp_blob.h"
#include "kdp_bytes.h"

enum { ROOM = 1 << 16 };
static uint8_t memory[ROOM];
static kdp_blob blob;

static void put_net(uint8_t *to, size_t width, size_t blocks, size_t inner)
{
    kdp_put_u16(to, (uint32_t)width);
    to[2] = (uint8_t)blocks;
    for (size_t i = 0; i < KDP_BLOB_BLOCKS; i++) {
        kdp_put_u16(to + 4 + 2 * i, i < blocks ? (uint32_t)inner : 0);
    }
}

static void put_shape(uint8_t *data)
{
    kdp_put_u16(data + 16, OBS);
    data[18] = ACT;
    data[19] = HORIZON;
    data[21] = K;
    data[22] = LATENT;
    data[23] = CRITIC_STEPS;
    kdp_put_u16(data + 44, VECTORS);
    put_net(data + 112, WIDTH, BLOCKS, INNER);
    put_net(data + 132, CRITIC_WIDTH, CRITIC_BLOCKS, CRITIC_INNER);
}

static int parse(size_t size)
{
    uint8_t *data = memory + (ROOM - size);
    any_bytes(data, size);
    put_shape(data);
    return kdp_blob_parse(&blob, data, size);
}

#define FLOATS(n) KDP_ROUND_UP(4 * (n))
#define LAYER(inputs, outputs) (KDP_ROUND_UP((inputs) * (outputs)) + KDP_ROUND_UP(16 * (outputs)))
#define NET_BYTES(columns, outputs, width, inner, blocks)                                                       \
    (KDP_ROUND_UP(INPUTS(OBS) * ROWS(width)) + FLOATS(ROWS(width)) + LAYER(INPUTS(columns), ROWS(width)) +      \
     (blocks) * (LAYER(INPUTS(width), ROWS(inner)) + LAYER(INPUTS(inner), ROWS(width)) + FLOATS(4 + 256 + 128)) + \
     LAYER(INPUTS(width), ROWS(outputs)))
#define BLOB_BYTES                                                                                          \
    (PAD(KDP_BLOB_HEADER + 4 * FLOATS(OBS) + FLOATS(HORIZON * ACT) + 5 * FLOATS(ACT) + 256 +               \
            KDP_ROUND_UP(ACT) + 16 * VECTORS +                                                            \
            FLOATS(VECTORS * OBS) + FLOATS(VECTORS * ACT) + NET_BYTES(LATENT, WINDOW, WIDTH, INNER, BLOCKS) + \
            NET_BYTES(PLAYED, 1, CRITIC_WIDTH, CRITIC_INNER, CRITIC_BLOCKS),                                \
        32) +                                                                                               \
        KDP_SIGNATURE_SIZE)

int main(void)
{
    (void)kdp_blob_parse(&blob, memory + (ROOM - KDP_BLOB_HEADER + 32), KDP_BLOB_HEADER - 32);
    (void)parse(KDP_BLOB_HEADER);
    (void)parse(PAD(BLOB_BYTES / 4, 32));
    (void)parse(PAD(BLOB_BYTES / 2, 32));
    (void)parse(BLOB_BYTES - 32);
    (void)parse(BLOB_BYTES + 32);
    return parse(BLOB_BYTES);
}
