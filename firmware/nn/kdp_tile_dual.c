/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* The tile of the dual kernel: nine tenths of a plan's time. The arithmetic is explained in kdp_tile_dual.h. */
#include "kdp_nn.h"

#if KDP_KERNEL == KDP_KERNEL_DUAL

#include "kdp_tile.h"

#if KDP_THUMB1 && KDP_ASSEMBLY

/* Two inputs, 2 outputs, 2 candidates: 8 multiply-accumulates in 18 instructions. A multiplication destroys
 * one of its operands, so every one of them costs a load, too. r0 weights, r1 x; all and high of the first
 * output in r8 and r9, of the second in r10 and r11. */
#define STEP(x0, x1, u0, u1, u2, u3) \
    "ldr    r2, [r1, #" #x0 "]\n"    \
    "ldr    r3, [r1, #" #x1 "]\n"    \
    "ldrb   r4, [r0, #" #u0 "]\n"    \
    "muls   r4, r2\n"                \
    "ldrb   r5, [r0, #" #u1 "]\n"    \
    "muls   r5, r3\n"                \
    "adds   r4, r4, r5\n"            \
    "add    r8, r4\n"                \
    "lsrs   r4, r4, #16\n"           \
    "add    r9, r4\n"                \
    "ldrb   r6, [r0, #" #u2 "]\n"    \
    "muls   r2, r6\n"                \
    "ldrb   r7, [r0, #" #u3 "]\n"    \
    "muls   r3, r7\n"                \
    "adds   r2, r2, r3\n"            \
    "add    r10, r2\n"               \
    "lsrs   r2, r2, #16\n"           \
    "add    r11, r2\n"

__asm__(".pushsection .text.kdp_dual_tile_4, \"ax\", %progbits\n"
        ".syntax unified\n"
        ".thumb\n"
        ".balign 4\n"
        ".global kdp_dual_tile_4\n"
        ".type kdp_dual_tile_4, %function\n"
        ".thumb_func\n"
        "kdp_dual_tile_4:\n"
        "push   {r4-r7, lr}\n"
        "mov    r4, r8\n"
        "mov    r5, r9\n"
        "mov    r6, r10\n"
        "mov    r7, r11\n"
        "lsls   r2, r2, #3\n"
        "adds   r2, r1, r2\n"
        "mov    r12, r2\n" /* end of x */
        "movs   r2, #2\n"
        "push   {r0-r7}\n" /* weights, x, pairs left, sums; the caller's r8 to r11 */
        "1:\n"
        "movs   r4, #0\n"
        "mov    r8, r4\n"
        "mov    r9, r4\n"
        "mov    r10, r4\n"
        "mov    r11, r4\n"
        "2:\n"
        STEP(0, 8, 0, 1, 2, 3)
        STEP(16, 24, 4, 5, 6, 7)
        STEP(32, 40, 8, 9, 10, 11)
        STEP(48, 56, 12, 13, 14, 15)
        "adds   r0, #16\n"
        "adds   r1, #64\n"
        "cmp    r1, r12\n"
        "bne    2b\n"
        "pop    {r0-r3}\n"
        "mov    r4, r8\n"
        "mov    r5, r9\n"
        "mov    r6, r10\n"
        "mov    r7, r11\n"
        "stmia  r3!, {r4-r7}\n"
        "adds   r1, #4\n" /* the second pair lies beside the first */
        "movs   r4, #4\n"
        "add    r12, r4\n"
        "subs   r2, #1\n"
        "beq    3f\n"
        "push   {r0-r3}\n"
        "b      1b\n"
        "3:\n"
        "pop    {r4-r7}\n"
        "mov    r8, r4\n"
        "mov    r9, r5\n"
        "mov    r10, r6\n"
        "mov    r11, r7\n"
        "pop    {r4-r7, pc}\n"
        ".size kdp_dual_tile_4, . - kdp_dual_tile_4\n"
        ".popsection\n");

#else

/* The activations of two candidates, which lie at a multiple of 4 bytes as every group does. */
KDP_INLINE uint32_t pair_at(const int16_t *x)
{
    return kdp_word(KDP_MULTIPLE_OF(4, x));
}

/* 2 inputs, 1 output, 1 pair of candidates; the macro keeps eight sums in registers, which an array would not */
#define ADD(all, high, u, x, y)                                  \
    do {                                                         \
        const uint32_t two = (uint32_t)(u)[0] * (x) + (uint32_t)(u)[1] * (y); \
        (all) += two;                                            \
        (high) += two >> 16;                                     \
    } while (0)

#define STEP(u, x)                                                                                    \
    do {                                                                                              \
        const uint32_t x0 = pair_at(x), y0 = pair_at((x) + 4);                                        \
        const uint32_t x1 = pair_at((x) + 2), y1 = pair_at((x) + 6);                                  \
        ADD(s0, h0, u, x0, y0);                                                                       \
        ADD(s1, h1, (u) + 2, x0, y0);                                                                 \
        ADD(s2, h2, u, x1, y1);                                                                       \
        ADD(s3, h3, (u) + 2, x1, y1);                                                                 \
    } while (0)

void kdp_dual_tile_4(const int8_t *weights, const int16_t *x, int inputs, uint32_t *sums)
{
    const uint8_t *u = (const uint8_t *)weights;
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, h0 = 0, h1 = 0, h2 = 0, h3 = 0;
    for (const uint8_t *const end = u + inputs * 2; u != end; u += 8, x += 16) {
        STEP(u, x);
        STEP(u + 4, x + 8);
    }
    sums[0] = s0, sums[1] = h0, sums[2] = s1, sums[3] = h1;
    sums[4] = s2, sums[5] = h2, sums[6] = s3, sums[7] = h3;
}

#endif
#endif
