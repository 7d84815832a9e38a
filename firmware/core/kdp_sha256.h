/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 (FIPS 180-4), of bytes that come in any number of pieces.
 *
 *     kdp_sha256 sum;
 *     kdp_sha256_init(&sum);
 *     kdp_sha256_add(&sum, data, size);
 *     kdp_sha256_end(&sum, digest);
 */
#ifndef KDP_SHA256_H
#define KDP_SHA256_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KDP_SHA256_SIZE 32u

typedef struct kdp_sha256 {
    uint32_t state[8];
    uint32_t words[16]; /* of the block at hand */
    uint64_t size;      /* bytes so far, below 2^61 */
} kdp_sha256;

void kdp_sha256_init(kdp_sha256 *sum);
void kdp_sha256_add(kdp_sha256 *sum, const uint8_t *data, size_t size);

/* The digest of all that was added; `sum` starts over with kdp_sha256_init. */
void kdp_sha256_end(kdp_sha256 *sum, uint8_t digest[KDP_SHA256_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
