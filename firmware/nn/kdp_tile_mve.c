/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Hand-scheduled inner loops of the Helium kernel, and the same in C for hosts.
 *
 * VMLADAVA adds 16 products to one of the even-numbered core registers. All eight of them hold sums
 * (lr included, so there is no low-overhead loop): 4 outputs x 2 candidates take 6 loads and 8
 * multiply-accumulates of 16 each. Only Q0 to Q3 are touched, which callers expect to lose. */
#include "kdp_nn.h"

#if KDP_KERNEL == KDP_KERNEL_MVE

#include "kdp_tile_mve.h"

#if defined(__ARM_FEATURE_MVE)

#define FUNCTION(name)                              \
    ".pushsection .text." #name ", \"ax\", %progbits\n.syntax unified\n.thumb\n.balign 4\n" \
    ".global " #name "\n.type " #name ", %function\n.thumb_func\n" #name ":\n"
#define END(name) ".size " #name ", . - " #name "\n.popsection\n"

/* One chunk of 16 inputs; `op` is vmladav for the first, which needs no cleared sums, else vmladava.
 * r1 weights, r3 and r5 activations; sums of one candidate in r0 r2 r4 r6, of the other in r8 r10 r12 lr. */
#define CHUNK_2(op)                \
    "vldrb.8    q0, [r3], #16\n"   \
    "vldrb.8    q2, [r1], #16\n"   \
    "vldrb.8    q1, [r5], #16\n"   \
    op ".s8     r0, q2, q0\n"      \
    "vldrb.8    q3, [r1], #16\n"   \
    op ".s8     r8, q2, q1\n"      \
    "vldrb.8    q2, [r1], #16\n"   \
    op ".s8     r2, q3, q0\n"      \
    op ".s8     r10, q3, q1\n"     \
    "vldrb.8    q3, [r1], #16\n"   \
    op ".s8     r4, q2, q0\n"      \
    op ".s8     r12, q2, q1\n"     \
    op ".s8     r6, q3, q0\n"      \
    op ".s8     lr, q3, q1\n"

/* r0 weights, r3 chunks -> r9 end of the weights, r7 where to enter the loop of SUMS, whose chunks take so
 * many bytes of code */
#define PREPARE(bytes)                                                                 \
    "add        r9, r0, r3, lsl #6\n"                                               \
    "rsb        r7, r3, #1\n"                                                       \
    "and        r7, r7, #7\n" /* chunks to skip in the first pass */                \
    "movs       r4, #" bytes "\n"                                                   \
    "adr        r11, 1f\n"                                                          \
    "mla        r7, r7, r4, r11\n"

/* After the first chunk 8 chunks a pass, entered in the middle. */
#define SUMS(CHUNK)            \
    CHUNK("vmladav")           \
    "cmp        r1, r9\n"      \
    "it         ne\n"          \
    "movne      pc, r7\n"      \
    "b          2f\n"          \
    ".balign 4\n"              \
    "1:\n"                     \
    ".rept 8\n"                \
    CHUNK("vmladava")          \
    ".endr\n"                  \
    "cmp        r1, r9\n"      \
    "bne.w      1b\n"          \
    "2:\n"

/* Sums to q0 and q1, as pairs to d0 to d3. (There is an instruction that fills two lanes of a Q register,
 * but tools disagree about which of its operands goes where.) */
#define TO_VECTORS                 \
    "vmov       d0, r0, r2\n"      \
    "vmov       d1, r4, r6\n"      \
    "vmov       d2, r8, r10\n"     \
    "vmov       d3, r12, lr\n"

#define BOTH(op, operand)                      \
    op "        q0, q0, " operand "\n"         \
    op "        q1, q1, " operand "\n"

/* Fields of kdp_mve_rows: weights 0, x 4, x_stride 8, chunks 12, start 16, rows 20, to 24,
 * to_stride 28, x_step 32, pairs 36, branch 40, residual 44, multiplier 48, shift 52, saved 56. */
