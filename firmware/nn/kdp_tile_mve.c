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

/* One chunk of 16 inputs; `op` is vmladav for the first, which needs no cleared sums, else vmladava. */
#define CHUNK_2(op)        \
    "vldrb.8    q0, [r3], #16       \n" \
    "vldrb.8    q2, [r1], #16       \n" \
    "vldrb.8    q1, [r5], #16       \n" \
    op ".s8     r0, q2, q0          \n" \
    "vldrb.8    q3, [r1], #16       \n" \
    op ".s8     r8, q2, q1          \n" \
    "vldrb.8    q2, [r1], #16       \n" \
    op ".s8     r2, q3, q0          \n" \
    op ".s8     r10, q3, q1         \n" \
    "vldrb.8    q3, [r1], #16       \n" \
    op ".s8     r4, q2, q0          \n" \
    op ".s8     r12, q2, q1         \n" \
    op ".s8     r6, q3, q0          \n" \
    op ".s8     lr, q3, q1          \n"

/* After the first chunk 8 chunks a pass, entered in the middle; 56 bytes a chunk. */
__asm__(FUNCTION(kdp_mve_tile_2)
        "push       {r4-r11, lr}        \n"
        "add        r9, r0, r3, lsl #6  \n" /* end of the weights */
        "rsb        r7, r3, #1          \n"
        "and        r7, r7, #7          \n" /* chunks to skip in the first pass */
        "movs       r4, #56             \n"
        "adr        r11, 1f             \n"
        "mla        r7, r7, r4, r11     \n"
        "mov        r3, r1              \n"
        "adds       r5, r1, r2          \n"
        "mov        r1, r0              \n"
        CHUNK_2("vmladav")
        "cmp        r1, r9              \n"
        "it         ne                  \n"
        "movne      pc, r7              \n"
        "b          2f                  \n"
        ".balign 4         \n"
        "1:                \n"
        ".rept 8           \n"
        CHUNK_2("vmladava")
        ".endr             \n"
        "cmp        r1, r9              \n"
        "bne.w      1b                  \n"
        "2:                \n"
        "ldr        r1, [sp, #36]       \n"
        "stm        r1, {r0, r2, r4, r6, r8, r10, r12, lr}\n"
        "pop        {r4-r11, pc}        \n"
        END(kdp_mve_tile_2));

__asm__(FUNCTION(kdp_mve_tile_1)
        "push       {r3-r7, lr}         \n"
        "mov        r3, r1              \n"
        "mov        r1, r0              \n"
        "dls        lr, r2              \n"
        "movs       r0, #0              \n"
        "movs       r2, #0              \n"
        "movs       r4, #0              \n"
        "movs       r6, #0              \n"
        "1:                \n"
        "vldrb.8    q0, [r3], #16       \n"
        "vldrb.8    q1, [r1], #16       \n"
        "vldrb.8    q2, [r1], #16       \n"
        "vmladava.s8 r0, q1, q0         \n"
        "vldrb.8    q3, [r1], #16       \n"
        "vmladava.s8 r2, q2, q0         \n"
        "vldrb.8    q1, [r1], #16       \n"
        "vmladava.s8 r4, q3, q0         \n"
        "vmladava.s8 r6, q1, q0         \n"
        "le         lr, 1b              \n"
        "pop        {r3}                \n"
        "stm        r3, {r0, r2, r4, r6}\n"
        "pop        {r4-r7, pc}         \n"
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
