/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_float.h"

#if KDP_SOFT_FLOAT

#define SIGN 0x80000000u
#define INFINITE 0x7F800000u
#define NOT_A_NUMBER 0x7FC00000u
#define RAISED 300u /* added to exponents of products, none is below 0 */

/* 1 if a is not 0, else 0 */
static uint32_t any(uint32_t a)
{
    return (a | (0u - a)) >> 31;
}

/* All ones if a < b, else 0; both below 2^31. */
static uint32_t less(uint32_t a, uint32_t b)
{
    return 0u - ((a - b) >> 31);
}

static uint32_t either(uint32_t mask, uint32_t a, uint32_t b)
{
    return (a & mask) | (b & ~mask);
}

static float of_bits(uint32_t bits)
{
    float a;
    memcpy(&a, &bits, sizeof a);
    return a;
}

/* Exponent and 24 bits of significand of a finite number; a denormal has the exponent 1 and no leading one. */
static uint32_t exponent(uint32_t bits)
{
    const uint32_t biased = bits >> 23 & 255u;
    return biased + 1u - any(biased);
}

static uint32_t mantissa(uint32_t bits)
{
    return (bits & 0x7FFFFFu) | any(bits >> 23 & 255u) << 23;
}

/* a >> by, by up to 31; bits that fall out leave a one at the end */
static uint32_t shift_right(uint32_t a, uint32_t by)
{
    by &= 31u;
    return a >> by | any(a & ((1u << by) - 1u));
}

/* Zeros before the first one of a; 31 of 0 */
static uint32_t leading_zeros(uint32_t a)
{
    uint32_t zeros = 0;
    KDP_UNROLL
    for (uint32_t step = 16; step > 0; step /= 2) {
        const uint32_t by = step & ~(0u - any(a >> (32u - step)));
        a <<= by;
        zeros += by;
    }
    return zeros & 31u;
}

/* a / 2^31 * 2^(exponent - 127) rounded, a < 2^32; its first one is bit 31, or the exponent is 1. */
static uint32_t rounded(uint32_t a, uint32_t exponent)
{
    const uint32_t low = a & 255u, kept = a >> 8;
    const uint32_t up = (low + 127u + (kept & 1u)) >> 8;
    const uint32_t bits = ((exponent - 1u) << 23) + kept + up;
    return either(0u - ((bits - INFINITE) >> 31), bits, INFINITE); /* exponents are below 400: no carry */
}

float kdp_float_add(float a, float b)
{
    const uint32_t first = kdp_float_bits(a), second = kdp_float_bits(b);
    const uint32_t swap = less(first & ~SIGN, second & ~SIGN);
    const uint32_t x = either(swap, second, first), y = either(swap, first, second); /* |x| >= |y| */
    const uint32_t minus = 0u - ((x ^ y) >> 31);
    const uint32_t apart = exponent(x) - exponent(y);
    const uint32_t most = either(less(apart, 31u), apart, 31u);
    /* 6 bits below the last one: enough to round right whatever cancels */
    const uint32_t smaller = shift_right(mantissa(y) << 6, most);
    const uint32_t sum = (mantissa(x) << 6) + ((smaller ^ minus) - minus);
    const uint32_t zeros = leading_zeros(sum), allowed = exponent(x) + 1u;
    const uint32_t by = either(less(zeros, allowed), zeros, allowed) & 31u;
    const uint32_t there = 0u - any(sum);
    const uint32_t sign = x & SIGN & (there | ~minus); /* x - x is +0 */
    const uint32_t finite = sign | (rounded(sum << by, exponent(x) + 2u - by) & there);
    const uint32_t size = x & ~SIGN;
    const uint32_t wrong = less(INFINITE, size) | (minus & ~less(y & ~SIGN, INFINITE));
    return of_bits(either(less(size, INFINITE), finite, either(wrong, NOT_A_NUMBER, x)));
}

/* Significand with its first one at bit 23, whose exponent this lowers; 0 stays 0. */
static uint32_t normal(uint32_t bits, uint32_t *exponents)
{
    const uint32_t whole = mantissa(bits), by = leading_zeros(whole << 8);
    *exponents += exponent(bits) - by;
    return whole << by;
}

float kdp_float_multiply(float a, float b)
{
    const uint32_t x = kdp_float_bits(a), y = kdp_float_bits(b), sign = (x ^ y) & SIGN;
    uint32_t exponents = 0; /* both: 254 + that of the product, modulo 2^32 */
    const uint32_t left = normal(x, &exponents), right = normal(y, &exponents);
    const uint32_t high = kdp_high_product(left, right), low = left * right; /* 2^46 to 2^48 */
    const uint32_t top = high << 16 | low >> 16 | any(low & 0xFFFFu);
    const uint32_t by = 1u - (top >> 31);
    const uint32_t raised = exponents + 1u - 127u - by + RAISED; /* what `rounded` takes is 1 at least */
    const uint32_t denormal = less(raised, 1u + RAISED);
    const uint32_t missing = (1u + RAISED - raised) & denormal;
    const uint32_t whole = shift_right(top << by, either(less(missing, 31u), missing, 31u));
    const uint32_t finite = rounded(whole, either(denormal, 1u, raised - RAISED));
    const uint32_t p = x & ~SIGN, q = y & ~SIGN;
    const uint32_t there = (0u - any(p)) & (0u - any(q)); /* 0 if either is */
    const uint32_t wrong = less(INFINITE, p) | less(INFINITE, q) | ~there;
    const uint32_t special = either(wrong, NOT_A_NUMBER, INFINITE);
    const uint32_t bits = either(less(p, INFINITE) & less(q, INFINITE), finite & there, special);
    return of_bits(sign | bits);
}

float kdp_float_of(int8_t a)
{
    const uint32_t sign = 0u - ((uint32_t)(int32_t)a >> 31);
    const uint32_t size = (((uint32_t)(int32_t)a ^ sign) - sign) << 24;
    const uint32_t zeros = leading_zeros(size);
    const uint32_t bits = rounded(size << zeros, 127u + 7u - zeros);
    return of_bits((sign & SIGN) | (bits & (0u - any(size))));
}

#endif
