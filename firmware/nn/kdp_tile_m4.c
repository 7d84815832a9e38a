/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* The tiles of the M4 kernel in assembly: nine tenths of a plan's time.
 *
 * Four inputs, one output, one candidate take two SMLAD and one half-shared SXTB16:
 *
 *     weight word  p = (256*w1 + w0, 256*w3 + w2)      D = (x1, x3)
 *     sxtb16(p)      = (w0, w2)                        E = (256*x0 - x1, 256*x2 - x3)
 *     smlad(p, D) + smlad(sxtb16(p), E) = 256 * (w0*x0 + w1*x1 + w2*x2 + w3*x3)
 *
 * so half of the weights are used without unpacking. Exact because x is a ReLU's result, 0..127,
 * which keeps E within 16 bits, and because the exporter holds |sum| below 2^23.
 *
 * Per 4 inputs, 2 outputs x 4 candidates: 5 LDRD, 2 SXTB16, 16 SMLAD for 32 multiply-accumulates.
 * All 14 usable registers are taken (8 sums, 2 pointers, 2 weights, 2 activations), so the end of
 * the loop waits on the stack. What becomes of the sums happens while they are still in registers,
 * and one call makes a whole layer.
 *
 * Requantization and addition are explained in kdp_tiles.c, which has the same in C. */
#include "kdp_nn.h"

#if KDP_KERNEL == KDP_KERNEL_M4

#include "kdp_tile.h"

#if KDP_HAVE_DSP

#define FUNCTION(name)                                                                     \
    ".pushsection .text." #name ", \"ax\", %progbits\n.syntax unified\n.thumb\n.balign 4\n" \
    ".global " #name "\n.type " #name ", %function\n.thumb_func\n" #name ":\n"
#define END(name) ".size " #name ", . - " #name "\n.popsection\n"

/* A layer for 4 candidates or for one: r0 weights, r1 x, r2 steps a tile (quads or pairs of inputs), r3 the
 * kdp_m4_layer. One tile after the other, 2 outputs each. On the stack: end of the tile's weights, their
 * bytes, the layer, x, and where the loop is entered, such that a tile's steps need not be a multiple of the
 * unrolled ones; the `peeled` ones before it do not count. */
#define ENTER(unrolled_minus_1, step_bytes, weight_bytes_log2, halved, peeled) \
    "push   {r4-r11, lr}\n"                                           \
    "lsl    r5, r2, #" #weight_bytes_log2 "\n"                        \
    "add    r4, r0, r5\n"                                             \
    "mov    r6, r3\n"                                                 \
    "mov    r7, r1\n"                                                 \
    "lsr    r2, r2, #" #halved "\n"                                   \
    "rsb    r2, r2, #" #peeled "\n"                                   \
    "and    r2, r2, #" #unrolled_minus_1 "\n"                         \
    "movs   r3, #" #step_bytes "\n"                                   \
    "adr    r8, 1f\n"                                                 \
    "mla    r8, r2, r3, r8\n"                                         \
    "add    r8, r8, #1\n" /* Thumb */                                 \
    "push   {r4-r8}\n"                                                \
    "0:\n"                                                            \
    "ldr    r1, [sp, #12]\n"

#define CLEAR_4               \
    "movs   r4, #0\n"        \
    "movs   r5, #0\n"        \
    "movs   r6, #0\n"        \
    "movs   r7, #0\n"        \
    "mov    r8, r4\n"        \
    "mov    r9, r4\n"        \
    "mov    r10, r4\n"       \
    "mov    r11, r4\n"

/* Into the loop, the body of which follows. */
#define JUMP                   \
    "ldr    pc, [sp, #16]\n" \
    ".balign 4\n"            \
    "1:\n"

#define REPEAT                 \
    "ldr    r2, [sp]\n"        \
    "cmp    r0, r2\n"          \
    "bne.w  1b\n"

/* The next tile, unless r0 has come to the end of the layer's weights; r12 layer. */
#define NEXT                     \
    "ldrd   r0, r2, [sp]\n"      \
    "add    r2, r0, r2\n"        \
    "str    r2, [sp]\n"          \
    "ldr    r3, [r12, #12]\n"    \
    "cmp    r0, r3\n"            \
    "bne.w  0b\n"                \
    "add    sp, sp, #20\n"       \
    "pop    {r4-r11, pc}\n"

