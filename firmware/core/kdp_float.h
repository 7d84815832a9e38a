/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * float32 in a time that does not depend on the numbers: what a plan needs of it.
 *
 * Comparing and rounding work on the bits everywhere. A core with a float32 unit adds and multiplies with it;
 * on others compilers call routines that take as long as their operands have zeros, so kdp_float.c has its own,
 * without a branch. Every result is IEEE 754's, to nearest and even, denormals included; only which NaN it is
 * may differ.
 *
 * Include it after KDP_ROUND_EACH.
 */
#ifndef KDP_FLOAT_H
#define KDP_FLOAT_H

#include <stdint.h>
#include <string.h>

#include "kdp_constant_time.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether additions and multiplications are kdp_float.c's. */
#ifndef KDP_SOFT_FLOAT
#if defined(__arm__) || defined(__ICCARM__)
#if defined(__ARM_FP) && (__ARM_FP & 4)
#define KDP_SOFT_FLOAT 0
#else
#define KDP_SOFT_FLOAT 1
#endif
#elif defined(__riscv) && !defined(__riscv_flen)
#define KDP_SOFT_FLOAT 1
#else
#define KDP_SOFT_FLOAT 0
#endif
#endif

#define KDP_FLOAT_INFINITY 0x7F800000 /* the order of it */

KDP_INLINE uint32_t kdp_float_bits(float a)
{
    uint32_t bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}

/* An integer that compares as the number does: -0.0 equals 0.0, and a NaN is beyond either infinity. */
KDP_INLINE int32_t kdp_float_order(float a)
{
    const uint32_t bits = kdp_float_bits(a), sign = 0u - (bits >> 31);
    return (int32_t)(((bits & 0x7FFFFFFFu) ^ sign) - sign);
}

/* floor of the number of that order; it lies within -2^23..2^23 */
KDP_INLINE int32_t kdp_float_floor(int32_t order)
{
    const uint32_t sign = 0u - ((uint32_t)order >> 31);
    const uint32_t bits = ((uint32_t)order ^ sign) - sign;
    const uint32_t whole = (((bits & 0x7FFFFFu) | 0x800000u) ^ sign) - sign;
    /* below 2^-8 nothing but the sign remains; of a zero, what remains is one too */
    const int32_t shift = 150 - (int32_t)(bits >> 23);
    return (int32_t)whole >> (kdp_either(kdp_below(31, shift), 31, shift) & 31);
}

#if KDP_SOFT_FLOAT
float kdp_float_add(float a, float b);
float kdp_float_multiply(float a, float b);
float kdp_float_of(int8_t a);
#else
KDP_INLINE float kdp_float_add(float a, float b)
{
    return a + b;
}

KDP_INLINE float kdp_float_multiply(float a, float b)
{
    return a * b;
}

KDP_INLINE float kdp_float_of(int8_t a)
{
    return (float)a;
}
#endif

#ifdef __cplusplus
}
#endif

#endif
