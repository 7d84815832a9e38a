/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Comparing, choosing and multiplying in a time that does not depend on the numbers, on any core: without a
 * branch, and without a routine of the compiler's that has one. Masks are all ones for yes, 0 for no. */
#ifndef KDP_CONSTANT_TIME_H
#define KDP_CONSTANT_TIME_H

#include <stdint.h>

#include "kdp_compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Cortex-M0+: neither conditional instructions nor products of more than 32 bits. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
#define KDP_THUMB1 1
#else
#define KDP_THUMB1 0
#endif

/* Mask of a < b. */
KDP_INLINE uint32_t kdp_below(int32_t a, int32_t b)
{
    const uint32_t x = (uint32_t)a, y = (uint32_t)b;
    return 0u - (((x & ~y) | (~(x ^ y) & (x - y))) >> 31);
}

/* Mask of low <= a <= high. */
KDP_INLINE uint32_t kdp_within(int32_t a, int32_t low, int32_t high)
{
    return ~(kdp_below(a, low) | kdp_below(high, a));
}

/* `yes` or `no`, by the mask. */
KDP_INLINE int32_t kdp_either(uint32_t mask, int32_t yes, int32_t no)
{
    return (int32_t)(((uint32_t)yes & mask) | ((uint32_t)no & ~mask));
}

/* a limited to low..high. */
KDP_INLINE int32_t kdp_limit(int32_t a, int32_t low, int32_t high)
{
    a = kdp_either(kdp_below(a, low), low, a);
    return kdp_either(kdp_below(high, a), high, a);
}

/* a limited to 0..most; most = 2^n - 1 */
KDP_INLINE int32_t kdp_limit_bits(int32_t a, int32_t most)
{
    a &= ~(a >> 31);
    return (a | (int32_t)((uint32_t)most - (uint32_t)a) >> 31) & most;
}

/* The upper 32 bits of a * b. */
KDP_INLINE uint32_t kdp_high_product(uint32_t a, uint32_t b)
{
#if KDP_THUMB1
    const uint32_t a_high = a >> 16, b_high = b >> 16, a_low = a & 0xFFFFu, b_low = b & 0xFFFFu;
    const uint32_t left = a_high * b_low + (a_low * b_low >> 16);
    const uint32_t right = a_low * b_high + (left & 0xFFFFu);
    return a_high * b_high + (left >> 16) + (right >> 16);
#else
    return (uint32_t)((uint64_t)a * b >> 32);
#endif
}

/* c + round(a * b / 2^32), halves up; b >= 0 */
KDP_INLINE int32_t kdp_rounded_product(int32_t a, int32_t b, int32_t c)
{
#if KDP_THUMB1
    const int32_t a_high = a >> 16, b_high = b >> 16;
    const int32_t a_low = a & 0xFFFF, b_low = b & 0xFFFF;
    const int32_t left = a_high * b_low;
    const uint32_t right = (uint32_t)a_low * (uint32_t)b_high;
    const uint32_t least = (uint32_t)a_low * (uint32_t)b_low;
    const uint32_t carry = (least >> 16) + ((uint32_t)left & 0xFFFFu) + (right & 0xFFFFu) + 0x8000u;
    return c + a_high * b_high + (left >> 16) + (int32_t)(right >> 16) + (int32_t)(carry >> 16);
#else
    return c + (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
