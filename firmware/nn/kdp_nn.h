/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Integer inference of a ReLU residual MLP for K candidates at once, or of an actor for one.
 *
 * What it computes. With int8 activations (zero-point 0), int8 weights and int32 sums:
 *
 *     h = relu(first [shared | columns of candidate j])
 *     per block: h = relu(h + branch(relu(inner(h))))
 *     out = last(h)
 *
 * Every result equals TensorFlow Lite for Microcontrollers' bit for bit (a saturating rounding
 * doubling high multiply, then a rounding shift), whichever of the kernels below is built.
 *
 * How to use it. `kdp-edge export` writes one .c/.h pair per net, with a `const kdp_net SYMBOL` and
 * a SYMBOL_SCRATCH(k) macro. Compile that pair and every .c file of this folder, then
 *
 *     KDP_ALIGNED static uint8_t scratch[GENERATOR_SCRATCH(8)];
 *     int8_t windows[8][GENERATOR_OUTPUTS];
 *     int error = kdp_net_run(&generator, observation, latents, 8, windows[0], scratch, sizeof scratch);
 *
 * No heap, no recursion, no global state: any number of nets may share one scratch in turn.
 */
#ifndef KDP_NN_H
#define KDP_NN_H

#include <stddef.h>
#include <stdint.h>

#include "kdp_compiler.h"
#include "kdp_error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Which kernel is built ------------------------------------------------------------------
 * Chosen by what the compiler targets; -DKDP_KERNEL=KDP_KERNEL_PORTABLE overrules it. Weights are
 * laid out offline for one kernel, so a generated net refuses to compile for another. */
#define KDP_KERNEL_PORTABLE 1 /* any C99 compiler */
#define KDP_KERNEL_M4 2       /* Cortex-M4, M7, M33 with the DSP extension */
#define KDP_KERNEL_MVE 3      /* Cortex-M55, M85 with integer Helium */
#define KDP_KERNEL_DUAL 4     /* cores whose one 32-bit multiplication is plain: Cortex-M0+, RV32IM */

#ifndef KDP_KERNEL
#if KDP_ASSEMBLY && defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define KDP_KERNEL KDP_KERNEL_MVE
#elif KDP_ASSEMBLY && defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define KDP_KERNEL KDP_KERNEL_M4
#elif KDP_LITTLE_ENDIAN && ((defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1) || \
                            (defined(__riscv_mul) && defined(__riscv_xlen) && __riscv_xlen == 32))
#define KDP_KERNEL KDP_KERNEL_DUAL
#else
#define KDP_KERNEL KDP_KERNEL_PORTABLE
#endif
#endif

#if KDP_KERNEL != KDP_KERNEL_PORTABLE && !KDP_LITTLE_ENDIAN
#error "weights for this kernel are little-endian words: -DKDP_KERNEL=KDP_KERNEL_PORTABLE"
#endif

/* Bytes of one activation in scratch memory: the M4 and the dual kernel keep them widened to 16 bits. */
#if KDP_KERNEL == KDP_KERNEL_M4 || KDP_KERNEL == KDP_KERNEL_DUAL
#define KDP_ELEMENT 2u
#else
#define KDP_ELEMENT 1u
#endif

/* --- Limits ---------------------------------------------------------------------------------- */
#define KDP_MAX_K 64 /* candidates per call */

#define KDP_ALIGNMENT 16u

/* --- The net as data: written by the exporter, read by the kernels ------------------------------
 * `inputs` and `outputs` are the sizes in memory, padded with zero weights to what the kernel
 * steps over. Layouts of `weights` and `rows` are described at the head of each kernel's file. */
typedef struct {
    const int8_t *weights; /* aligned to KDP_ALIGNMENT */
    const int32_t *rows;   /* per output: bias and requantization, or bias only */
    uint16_t inputs;
    uint16_t outputs;
} kdp_layer;

/* h = relu(requantize(residual[h] + branch[b])): each input's own requantization is a function of
 * an int8, so the exporter tabulates it (twice its value except for Helium). */
typedef struct {
    const int32_t *branch;   /* the middle of [256], of b in -128..127 */
    const int32_t *residual; /* [128], of h in 0..127 */
    int32_t multiplier;      /* of the sum, whose real factor is multiplier * 2^(-31 - shift) */
    int32_t rounding;        /* 2^(shift - 1) */
    int32_t shift;           /* to the right, > 0 */
} kdp_add;