#define BEGIN_ROWS                         \
    "push       {r4-r11, lr}\n"            \
    "vstrw.32   q4, [r0, #56]\n"           \
    "vstrw.32   q5, [r0, #72]\n"           \
    "vstrw.32   q6, [r0, #88]\n"           \
    "vstrw.32   q7, [r0, #104]\n"          \
    "mov        r8, r0\n"                  \
    "ldr        r0, [r8]\n"                \
    "ldr        r3, [r8, #12]\n"           \
    PREPARE("56")                          \
    "mov        r11, r8\n"                 \
    "ldrd       r3, r5, [r11, #4]\n"       \
    "add        r5, r5, r3\n"              \
    "mov        r1, r0\n"                  \
    "ldrd       r0, r2, [r11, #16]\n"      \
    "vldrw.32   q4, [r0]\n"                \
    "vldrw.32   q5, [r2, #16]\n"           \
    "vldrw.32   q6, [r2, #32]\n"           \
    "vmov.i32   q7, #127\n"                \
    "3:\n"

/* Requantize q0 and q1 up to the clamp. */
#define HIGH_WORDS BOTH("vadd.i32", "q4") BOTH("vqrdmulh.s32", "q5")

/* Clamp to 0..127, store to r0 and r0 + r2, go on with the next pair. */
#define END_ROWS                           \
    "vmov.i32   q2, #0\n"                  \
    BOTH("vmax.s32", "q2")                 \
    BOTH("vmin.s32", "q7")                 \
    "vstrb.32   q0, [r0]\n"                \
    "add        r0, r0, r2\n"              \
    "vstrb.32   q1, [r0]\n"                \
    "add        r0, r0, r2\n"              \
    "str        r0, [r11, #24]\n"          \
    "ldrd       r4, r6, [r11, #32]\n"      \
    "ldr        r1, [r11]\n"               \
    "add        r3, r3, r4\n"              \
    "add        r5, r5, r4\n"              \
    "subs       r6, r6, #1\n"              \
    "str        r6, [r11, #36]\n"          \
    "bne.w      3b\n"                      \
    "vldrw.32   q4, [r11, #56]\n"          \
    "vldrw.32   q5, [r11, #72]\n"          \
    "vldrw.32   q6, [r11, #88]\n"          \
    "vldrw.32   q7, [r11, #104]\n"         \
    "pop        {r4-r11, pc}\n"

__asm__(FUNCTION(kdp_mve_inner)
        BEGIN_ROWS
        SUMS(CHUNK_2)
        TO_VECTORS
        HIGH_WORDS
        BOTH("vrshl.s32", "q6")
        "ldrd       r0, r2, [r11, #24]\n"
        END_ROWS
        END(kdp_mve_inner));

__asm__(FUNCTION(kdp_mve_branch)
        BEGIN_ROWS
        SUMS(CHUNK_2)
        TO_VECTORS
        HIGH_WORDS
        "vshr.s32   q2, q0, #31\n" /* halves away from zero */
        "vshr.s32   q3, q1, #31\n"
        "vadd.i32   q0, q0, q2\n"
        "vadd.i32   q1, q1, q3\n"
        BOTH("vrshl.s32", "q6")
        "vmvn.i32   q2, #127\n"
        BOTH("vmax.s32", "q2")
        BOTH("vmin.s32", "q7")
        "ldrd       r0, r2, [r11, #24]\n"
        "ldrd       r4, r6, [r11, #40]\n"
        "ldrd       r8, r10, [r11, #48]\n"
        "vldrw.u32  q2, [r4, q0, uxtw #2]\n" /* branch[b] */
        "vldrb.s32  q0, [r0]\n"
        "vldrw.u32  q3, [r6, q0, uxtw #2]\n" /* residual[h] */
        "vadd.i32   q0, q2, q3\n"
        "vldrw.u32  q2, [r4, q1, uxtw #2]\n"
        "add        r4, r0, r2\n"
        "vldrb.s32  q1, [r4]\n"
        "vldrw.u32  q3, [r6, q1, uxtw #2]\n"
        "vadd.i32   q1, q2, q3\n"
        "vqrdmulh.s32 q0, q0, r8\n"
        "vqrdmulh.s32 q1, q1, r8\n"
        "vrshl.s32  q0, r10\n"
        "vrshl.s32  q1, r10\n"
        END_ROWS
        END(kdp_mve_branch));

/* One chunk for 8 outputs and one candidate: r3 activations, r1 and r5 weights of the first and the second
 * 4 outputs; sums of the first in r0 r2 r4 r6, of the second in r8 r10 r12 lr. */
