/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * A model as one block of bytes, for a firmware that takes models while it runs.
 *
 * export/model_blob.py writes it: a fixed header, then arrays in a fixed order, each aligned to 16, then 64 bytes
 * of signature, all 0 when there is none.
 * Where an array is and how long it is follows from the header's dimensions alone; there is no
 * offset or pointer in the data that could lead elsewhere.
 */
#ifndef KDP_BLOB_H
#define KDP_BLOB_H

#include "kdp_error.h"
#include "kdp_planner.h"
#include "kdp_sha256.h"
#include "kdp_trust.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KDP_BLOB_HEADER 160u
#define KDP_BLOB_SHA256 48u /* where the header has the model's hash, as whoever made the blob says */
#define KDP_BLOB_LEAST (KDP_BLOB_HEADER + KDP_SIGNATURE_SIZE)
#define KDP_BLOB_BLOCKS 8   /* of one net */
#define KDP_BLOB_WIDTH 2048 /* largest hidden size */

/* A parsed blob. `model` points into the blob and into this struct: neither may move. */
typedef struct kdp_blob {
    kdp_model model;
    kdp_net generator, critic;
    kdp_block blocks[2][KDP_BLOB_BLOCKS];
} kdp_blob;

/* Bytes of the blob that starts at `data` (at least KDP_BLOB_HEADER readable), as its header says. */
uint32_t kdp_blob_size(const uint8_t *data);

/* Its CRC-32, as its header says. */
uint32_t kdp_blob_crc(const uint8_t *data);

/* Its sequence number: which of two signed models is the newer one. */
uint32_t kdp_blob_sequence(const uint8_t *data);

/*
 * SHA-256 of the content: all `size` bytes (at least KDP_BLOB_LEAST) but the CRC, which covers the signature,
 * and the signature, which is made of it.
 */
void kdp_blob_hash(const uint8_t *data, size_t size, uint8_t hash[KDP_SHA256_SIZE]);

/* Where the signature of a blob of `size` bytes is. */
const uint8_t *kdp_blob_signature(const uint8_t *data, size_t size);

/*
 * Whether `size` bytes at `data` are a whole blob for this firmware: size, format, CRC and kernel.
 * Returns 0 or a KDP_ERROR_BLOB_* error.
 */
int kdp_blob_check(const uint8_t *data, size_t size);

/*
 * Check and read the blob of `size` bytes at `data`, aligned to KDP_ALIGNMENT, into `blob`.
 *
 * Returns 0 or a KDP_ERROR_BLOB_* error; `blob` is undefined after one. Reads nothing outside `data`,
 * whatever is in it. What is accepted can be run by kdp_planner, and its limits are in order: the same rules as
 * `check` in kdp_edge/quantization/plan.py. That its answers are right is for the golden self-test to say,
 * whether it may be used at all for kdp_trust_check.
 */
int kdp_blob_parse(kdp_blob *blob, const uint8_t *data, size_t size);

#ifdef __cplusplus
}
#endif

#endif
