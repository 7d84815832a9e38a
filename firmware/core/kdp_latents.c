/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_latents.h"

#include <string.h>

#include "kdp_constant_time.h"

#define ROUNDS 10
#define BLOCK 16u /* latents of one Philox block */

void kdp_philox4x32(uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        const uint32_t m0 = 0xD2511F53u, m1 = 0xCD9E8D57u;
        const uint32_t low0 = c0 * m0, high0 = kdp_high_product(c0, m0);
        const uint32_t low1 = c2 * m1, high1 = kdp_high_product(c2, m1);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    counter[0] = c0;
    counter[1] = c1;
    counter[2] = c2;
    counter[3] = c3;
}

void kdp_latents(const int8_t table[256], const uint32_t key[2], uint32_t plan, int k, size_t size,
                 int8_t *latents)
{
    memset(latents, 0, size);
    for (int candidate = 1; candidate < k; candidate++) {
        int8_t *row = latents + (size_t)candidate * size;
        for (size_t i = 0; i < size; i += BLOCK) {
            uint32_t words[4] = {plan, (uint32_t)candidate, (uint32_t)(i / BLOCK), 0};
            kdp_philox4x32(words, key);
            for (size_t j = 0; j < BLOCK && i + j < size; j++) {
                row[i + j] = table[(words[j / 4] >> (8 * (j % 4))) & 0xFFu];
            }
        }
    }
}