/* r0 = to, r1 = bytes to the next tile's, which alternate: pairs share D and E. */
#define PLACE "ldrd   r0, r1, [r12, #4]\n"
#define NEXT_PLACE(bytes)           \
    "add    r0, r0, r1\n"           \
    "rsb    r1, r1, #" #bytes "\n"  \
    "strd   r0, r1, [r12, #4]\n"

/* Weights in r2 and r3; two candidates' activations each in r12 and lr. */
#define MULTIPLY_4                  \
    "ldrd   r12, lr, [r1], #8\n"    \
    "smlad  r4, r2, r12, r4\n"      \
    "smlad  r8, r3, r12, r8\n"      \
    "smlad  r5, r2, lr, r5\n"       \
    "smlad  r9, r3, lr, r9\n"       \
    "ldrd   r12, lr, [r1], #8\n"    \
    "smlad  r6, r2, r12, r6\n"      \
    "smlad  r10, r3, r12, r10\n"    \
    "smlad  r7, r2, lr, r7\n"       \
    "smlad  r11, r3, lr, r11\n"

/* The same where the sums begin, which saves clearing them. */
#define BEGIN_4                     \
    "ldrd   r12, lr, [r1], #8\n"    \
    "smuad  r4, r2, r12\n"         \
    "smuad  r8, r3, r12\n"         \
    "smuad  r5, r2, lr\n"          \
    "smuad  r9, r3, lr\n"          \
    "ldrd   r12, lr, [r1], #8\n"    \
    "smuad  r6, r2, r12\n"         \
    "smuad  r10, r3, r12\n"        \
    "smuad  r7, r2, lr\n"          \
    "smuad  r11, r3, lr\n"

/* A quad of inputs, 92 bytes. */
#define QUAD_4(first)               \
    "ldrd   r2, r3, [r0], #8\n"     \
    first                           \
    "sxtb16 r2, r2\n"               \
    "sxtb16 r3, r3\n"               \
    MULTIPLY_4

/* 256 times the sums; the first quad is not of the loop. */
#define SUMS                        \
    ENTER(15, 92, 3, 0, 1)          \
    QUAD_4(BEGIN_4)                 \
    JUMP                            \
    ".rept  16\n"                   \
    QUAD_4(MULTIPLY_4)              \
    ".endr\n"                       \
    REPEAT

/* Constants of an output from r0: r1 = 2 * bias, r2 multiplier, r3 rounding, lr shift. */
#define CONSTANTS "ldm    r0!, {r1-r3, lr}\n"

/* r1 + sum * 2 / 256 requantized to 0..127 */
#define RELU(sum, scale)                                \
    "add    " #sum ", r1, " #sum ", " scale "\n"        \
    "smmlar " #sum ", " #sum ", r2, r3\n"               \
    "asr    " #sum ", " #sum ", lr\n"                   \
    "usat   " #sum ", #7, " #sum "\n"
#define RELU_EVEN(scale) RELU(r4, scale) RELU(r5, scale) RELU(r6, scale) RELU(r7, scale)
#define RELU_ODD(scale) RELU(r8, scale) RELU(r9, scale) RELU(r10, scale) RELU(r11, scale)

/* the same to -128..127; r12 is lost */
#define SIGNED(sum)                                     \
    "add    " #sum ", r1, " #sum ", asr #7\n"           \
    "smmlar r12, " #sum ", r2, r3\n"                    \
    "add    r12, r12, " #sum ", asr #31\n"              \
    "asr    " #sum ", r12, lr\n"                        \
    "ssat   " #sum ", #8, " #sum "\n"
#define SIGNED_BOTH                                                             \
    CONSTANTS SIGNED(r4) SIGNED(r5) SIGNED(r6) SIGNED(r7)                       \
    CONSTANTS SIGNED(r8) SIGNED(r9) SIGNED(r10) SIGNED(r11)

/* Results to r0 as D and E. */
#define STORE(even, odd, d, e)                          \
    "strh   " #odd ", [r0, #" #d "]\n"                  \
    "rsb    " #even ", " #odd ", " #even ", lsl #8\n"   \
    "strh   " #even ", [r0, #" #e "]\n"
