/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* The Helium intrinsics that the kernel uses, in plain C, so that it runs under a host's sanitizers.
 * From the Armv8-M Architecture Reference Manual's pseudo code. */
#ifndef SHIM_ARM_MVE_H
#define SHIM_ARM_MVE_H

#include <stdint.h>

typedef struct {
    int32_t lane[4];
} int32x4_t;
typedef struct {
    uint32_t lane[4];
} uint32x4_t;
typedef uint16_t mve_pred16_t;

#define LANEWISE(expression)        \
    int32x4_t r;                    \
    for (int i = 0; i < 4; i++) {   \
        r.lane[i] = (expression);   \
    }                               \
    return r

static inline int32_t shim_wrap(int64_t v) { return (int32_t)(uint32_t)(uint64_t)v; }

static inline int32_t shim_qrdmulh(int32_t a, int32_t b)
{
    return a == INT32_MIN && b == INT32_MIN ? INT32_MAX : (int32_t)((2 * (int64_t)a * b + ((int64_t)1 << 31)) >> 32);
}

static inline int32_t shim_rshl(int32_t a, int32_t by)
{
    if (by >= 0) {
        return (int32_t)((uint32_t)a << by);
    }
    return (int32_t)(((int64_t)a + ((int64_t)1 << (-by - 1))) >> -by);
}

static inline int32x4_t vldrwq_s32(const int32_t *at) { LANEWISE(at[i]); }
static inline int32x4_t vldrbq_s32(const int8_t *at) { LANEWISE(at[i]); }
static inline int32x4_t vdupq_n_s32(int32_t v) { LANEWISE(v); }
static inline int32x4_t vaddq_s32(int32x4_t a, int32x4_t b) { LANEWISE(shim_wrap((int64_t)a.lane[i] + b.lane[i])); }
static inline int32x4_t vmaxq_s32(int32x4_t a, int32x4_t b) { LANEWISE(a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]); }
static inline int32x4_t vminq_s32(int32x4_t a, int32x4_t b) { LANEWISE(a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]); }
static inline int32x4_t vshrq_n_s32(int32x4_t a, int by) { LANEWISE(a.lane[i] >> (by < 32 ? by : 31)); }
static inline int32x4_t vqrdmulhq_s32(int32x4_t a, int32x4_t b) { LANEWISE(shim_qrdmulh(a.lane[i], b.lane[i])); }
static inline int32x4_t vqrdmulhq_n_s32(int32x4_t a, int32_t b) { LANEWISE(shim_qrdmulh(a.lane[i], b)); }
static inline int32x4_t vrshlq_s32(int32x4_t a, int32x4_t by) { LANEWISE(shim_rshl(a.lane[i], by.lane[i])); }
static inline int32x4_t vrshlq_n_s32(int32x4_t a, int32_t by) { LANEWISE(shim_rshl(a.lane[i], by)); }

static inline uint32x4_t vreinterpretq_u32_s32(int32x4_t a)
{
    uint32x4_t r;
    for (int i = 0; i < 4; i++) {
        r.lane[i] = (uint32_t)a.lane[i];
    }
    return r;
}

/* 32-bit addresses wrap, so a large unsigned offset is a negative one */
static inline int32x4_t vldrwq_gather_shifted_offset_s32(const int32_t *base, uint32x4_t offset)
{
    LANEWISE(base[(int32_t)offset.lane[i]]);
}

static inline void vstrwq_s32(int32_t *to, int32x4_t v)
{
    for (int i = 0; i < 4; i++) {
        to[i] = v.lane[i];
    }
}

static inline mve_pred16_t vctp32q(uint32_t count) { return (mve_pred16_t)(count < 4 ? (1u << count) - 1u : 15u); }

static inline void vstrbq_p_s32(int8_t *to, int32x4_t v, mve_pred16_t wanted)
{
    for (int i = 0; i < 4; i++) {
        if (wanted >> i & 1) {
            to[i] = (int8_t)v.lane[i];
        }
    }
}

static inline void vstrbq_s32(int8_t *to, int32x4_t v) { vstrbq_p_s32(to, v, 15); }

#endif
