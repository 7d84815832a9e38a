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

#ifndef KDP_SEQUENCE
#define KDP_SEQUENCE 0u
#endif
#ifndef KDP_UNSIGNED
#define KDP_UNSIGNED 0
#endif

#ifdef KDP_PUBLIC_KEY
#define KDP_TAKES_SIGNED 1
#define KDP_TAKES_UNSIGNED 0
#else
#define KDP_TAKES_SIGNED 0
#define KDP_TAKES_UNSIGNED KDP_UNSIGNED
#endif

#define KDP_TRUST_DOMAIN "kdp-edge model 1" /* a signature of anything else is none of a model */
#define KDP_SIGNATURE_SIZE 64u

/*
 * Whether a model may be used whose content has the SHA-256 `hash`. Nothing of it was trusted before.
 *
 * Returns 0, KDP_ERROR_NOT_TAKEN (this image takes no model over the link), KDP_ERROR_BAD_SIGNATURE (none
 * or not its key's) or KDP_ERROR_OLDER (not above the sequence number of the model compiled in).
 */
int kdp_trust_check(const uint8_t hash[KDP_SHA256_SIZE], const uint8_t signature[KDP_SIGNATURE_SIZE],
                    uint32_t sequence);

#endif