#define STORE_ALL STORE(r4, r8, 0, 16) STORE(r5, r9, 4, 20) STORE(r6, r10, 8, 24) STORE(r7, r11, 12, 28)

/* branch[sum] + residual[h]; r0 = h as D and E, r1 branch, r2 residual */
#define ADD(even, odd, d, e)                            \
    "ldrsh  r3, [r0, #" #d "]\n"                        \
    "ldrsh  lr, [r0, #" #e "]\n"                        \
    "add    lr, lr, r3\n"                               \
    "asr    lr, lr, #8\n"                               \
    "ldr    r3, [r2, r3, lsl #2]\n"                     \
    "ldr    lr, [r2, lr, lsl #2]\n"                     \
    "ldr    " #odd ", [r1, " #odd ", lsl #2]\n"         \
    "ldr    " #even ", [r1, " #even ", lsl #2]\n"       \
    "add    " #odd ", " #odd ", r3\n"                   \
    "add    " #even ", " #even ", lr\n"
#define ADD_ALL ADD(r4, r8, 0, 16) ADD(r5, r9, 4, 20) ADD(r6, r10, 8, 24) ADD(r7, r11, 12, 28)

/* r1 multiplier, r2 rounding, r3 shift of an addition's sum */
#define RELU_SUM(sum)                                   \
    "smmlar " #sum ", " #sum ", r1, r2\n"               \
    "asr    " #sum ", " #sum ", r3\n"                   \
    "usat   " #sum ", #7, " #sum "\n"
#define RELU_SUMS                                       \
    RELU_SUM(r4) RELU_SUM(r5) RELU_SUM(r6) RELU_SUM(r7) \
    RELU_SUM(r8) RELU_SUM(r9) RELU_SUM(r10) RELU_SUM(r11)

/* Results to r0 as bytes, a candidate every r1 bytes. */
#define STORE_BYTES(even, odd)         \
    "strb   " #even ", [r0]\n"         \
    "strb   " #odd ", [r0, #1]\n"      \
    "add    r0, r0, r1\n"

/* Fields of kdp_m4_layer: rows 0, to 4, step 8, end 12, add 16, shared 20, stride 24. */

__asm__(FUNCTION(kdp_m4_inner_4)
        SUMS
        "ldr    r12, [sp, #8]\n"
        "ldr    r0, [r12]\n"
        CONSTANTS RELU_EVEN("asr #7")
        CONSTANTS RELU_ODD("asr #7")
        "str    r0, [r12]\n"
        PLACE
        STORE_ALL
        NEXT_PLACE(32)
        NEXT
        END(kdp_m4_inner_4));

__asm__(FUNCTION(kdp_m4_branch_4)
        SUMS
        "ldr    r0, [sp, #8]\n"
        "ldr    r0, [r0]\n"
        SIGNED_BOTH
        "ldr    r12, [sp, #8]\n"
        "str    r0, [r12]\n"
        "ldr    r0, [r12, #4]\n"
        "ldr    r12, [r12, #16]\n"
        "ldm    r12!, {r1, r2}\n"
        ADD_ALL
        "ldm    r12, {r1-r3}\n"
        RELU_SUMS
        STORE_ALL
        "ldr    r12, [sp, #8]\n"
        "ldr    r1, [r12, #8]\n"
        NEXT_PLACE(32)
        NEXT
        END(kdp_m4_branch_4));

__asm__(FUNCTION(kdp_m4_last_4)
        SUMS
        "ldr    r0, [sp, #8]\n"
        "ldr    r0, [r0]\n"
        SIGNED_BOTH
        "ldr    r12, [sp, #8]\n"
        "str    r0, [r12]\n"
        "ldr    r0, [r12, #4]\n"
        "add    r1, r0, #2\n"
        "str    r1, [r12, #4]\n"
        "ldr    r1, [r12, #24]\n"
        STORE_BYTES(r4, r8) STORE_BYTES(r5, r9) STORE_BYTES(r6, r10) STORE_BYTES(r7, r11)
        NEXT
        END(kdp_m4_last_4));

