/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Single instructions of the ARMv7E-M DSP extension that C cannot express.
 * Elsewhere the same functions in plain C, so that the M4 kernel is tested on any host. */
#ifndef KDP_DSP_H
#define KDP_DSP_H

#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && defined(__thumb2__)
#define KDP_HAVE_DSP 1

/* c + a.low * b.low + a.high * b.high, halfwords signed */
static inline int32_t kdp_smlad(uint32_t a, uint32_t b, int32_t c)
{
    __asm__("smlad %0, %1, %2, %0" : "+r"(c) : "r"(a), "r"(b));
    return c;
}

/* bytes 0 and 2, sign-extended into halfwords */
static inline uint32_t kdp_sxtb16(uint32_t a)
{
    uint32_t result;
    __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(a));
    return result;
}

/* bytes 1 and 3, sign-extended into halfwords */
static inline uint32_t kdp_sxtb16_odd(uint32_t a)
{
    uint32_t result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(a));
    return result;
}

/* c + round(a * b / 2^32), halves up */
static inline int32_t kdp_smmlar(int32_t a, int32_t b, int32_t c)
{
    int32_t result;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c));
    return result;
}

/* clamp to 0..127 */
static inline int32_t kdp_usat7(int32_t a)
{
    int32_t result;
    __asm__("usat %0, #7, %1" : "=r"(result) : "r"(a));
    return result;
}

/* clamp to -128..127 */
static inline int32_t kdp_ssat8(int32_t a)
{
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(a));
    return result;
}

#else
#define KDP_HAVE_DSP 0

static inline int32_t kdp_low_half(uint32_t a) { return (int16_t)(a & 0xFFFFu); }
static inline int32_t kdp_high_half(uint32_t a) { return (int16_t)(a >> 16); }

static inline int32_t kdp_smlad(uint32_t a, uint32_t b, int32_t c)
{
    /* wraps like the instruction */
    const int32_t low = kdp_low_half(a) * kdp_low_half(b), high = kdp_high_half(a) * kdp_high_half(b);
    return (int32_t)((uint32_t)c + (uint32_t)low + (uint32_t)high);
}

static inline uint32_t kdp_sxtb16(uint32_t a)
{
    const int32_t low = (int8_t)(a & 0xFFu), high = (int8_t)(a >> 16 & 0xFFu);
    return ((uint32_t)low & 0xFFFFu) | (uint32_t)high << 16;
}

static inline uint32_t kdp_sxtb16_odd(uint32_t a) { return kdp_sxtb16(a >> 8 | a << 24); }

static inline int32_t kdp_smmlar(int32_t a, int32_t b, int32_t c)
{
    return c + (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
}

static inline int32_t kdp_usat7(int32_t a) { return a < 0 ? 0 : a > 127 ? 127 : a; }
static inline int32_t kdp_ssat8(int32_t a) { return a < -128 ? -128 : a > 127 ? 127 : a; }

#endif

#endif
