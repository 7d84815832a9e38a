/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_trust.h"

#ifndef KDP_SEQUENCE
#define KDP_SEQUENCE 0u
#endif
#ifndef KDP_UNSIGNED
#define KDP_UNSIGNED 0
#endif

uint32_t kdp_trust_sequence(void)
{
    return KDP_SEQUENCE;
}

#ifdef KDP_PUBLIC_KEY

#include <string.h>

#include "monocypher.h"

static const uint8_t public_key[32] = KDP_PUBLIC_KEY;

kdp_takes kdp_trust_takes(void)
{
    return KDP_TAKES_SIGNED;
}

int kdp_trust_check(const uint8_t hash[KDP_SHA256_SIZE], const uint8_t signature[KDP_SIGNATURE_SIZE],
                    uint32_t sequence)
{
    uint8_t message[sizeof KDP_TRUST_DOMAIN - 1 + KDP_SHA256_SIZE];
    memcpy(message, KDP_TRUST_DOMAIN, sizeof KDP_TRUST_DOMAIN - 1);
    memcpy(message + sizeof KDP_TRUST_DOMAIN - 1, hash, KDP_SHA256_SIZE);
    if (crypto_eddsa_check(signature, public_key, message, sizeof message) != 0) {
        return KDP_ERROR_BAD_SIGNATURE;
    }
    return sequence > kdp_trust_sequence() ? 0 : KDP_ERROR_OLDER;
}

#else

kdp_takes kdp_trust_takes(void)
{
    return KDP_UNSIGNED ? KDP_TAKES_ANY : KDP_TAKES_NONE;
}

int kdp_trust_check(const uint8_t hash[KDP_SHA256_SIZE], const uint8_t signature[KDP_SIGNATURE_SIZE],
                    uint32_t sequence)
{
    (void)hash;
    (void)signature;
    (void)sequence;
    return KDP_UNSIGNED ? 0 : KDP_ERROR_NOT_TAKEN;
}

#endif