/* Any int8 inputs, (x0, x1) a word: every weight is unpacked. Pairs of inputs, 52 bytes each. */
__asm__(FUNCTION(kdp_m4_first_4)
        ENTER(3, 52, 2, 0, 0)
        CLEAR_4
        JUMP
        ".rept  4\n"
        "ldr    r2, [r0], #4\n"
        "sxtb16 r3, r2, ror #8\n"
        "sxtb16 r2, r2\n"
        MULTIPLY_4
        ".endr\n"
        REPEAT
        "ldr    r12, [sp, #8]\n"
        "ldr    r0, [r12]\n"
        "ldr    r12, [r12, #20]\n"
        CONSTANTS
        "ldr    r1, [r12], #4\n"
        RELU_EVEN("lsl #1")
        CONSTANTS
        "ldr    r1, [r12], #4\n"
        RELU_ODD("lsl #1")
        "ldr    r1, [sp, #8]\n"
        "str    r12, [r1, #20]\n"
        "mov    r12, r1\n"
        "str    r0, [r12]\n"
        PLACE
        STORE_ALL
        NEXT_PLACE(32)
        NEXT
        END(kdp_m4_first_4));

/* One candidate: 2 quads per step, 56 bytes each; sums in r2 and r3. */
#define SUMS_1                      \
    ENTER(3, 56, 3, 1, 0)           \
    "movs   r2, #0\n"              \
    "movs   r3, #0\n"              \
    JUMP                           \
    ".rept  4\n"                   \
    "ldm.w  r0!, {r4-r7}\n"        \
    "ldm.w  r1!, {r8-r11}\n"       \
    "smlad  r2, r4, r8, r2\n"      \
    "smlad  r3, r5, r8, r3\n"      \
    "smlad  r2, r6, r10, r2\n"     \
    "smlad  r3, r7, r10, r3\n"     \
    "sxtb16 r4, r4\n"              \
    "sxtb16 r5, r5\n"              \
    "sxtb16 r6, r6\n"              \
    "sxtb16 r7, r7\n"              \
    "smlad  r2, r4, r9, r2\n"      \
    "smlad  r3, r5, r9, r3\n"      \
    "smlad  r2, r6, r11, r2\n"     \
    "smlad  r3, r7, r11, r3\n"     \
    ".endr\n"                      \
    "ldr    r12, [sp]\n"           \
    "cmp    r0, r12\n"             \
    "bne.w  1b\n"

/* r12 layer, r4 to r7 the first output's constants, r8 to r11 the second's. */
#define CONSTANTS_1                 \
    "ldr    r12, [sp, #8]\n"       \
    "ldr    r1, [r12]\n"           \
    "ldm    r1!, {r4-r11}\n"       \
    "str    r1, [r12]\n"

#define RELU_1(sum, bias, multiplier, rounding, shift, scale)           \
    "add    " #sum ", " #bias ", " #sum ", " scale "\n"                \
    "smmlar " #sum ", " #sum ", " #multiplier ", " #rounding "\n"      \
    "asr    " #sum ", " #sum ", " #shift "\n"                          \
    "usat   " #sum ", #7, " #sum "\n"

/* lr is lost */
#define SIGNED_1(sum, bias, multiplier, rounding, shift)                \
    "add    " #sum ", " #bias ", " #sum ", asr #7\n"                   \
    "smmlar lr, " #sum ", " #multiplier ", " #rounding "\n"            \
    "add    lr, lr, " #sum ", asr #31\n"                               \
    "asr    " #sum ", lr, " #shift "\n"                                \
    "ssat   " #sum ", #8, " #sum "\n"
#define SIGNED_BOTH_1 SIGNED_1(r2, r4, r5, r6, r7) SIGNED_1(r3, r8, r9, r10, r11)

#define STORE_1               \
    STORE(r2, r3, 0, 4)       \
    NEXT_PLACE(8)             \
    NEXT

__asm__(FUNCTION(kdp_m4_inner_1)
        SUMS_1
        CONSTANTS_1
        RELU_1(r2, r4, r5, r6, r7, "asr #7")
        RELU_1(r3, r8, r9, r10, r11, "asr #7")
        PLACE
        STORE_1
        END(kdp_m4_inner_1));

