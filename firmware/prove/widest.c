/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The kernel's arithmetic at the largest width that kdp_blob.h allows: sums, and their way back to int8.
 */
#include "any.h"
#include "kdp_blob.h"

#include "../nn/kdp_tiles.c"

enum { SUM = KDP_BLOB_WIDTH << 14 }; /* of so many products of two int8 */

static int8_t weights[KDP_ROWS * KDP_BLOB_WIDTH], inputs[KDP_GROUP * KDP_BLOB_WIDTH];

static void multiply_widest(void)
{
    int32_t sums[KDP_ROWS * KDP_GROUP];
    any_bytes(weights, sizeof weights);
    any_bytes(inputs, sizeof inputs);
    kdp_multiply_4(weights, inputs, KDP_BLOB_WIDTH, sums);
    //@ loop unroll 8;
    for (int i = 0; i < KDP_ROWS * KDP_GROUP; i++) {
        //@ assert sum_of_four: -SUM <= sums[i] <= SUM;
    }
    kdp_multiply_1(weights, inputs, KDP_BLOB_WIDTH, sums);
    //@ assert sum_of_one: -SUM <= sums[0] <= SUM && -SUM <= sums[1] <= SUM;
}

/* Twice a sum with the observation's part, which is a bias and a sum of its own, added: as in first_tile. */
static void requantize_widest(void)
{
    row_constants row = {
        (int32_t)any_between(1 - (1 << 30), (1 << 30) - 1),
        (int32_t)any_between(0, INT32_MAX),
        (int32_t)any_between(0, 1 << 30),
        (int32_t)any_between(0, 31),
    };
    int32_t shared = row.twice_bias + 2 * (int32_t)any_between(-SUM, SUM);
    int32_t twice = shared + kdp_tile_twice((int32_t)any_between(-SUM, SUM));
    int32_t positive = requantize_relu(twice, &row), any = requantize(twice, &row);
    //@ assert positive: 0 <= positive <= 127;
    //@ assert any: -128 <= any <= 127;
}

int main(void)
{
    multiply_widest();
    requantize_widest();
    return 0;
}