#define CHUNK_1(op)                \
    "vldrb.8    q0, [r3], #16\n"   \
    "vldrb.8    q2, [r1], #16\n"   \
    "vldrb.8    q3, [r5], #16\n"   \
    op ".s8     r0, q2, q0\n"      \
    "vldrb.8    q2, [r1], #16\n"   \
    op ".s8     r8, q3, q0\n"      \
    "vldrb.8    q3, [r5], #16\n"   \
    op ".s8     r2, q2, q0\n"      \
    "vldrb.8    q2, [r1], #16\n"   \
    op ".s8     r10, q3, q0\n"     \
    "vldrb.8    q3, [r5], #16\n"   \
    op ".s8     r4, q2, q0\n"      \
    "vldrb.8    q2, [r1], #16\n"   \
    op ".s8     r12, q3, q0\n"     \
    "vldrb.8    q3, [r5], #16\n"   \
    op ".s8     r6, q2, q0\n"      \
    op ".s8     lr, q3, q0\n"

/* Fields of kdp_mve_layer: weights 0, x 4, start 8, rows 12, to 16, chunks 20, eights 24, start_step 28,
 * branch 32, residual 36, multiplier 40, shift 44.
 * Sums of 8 outputs, requantized up to the division, with start and rows moved on; r11 layer. */
#define EIGHT_HIGH_WORDS                                                              \
    "push       {r4-r11, lr}\n"                                                      \
    "mov        r8, r0\n"                                                            \
    "ldr        r0, [r8]\n"                                                          \
    "ldr        r3, [r8, #20]\n"                                                     \
    PREPARE("68")                                                                     \
    "mov        r11, r8\n"                                                           \
    "mov        r5, r0\n"                                                            \
    "3:\n"                                                                           \
    "mov        r1, r5\n"                                                            \
    "mov        r5, r9\n" /* the second 4 outputs' weights follow the first's */     \
    "ldr        r3, [r11, #4]\n"                                                     \
    SUMS(CHUNK_1)                                                                     \
    "ldr        r3, [r11, #20]\n"                                                    \
    "add        r9, r5, r3, lsl #6\n"                                                \
    TO_VECTORS                                                                        \
    "ldrd       r0, r2, [r11, #8]\n"                                                 \
    "ldr        r4, [r11, #28]\n"                                                    \
    "vldrw.32   q2, [r0]\n"                                                          \
    "add        r0, r0, r4\n"                                                        \
    "vldrw.32   q3, [r0]\n"                                                          \
    "add        r0, r0, r4\n"                                                        \
    EACH("vadd.i32")                                                                  \
    "vldrw.32   q2, [r2, #16]\n"                                                     \
    "vldrw.32   q3, [r2, #64]\n"                                                     \
    EACH("vqrdmulh.s32")

#define EACH(op)                       \
    op "        q0, q0, q2\n"         \
    op "        q1, q1, q3\n"

/* Halves away from zero */
#define EIGHT_SIGNS                    \
    "vshr.s32   q2, q0, #31\n"        \
    "vshr.s32   q3, q1, #31\n"        \
    EACH("vadd.i32")

#define EIGHT_SHIFT                    \
    "vldrw.32   q2, [r2, #32]\n"      \
    "vldrw.32   q3, [r2, #80]\n"      \
    EACH("vrshl.s32")                  \
    "adds       r2, r2, #96\n"        \
    "strd       r0, r2, [r11, #8]\n"

#define EIGHT_CLAMP(lowest)            \
    lowest                             \
    "vmov.i32   q3, #127\n"           \
    BOTH("vmax.s32", "q2")             \
    BOTH("vmin.s32", "q3")

/* 8 bytes to r0; the next 8 outputs */
#define EIGHT_STORE                    \
    "vstrb.32   q0, [r0], #4\n"       \
    "vstrb.32   q1, [r0], #4\n"       \
    "ldr        r2, [r11, #24]\n"     \
    "str        r0, [r11, #16]\n"     \
    "subs       r2, r2, #1\n"         \
    "str        r2, [r11, #24]\n"     \
    "bne.w      3b\n"                 \
    "pop        {r4-r11, pc}\n"