__asm__(FUNCTION(kdp_m4_branch_1)
        SUMS_1
        CONSTANTS_1
        SIGNED_BOTH_1
        PLACE
        "ldr    r4, [r12, #16]\n"
        "ldm    r4, {r5-r9}\n" /* branch, residual; multiplier, rounding, shift of the sum */
        "ldrsh  r4, [r0]\n"    /* h as D and E */
        "ldrsh  lr, [r0, #4]\n"
        "add    lr, lr, r4\n"
        "asr    lr, lr, #8\n"
        "ldr    r4, [r6, r4, lsl #2]\n"
        "ldr    lr, [r6, lr, lsl #2]\n"
        "ldr    r3, [r5, r3, lsl #2]\n"
        "ldr    r2, [r5, r2, lsl #2]\n"
        "add    r3, r3, r4\n"
        "add    r2, r2, lr\n"
        "smmlar r2, r2, r7, r8\n"
        "smmlar r3, r3, r7, r8\n"
        "asr    r2, r2, r9\n"
        "asr    r3, r3, r9\n"
        "usat   r2, #7, r2\n"
        "usat   r3, #7, r3\n"
        STORE_1
        END(kdp_m4_branch_1));

__asm__(FUNCTION(kdp_m4_last_1)
        SUMS_1
        CONSTANTS_1
        SIGNED_BOTH_1
        "ldr    r0, [r12, #4]\n"
        "strb   r2, [r0], #1\n"
        "strb   r3, [r0], #1\n"
        "str    r0, [r12, #4]\n"
        NEXT
        END(kdp_m4_last_1));

/* One candidate's any int8 inputs, or those that all have in common: pairs of inputs, 24 bytes each. */
#define SUMS_FIRST                  \
    ENTER(3, 24, 2, 0, 0)           \
    "movs   r2, #0\n"              \
    "movs   r3, #0\n"              \
    JUMP                           \
    ".rept  4\n"                   \
    "ldr.w  r4, [r0], #4\n"        \
    "ldr.w  r5, [r1], #4\n"        \
    "sxtb16 r6, r4\n"              \
    "sxtb16 r4, r4, ror #8\n"      \
    "smlad  r2, r6, r5, r2\n"      \
    "smlad  r3, r4, r5, r3\n"      \
    ".endr\n"                      \
    "ldr    r12, [sp]\n"           \
    "cmp    r0, r12\n"             \
    "bne.w  1b\n"

__asm__(FUNCTION(kdp_m4_first_1)
        SUMS_FIRST
        CONSTANTS_1
        "ldr    r1, [r12, #20]\n"
        "ldr    r4, [r1], #4\n"
        "ldr    r8, [r1], #4\n"
        "str    r1, [r12, #20]\n"
        RELU_1(r2, r4, r5, r6, r7, "lsl #1")
        RELU_1(r3, r8, r9, r10, r11, "lsl #1")
        PLACE
        STORE_1
        END(kdp_m4_first_1));

__asm__(FUNCTION(kdp_m4_shared)
        SUMS_FIRST
        "ldr    r12, [sp, #8]\n"
        "ldrd   r4, r5, [r12]\n"
        "ldm    r4!, {r6, r7}\n"
        "add    r2, r6, r2, lsl #1\n"
        "add    r3, r7, r3, lsl #1\n"
        "stm    r5!, {r2, r3}\n"
        "strd   r4, r5, [r12]\n"
        NEXT
        END(kdp_m4_shared));

#endif

/* For what the assembly leaves: an odd last output, and other cores. */
static void tile(const int8_t *weights, const int16_t *x, int quads, int candidates, int32_t *sums)
{
    for (int i = 0; i < 2 * candidates; i++) {
        sums[i] = 0;
    }
    for (int quad = 0; quad < quads; quad++, weights += 8, x += 4 * candidates) {
        for (int r = 0; r < 2; r++) {
            const uint32_t packed = kdp_word(weights + 4 * r);
            for (int c = 0; c < candidates; c++) {
                int32_t *const sum = &sums[r * candidates + c];
                *sum = kdp_smlad(packed, kdp_word(x + 2 * c), *sum);
                *sum = kdp_smlad(kdp_sxtb16(packed), kdp_word(x + 2 * (candidates + c)), *sum);
            }
        }
    }
}

void kdp_m4_tile_4(const int8_t *weights, const int16_t *x, int quads, int32_t *sums)
{
    tile(weights, x, quads, 4, sums);
}

void kdp_m4_tile_1(const int8_t *weights, const int16_t *x, int quads, int32_t *sums)
{
    tile(weights, x, quads, 1, sums);
}

#endif
