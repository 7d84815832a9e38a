/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * All that differs between compilers: GCC, clang, Arm Compiler 6 (a clang) and IAR. Everything else in kernels
 * and core is C99; the headers are C++ as well.
 *
 * The branch for IAR follows its manual and has not been compiled: it is not a free compiler.
 */
#ifndef KDP_COMPILER_H
#define KDP_COMPILER_H

#if !defined(__GNUC__) && !defined(__ICCARM__) && !defined(__ICCRISCV__)
#error "an unknown compiler: give it a branch in kdp_compiler.h"
#endif

/* A constant or a variable that starts where the kernels may load 16 bytes at once. */
#if defined(__GNUC__)
#define KDP_ALIGNED __attribute__((aligned(16)))
#else
#define KDP_ALIGNED _Pragma("data_alignment=16")
#endif

/* The pointer, known to be a multiple of `bytes`: where words lie at such places only, one load instead of four. */
#if defined(__GNUC__)
#define KDP_MULTIPLE_OF(bytes, pointer) __builtin_assume_aligned(pointer, bytes)
#else
#define KDP_MULTIPLE_OF(bytes, pointer) (pointer)
#endif

/* Inlined whatever the compiler thinks of it: an argument that is a constant there makes another function. */
#if defined(__GNUC__)
#define KDP_INLINE static inline __attribute__((always_inline))
#else
#define KDP_INLINE _Pragma("inline=forced") static inline
#endif

/* A definition that another one of the same name replaces. */
#if defined(__GNUC__)
#define KDP_WEAK __attribute__((weak))
#else
#define KDP_WEAK __weak
#endif

/* Before a loop of at most 8 rounds: all of them one after the other, so that its arrays become registers. */
#if defined(__GNUC__) && !defined(__clang__)
#define KDP_UNROLL _Pragma("GCC unroll 8")
#else
#define KDP_UNROLL
#endif

/*
 * At the head of a file whose float32 results must be the host's: a product is rounded before something is
 * added to it. GCC has no such pragma; it fuses the two where the core can, unless it was told -std=c99.
 */
#if defined(__GNUC__) && !defined(__clang__)
#define KDP_ROUND_EACH _Pragma("GCC optimize (\"fp-contract=off\")")
#else
#define KDP_ROUND_EACH _Pragma("STDC FP_CONTRACT OFF")
#endif

/* Memory is written and read anew here: between what an interrupt handler and the main loop share. */
#if defined(__GNUC__)
#define KDP_BARRIER() __asm__ volatile("" ::: "memory")
#else
#define KDP_BARRIER() __asm volatile("" ::: "memory")
#endif

/* Whether the first byte of a word is its lowest. */
#if (defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) || \
    (defined(__LITTLE_ENDIAN__) && __LITTLE_ENDIAN__ == 0)
#define KDP_LITTLE_ENDIAN 0
#else
#define KDP_LITTLE_ENDIAN 1
#endif

/* Kernels in assembly are written for the GNU assembler. */
#if defined(__GNUC__) && KDP_LITTLE_ENDIAN
#define KDP_ASSEMBLY 1
#else
#define KDP_ASSEMBLY 0
#endif

#endif
