/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Latents from a counter: the same int8 vectors on every device and on the host.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11)
 * turns (key, counter) into 16 bytes without state; each byte indexes a table of normal quantiles.
 */
#ifndef KDP_LATENTS_H
#define KDP_LATENTS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Replace counter by its Philox4x32-10 block under `key`. */
void kdp_philox4x32(uint32_t counter[4], const uint32_t key[2]);

/*
 * The latents of one plan: int8 [k][size]; candidate 0 is all zeros.
 *
 * table     int8 [256], quantiles in units of the latent inputs
 * key       {seed of the model, episode of the RESET request}
 * plan      how many plans were made since RESET
 */
void kdp_latents(const int8_t table[256], const uint32_t key[2], uint32_t plan, int k, size_t size,
                 int8_t *latents);

#ifdef __cplusplus
}
#endif

#endif