__asm__(FUNCTION(kdp_mve_inner_1)
        EIGHT_HIGH_WORDS
        EIGHT_SHIFT
        EIGHT_CLAMP("vmov.i32   q2, #0\n")
        "ldr        r0, [r11, #16]\n"
        EIGHT_STORE
        END(kdp_mve_inner_1));

__asm__(FUNCTION(kdp_mve_last_1)
        EIGHT_HIGH_WORDS
        EIGHT_SIGNS
        EIGHT_SHIFT
        EIGHT_CLAMP("vmvn.i32   q2, #127\n")
        "ldr        r0, [r11, #16]\n"
        EIGHT_STORE
        END(kdp_mve_last_1));

__asm__(FUNCTION(kdp_mve_branch_1)
        EIGHT_HIGH_WORDS
        EIGHT_SIGNS
        EIGHT_SHIFT
        EIGHT_CLAMP("vmvn.i32   q2, #127\n")
        "ldr        r0, [r11, #16]\n"
        "ldrd       r4, r6, [r11, #32]\n"
        "ldrd       r8, r10, [r11, #40]\n"
        "vldrw.u32  q2, [r4, q0, uxtw #2]\n" /* branch[b] */
        "vldrb.s32  q0, [r0]\n"
        "vldrw.u32  q3, [r6, q0, uxtw #2]\n" /* residual[h] */
        "vadd.i32   q0, q2, q3\n"
        "vldrw.u32  q2, [r4, q1, uxtw #2]\n"
        "vldrb.s32  q1, [r0, #4]\n"
        "vldrw.u32  q3, [r6, q1, uxtw #2]\n"
        "vadd.i32   q1, q2, q3\n"
        "vqrdmulh.s32 q0, q0, r8\n"
        "vqrdmulh.s32 q1, q1, r8\n"
        "vrshl.s32  q0, r10\n"
        "vrshl.s32  q1, r10\n"
        EIGHT_CLAMP("vmov.i32   q2, #0\n")
        EIGHT_STORE
        END(kdp_mve_branch_1));

__asm__(FUNCTION(kdp_mve_tile_2)
        "push       {r4-r11, lr}\n"
        PREPARE("56")
        "mov        r3, r1\n"
        "adds       r5, r1, r2\n"
        "mov        r1, r0\n"
        SUMS(CHUNK_2)
        "ldr        r1, [sp, #36]\n"
        "stm        r1, {r0, r2, r4, r6, r8, r10, r12, lr}\n"
        "pop        {r4-r11, pc}\n"
        END(kdp_mve_tile_2));

__asm__(FUNCTION(kdp_mve_tile_1)
        "push       {r3-r7, lr}\n"
        "mov        r3, r1\n"
        "mov        r1, r0\n"
        "dls        lr, r2\n"
        "movs       r0, #0\n"
        "movs       r2, #0\n"
        "movs       r4, #0\n"
        "movs       r6, #0\n"
        "1:\n"
        "vldrb.8    q0, [r3], #16\n"
        "vldrb.8    q1, [r1], #16\n"
        "vldrb.8    q2, [r1], #16\n"
        "vmladava.s8 r0, q1, q0\n"
        "vldrb.8    q3, [r1], #16\n"
        "vmladava.s8 r2, q2, q0\n"
        "vldrb.8    q1, [r1], #16\n"
        "vmladava.s8 r4, q3, q0\n"
        "vmladava.s8 r6, q1, q0\n"
        "le         lr, 1b\n"
        "pop        {r3}\n"
        "stm        r3, {r0, r2, r4, r6}\n"
        "pop        {r4-r7, pc}\n"
        END(kdp_mve_tile_1));

#else

void kdp_mve_tile_1(const int8_t *weights, const int8_t *x, int chunks, int32_t *sums)
{
    for (int r = 0; r < 4; r++) {
        sums[r] = 0;
        for (int i = 0; i < chunks * 16; i++) {
            sums[r] += weights[(i / 16 * 4 + r) * 16 + i % 16] * x[i];
        }
    }
}

void kdp_mve_tile_2(const int8_t *weights, const int8_t *x, int stride, int chunks, int32_t *sums)
{
    kdp_mve_tile_1(weights, x, chunks, sums);
    kdp_mve_tile_1(weights, x + stride, chunks, sums + 4);
}

#endif
#endif
