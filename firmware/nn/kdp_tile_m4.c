/* Hand-scheduled inner loops of the M4 kernel: nine tenths of a plan's time; and the same in C for hosts.
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
 * the loop waits on the stack. */
#include "kdp_nn.h"

#if KDP_KERNEL == KDP_KERNEL_M4

#include "kdp_tile.h"

#if KDP_HAVE_DSP

#define UNUSED __attribute__((unused))

/* 8 quads a pass; a count that is no multiple of 8 enters in the middle. 92 bytes a quad. */
__attribute__((naked, noinline)) void kdp_m4_tile_4(UNUSED const int8_t *weights, UNUSED const int16_t *x,
                                                    UNUSED int quads, UNUSED int32_t *sums)
{
    __asm__ volatile(
        "rsb    r12, r2, #0             \n"
        "and    r12, r12, #7            \n" /* quads to skip in the first pass */
        "add    r2, r0, r2, lsl #3      \n" /* end of the weights */
        "push   {r2-r11, lr}            \n"
        "movs   r2, #92                 \n"
        "mul    r12, r12, r2            \n"
        "adr    r2, 1f                  \n"
        "add    r12, r12, r2            \n"
        "movs   r4, #0                  \n"
        "movs   r5, #0                  \n"
        "movs   r6, #0                  \n"
        "movs   r7, #0                  \n"
        "mov    r8, r4                  \n"
        "mov    r9, r4                  \n"
        "mov    r10, r4                 \n"
        "mov    r11, r4                 \n"
        "mov    pc, r12                 \n"
        ".balign 4                      \n"
        "1:                             \n"
        ".rept  8                       \n"
        "ldrd   r2, r3, [r0], #8        \n"
        "ldrd   r12, lr, [r1], #8       \n"
        "smlad  r4, r2, r12, r4         \n"
        "smlad  r8, r3, r12, r8         \n"
        "smlad  r5, r2, lr, r5          \n"
        "smlad  r9, r3, lr, r9          \n"
        "ldrd   r12, lr, [r1], #8       \n"
        "smlad  r6, r2, r12, r6         \n"
        "smlad  r10, r3, r12, r10       \n"
        "smlad  r7, r2, lr, r7          \n"
        "smlad  r11, r3, lr, r11        \n"
        "ldrd   r12, lr, [r1], #8       \n"
        "sxtb16 r2, r2                  \n"
        "sxtb16 r3, r3                  \n"
        "smlad  r4, r2, r12, r4         \n"
        "smlad  r8, r3, r12, r8         \n"
        "smlad  r5, r2, lr, r5          \n"
        "smlad  r9, r3, lr, r9          \n"
        "ldrd   r12, lr, [r1], #8       \n"
        "smlad  r6, r2, r12, r6         \n"
        "smlad  r10, r3, r12, r10       \n"
        "smlad  r7, r2, lr, r7          \n"
        "smlad  r11, r3, lr, r11        \n"
        ".endr                          \n"
        "ldr    r2, [sp]                \n"
        "cmp    r0, r2                  \n"
        "bne.w  1b                      \n"
        "pop    {r2, r3}                \n"
        "stm    r3, {r4-r11}            \n"
        "pop    {r4-r11, pc}            \n");
}

/* 2 quads a step, 4 steps a pass. */
__attribute__((naked, noinline)) void kdp_m4_tile_1(UNUSED const int8_t *weights, UNUSED const int16_t *x,
                                                    UNUSED int quads, UNUSED int32_t *sums)
{
    __asm__ volatile(
        "add    r2, r0, r2, lsl #3      \n"
        "push   {r2-r11, lr}            \n"
        "movs   r2, #0                  \n"
        "movs   r3, #0                  \n"
        "1:                             \n"
        "ldm    r0!, {r4-r7}            \n"
        "ldm    r1!, {r8-r11}           \n"
        "smlad  r2, r4, r8, r2          \n"
        "smlad  r3, r5, r8, r3          \n"
        "smlad  r2, r6, r10, r2         \n"
        "smlad  r3, r7, r10, r3         \n"
        "sxtb16 r4, r4                  \n"
        "sxtb16 r5, r5                  \n"
        "sxtb16 r6, r6                  \n"
        "sxtb16 r7, r7                  \n"
        "smlad  r2, r4, r9, r2          \n"
        "smlad  r3, r5, r9, r3          \n"
        "smlad  r2, r6, r11, r2         \n"
        "smlad  r3, r7, r11, r3         \n"
        "ldr    r12, [sp]               \n"
        "cmp    r0, r12                 \n"
        "bne    1b                      \n"
        "ldr    r12, [sp, #4]           \n"
        "stm    r12, {r2, r3}           \n"
        "pop    {r2-r11, pc}            \n");
}

#else

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
#endif
