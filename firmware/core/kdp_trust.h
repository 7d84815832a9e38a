/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Which models this image takes over the link: those that are signed with its key, any, or none.
 *
 * The build says so (kdp-edge build):
 *
 *     KDP_PUBLIC_KEY  32 bytes as an initialiser: models must be signed with the key that belongs to it
 *     KDP_SEQUENCE    sequence number of the model compiled in; a signed one must have a larger number
 *     KDP_UNSIGNED    1: without a key, any model is taken (board.toml: slots.unsigned)
 *
 * A signature is EdDSA as Monocypher makes it (edwards25519, BLAKE2b, RFC 8032's equations) of
 * KDP_TRUST_DOMAIN and the SHA-256 of the blob's content: dimensions, limits, sequence number, nets.
 */
#ifndef KDP_TRUST_H
#define KDP_TRUST_H

#include "kdp_error.h"
#include "kdp_sha256.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which models are taken. */
typedef enum kdp_takes { KDP_TAKES_NONE, KDP_TAKES_ANY, KDP_TAKES_SIGNED } kdp_takes;

#define KDP_TRUST_DOMAIN "kdp-edge model 1" /* a signature of anything else is none of a model */
#define KDP_SIGNATURE_SIZE 64u

kdp_takes kdp_trust_takes(void);

/* Sequence number of the model compiled in. */
uint32_t kdp_trust_sequence(void);

/*
 * Whether a model may be used whose content has the SHA-256 `hash`. Nothing of it was trusted before.
 *
 * Returns 0, KDP_ERROR_NOT_TAKEN (this image takes no model over the link), KDP_ERROR_BAD_SIGNATURE (none
 * or not its key's) or KDP_ERROR_OLDER (not above the sequence number of the model compiled in).
 */
int kdp_trust_check(const uint8_t hash[KDP_SHA256_SIZE], const uint8_t signature[KDP_SIGNATURE_SIZE],
                    uint32_t sequence);

#ifdef __cplusplus
}
#endif

#endif
