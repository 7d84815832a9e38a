/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Buffers of kernels that keep a group's activations of one input side by side: the portable and the dual one. A
 * group of 4 candidates is [inputs][4], a single one [inputs]. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
#define KDP_THUMB1 1
#else
#define KDP_THUMB1 0
#endif

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

#if KDP_THUMB1
/* c + round(a * b / 2^32), halves up; b >= 0. Four multiplications of halves: this core has no longer one. */
KDP_INLINE int32_t kdp_high(int32_t a, int32_t b, int32_t c)
{
    const int32_t a_high = a >> 16, b_high = b >> 16;
    const int32_t a_low = a & 0xFFFF, b_low = b & 0xFFFF;
    const int32_t left = a_high * b_low;
    const uint32_t right = (uint32_t)a_low * (uint32_t)b_high;
    const uint32_t least = (uint32_t)a_low * (uint32_t)b_low;
    const uint32_t carry = (least >> 16) + ((uint32_t)left & 0xFFFFu) + (right & 0xFFFFu) + 0x8000u;
    return c + a_high * b_high + (left >> 16) + (int32_t)(right >> 16) + (int32_t)(carry >> 16);
}
#else
KDP_INLINE int32_t kdp_high(int32_t a, int32_t b, int32_t c)
{
    return c + (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
}
#endif
