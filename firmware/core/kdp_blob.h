/*
 * A model as one block of bytes, for a firmware that takes models while it runs.
 *
 * export/model_blob.py writes it: a fixed header, then arrays in a fixed order, each aligned to 16.
 * Where an array is and how long it is follows from the header's dimensions alone; there is no
 * offset or pointer in the data that could lead elsewhere.
 */
#ifndef KDP_BLOB_H
#define KDP_BLOB_H

#include "kdp_error.h"
#include "kdp_planner.h"

#define KDP_BLOB_HEADER 160u
#define KDP_BLOB_SHA256 48u /* where the header has the model's hash */
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

/*
 * Whether `size` bytes at `data` are a whole blob for this firmware: size, format, CRC and kernel.
 * Returns 0 or a KDP_ERROR_BLOB_* error.
 */
int kdp_blob_check(const uint8_t *data, size_t size);

/*
 * Check and read the blob of `size` bytes at `data`, aligned to KDP_ALIGNMENT, into `blob`.
 *
 * Returns 0 or a KDP_ERROR_BLOB_* error; `blob` is undefined after one. Reads nothing outside `data`,
 * whatever is in it. What is accepted can be run by kdp_planner: that its answers are right is for
 * the golden self-test to say.
 */
int kdp_blob_parse(kdp_blob *blob, const uint8_t *data, size_t size);

#endif
