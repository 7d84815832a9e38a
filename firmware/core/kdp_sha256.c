/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_sha256.h"

#include <string.h>

enum { BLOCK = 64, LENGTH_AT = 56 };

/* First 32 bits of the fractions of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
static const uint32_t constants[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
    0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
    0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
    0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
    0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
    0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
    0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u,
};

static uint32_t rotate(uint32_t value, unsigned by)
{
    return (value >> by) | (value << (32u - by));
}

/* The next word of the message schedule, in the place of the one sixteen before (FIPS 180-4, 6.2.2). */
static uint32_t schedule(uint32_t words[16], unsigned round)
{
    uint32_t before15 = words[(round + 1) % 16], before2 = words[(round + 14) % 16];
    uint32_t sigma0 = rotate(before15, 7) ^ rotate(before15, 18) ^ (before15 >> 3);
    uint32_t sigma1 = rotate(before2, 17) ^ rotate(before2, 19) ^ (before2 >> 10);
    words[round % 16] += sigma0 + words[(round + 9) % 16] + sigma1;
    return words[round % 16];
}

static void take_block(kdp_sha256 *sum)
{
    uint32_t s[8];
    memcpy(s, sum->state, sizeof s);
    for (unsigned round = 0; round < 64; round++) {
        uint32_t word = round < 16 ? sum->words[round] : schedule(sum->words, round);
        uint32_t sum1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t sum0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t first = s[7] + sum1 + choice + constants[round] + word;
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += first;
        s[0] = first + sum0 + majority;
    }
    for (size_t i = 0; i < 8; i++) {
        sum->state[i] += s[i];
    }
    memset(sum->words, 0, sizeof sum->words);
}

static void take_byte(kdp_sha256 *sum, uint8_t byte)
{
    size_t at = (size_t)(sum->size % BLOCK);
    sum->words[at / 4] |= (uint32_t)byte << (24u - 8u * (at % 4));
    sum->size++;
    if (at == BLOCK - 1) {
        take_block(sum);
    }
}

void kdp_sha256_init(kdp_sha256 *sum)
{
    static const uint32_t start[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                      0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    memset(sum, 0, sizeof *sum);
    memcpy(sum->state, start, sizeof start);
}

void kdp_sha256_add(kdp_sha256 *sum, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        take_byte(sum, data[i]);
    }
}

void kdp_sha256_end(kdp_sha256 *sum, uint8_t digest[KDP_SHA256_SIZE])
{
    uint64_t bits = 8u * sum->size;
    take_byte(sum, 0x80);
    while (sum->size % BLOCK != LENGTH_AT) {
        take_byte(sum, 0);
    }
    for (unsigned shift = 64; shift > 0; shift -= 8) {
        take_byte(sum, (uint8_t)(bits >> (shift - 8)));
    }
    for (size_t i = 0; i < KDP_SHA256_SIZE; i++) {
        digest[i] = (uint8_t)(sum->state[i / 4] >> (24u - 8u * (i % 4)));
    }
}
