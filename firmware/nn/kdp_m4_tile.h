/* The two inner loops of the M4 kernel: where nine tenths of a plan's time goes. */
#ifndef KDP_M4_TILE_H
#define KDP_M4_TILE_H

#include <stdint.h>

/* 256 times the sums of 2 outputs for 4 candidates: sums [2][4].
 *   weights [quads][2] words, x [quads][2][4] words as described in kdp_kernel_m4.c;
 *   quads: inputs / 4, even, > 0 */
void kdp_m4_tile_4(const int8_t *weights, const int16_t *x, int quads, int32_t *sums);

/* The same for one candidate: x [quads][2] words, sums [2]. */
void kdp_m4_tile_1(const int8_t *weights, const int16_t *x, int quads, int32_t *sums);

#endif