typedef struct {
    kdp_layer inner;
    kdp_layer branch;
    kdp_add add;
} kdp_block;

/* --- An actor: any chain of layers, sums and tables, for one candidate ----------------------------
 * A deterministic policy that was trained elsewhere. Its net has one input and no columns; every activation
 * has its place in scratch, given by the exporter. */
typedef enum { KDP_OP_DENSE, KDP_OP_ADD, KDP_OP_TABLE } kdp_op_kind;

typedef struct {
    uint8_t kind;              /* kdp_op_kind */
    int8_t least;              /* smallest result: 0 after a ReLU, else -128; not of a table */
    uint16_t from_size;        /* of the input */
    uint16_t to_size;          /* of the result */
    uint32_t from, other, to;  /* places of input, second input of a sum, and result: bytes of scratch */
    kdp_layer layer;           /* KDP_OP_DENSE: weights as of a first layer's shared inputs, rows = bias */
    const int32_t *multipliers; /* KDP_OP_DENSE [to_size]: of the sums, as in kdp_add */
    const uint8_t *shifts;     /* KDP_OP_DENSE [to_size]: to the right, 0 to 31 */
    kdp_add add;               /* KDP_OP_ADD: branch of `from`, residual of `other`: the middle of [256] both */
    const int8_t *table;       /* KDP_OP_TABLE: the middle of [256] */
} kdp_op;

typedef struct kdp_actor {
    const kdp_op *ops;      /* the first reads the input, at the start of scratch */
    uint16_t op_count;      /* 1 or more */
    uint32_t work_at, sums_at, scratch; /* places behind the activations, and bytes in all */
} kdp_actor;

typedef struct kdp_net {
    uint8_t kernel; /* KDP_KERNEL_* that the weights are laid out for */
    uint8_t block_count;
    uint16_t shared_size; /* leading inputs that all candidates have in common: the observation */
    uint16_t column_size; /* remaining inputs, one set a candidate: latents, actions */
    uint16_t output_size;
    uint16_t hidden_stride; /* activations of one candidate in scratch, padded */
    uint16_t inner_stride;  /* likewise for the inner activations of a block */
    kdp_layer shared;       /* first layer, its shared inputs; rows = bias */
    kdp_layer first;        /* first layer, its other inputs; rows as usual, bias unused */
    const kdp_block *blocks;
    kdp_layer last;
    const kdp_actor *actor; /* then nothing of the above but kernel, shared_size and output_size counts; or NULL */
} kdp_net;

/* Scratch bytes as a constant expression; generated headers wrap it as SYMBOL_SCRATCH(k). */
#define KDP_ROUND_UP(n) (((n) + 15u) & ~(size_t)15u)
#define KDP_LARGER(a, b) ((a) > (b) ? (a) : (b))
#define KDP_SCRATCH(k, hidden_stride, inner_stride, first_inputs, shared_inputs, first_outputs)          \
    (KDP_ROUND_UP((size_t)(k) * (hidden_stride) * KDP_ELEMENT) +                                         \
     KDP_ROUND_UP(KDP_LARGER((size_t)(k) * KDP_LARGER((size_t)(inner_stride), (size_t)(first_inputs)),   \
                             (size_t)(shared_inputs)) *                                                  \
                  KDP_ELEMENT) +                                                                         \
     KDP_ROUND_UP((size_t)(first_outputs) * 4u))

/* --- Functions --------------------------------------------------------------------------------- */

/* Scratch bytes that kdp_net_run needs for k candidates. */
size_t kdp_net_scratch_size(const kdp_net *net, int k);

/* Evaluates the net for k candidates; an actor's for 1.
 *   shared  [net->shared_size]     inputs of all candidates; may be null when shared_size is 0
 *   columns [k][net->column_size]  inputs of each candidate
 *   out     [k][net->output_size]
 *   scratch aligned to KDP_ALIGNMENT, at least kdp_net_scratch_size(net, k) bytes; contents on entry
 *           do not matter
 * Returns 0 or a KDP_ERROR_NET_*; on an error nothing is written.
 * Time does not depend on the data. */
int kdp_net_run(const kdp_net *net, const int8_t *shared, const int8_t *columns, int k, int8_t *out,
                void *scratch, size_t scratch_size);

#ifdef __cplusplus
}
#endif

#endif
