/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Values that the analysis knows nothing about but their range.
 */
#ifndef KDP_PROVE_ANY_H
#define KDP_PROVE_ANY_H

#include <stddef.h>
#include <stdint.h>

/*@ requires low <= high;
    assigns \result \from low, high;
    ensures low <= \result <= high; */
int64_t any_between(int64_t low, int64_t high);

/*@ assigns \result \from \nothing; */
uint32_t any_u32(void);

/* Finite, from -FLT_MAX to FLT_MAX. */
/*@ assigns \result \from \nothing;
    ensures \is_finite(\result); */
float any_finite(void);

/* Anything but a NaN. */
/*@ assigns \result \from \nothing;
    ensures !\is_NaN(\result); */
float any_number(void);

/* Any bytes. */
/*@ requires \valid((uint8_t *)to + (0 .. size - 1));
    assigns ((uint8_t *)to)[0 .. size - 1] \from \nothing;
    ensures \initialized((uint8_t *)to + (0 .. size - 1)); */
void any_bytes(void *to, size_t size);

#endif
