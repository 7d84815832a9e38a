/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Buffers of kernels that keep a group's activations of one input side by side: the portable and the dual one. A
 * group of 4 candidates is [inputs][4], a single one [inputs]. */
#include "kdp_constant_time.h"

static inline void kdp_tile_pack(const int8_t *from, int size, int inputs, int group, kdp_activation *to)
{
    for (int i = 0; i < inputs; i++) {
        for (int c = 0; c < group; c++) {
            *to++ = i < size ? from[c * size + i] : 0;
        }
    }
}

KDP_INLINE kdp_activation *kdp_tile_at(kdp_activation *buffer, int row, int group)
{
    return buffer + row * group;
}

KDP_INLINE void kdp_tile_store(kdp_activation *at, int group, int candidate, int32_t even, int32_t odd)
{
    at[candidate] = (kdp_activation)even;
    at[group + candidate] = (kdp_activation)odd;
}

KDP_INLINE int32_t kdp_tile_even(const kdp_activation *at, int group, int candidate)
{
    (void)group;
    return at[candidate];
}

KDP_INLINE int32_t kdp_tile_odd(const kdp_activation *at, int group, int candidate)
{
    return at[group + candidate];
}

KDP_INLINE int32_t kdp_high(int32_t a, int32_t b, int32_t c)
{
    return kdp_rounded_product(a, b, c);
}

#if defined(__arm__) && !KDP_THUMB1 /* conditional instructions: no branch */
KDP_INLINE int32_t kdp_clamp_relu(int32_t a)
{
    return a < 0 ? 0 : a > 127 ? 127 : a;
}

KDP_INLINE int32_t kdp_clamp(int32_t a)
{
    return a < -128 ? -128 : a > 127 ? 127 : a;
}
#else
KDP_INLINE int32_t kdp_clamp_relu(int32_t a)
{
    return kdp_limit_bits(a, 127);
}

KDP_INLINE int32_t kdp_clamp(int32_t a)
{
    return kdp_limit_bits(a + 128, 255) - 128;
}
#endif
