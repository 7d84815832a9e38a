/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_latents.h"

#include <string.h>

#define ROUNDS 10
#define BLOCK 16u /* latents of one Philox block */

void kdp_philox4x32(uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)c0 * 0xD2511F53u;
        uint64_t p1 = (uint64_t)c2 * 0xCD9E8D57u;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
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
