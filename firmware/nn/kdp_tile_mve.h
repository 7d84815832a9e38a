/* The two inner loops of the Helium kernel: where nine tenths of a plan's time goes. */
#ifndef KDP_TILE_MVE_H
#define KDP_TILE_MVE_H

#include <stdint.h>

/* sums [2][4] = weights . x of 4 outputs for 2 candidates.
 *   weights [chunks][4][16], x [chunks][16] each, the second candidate `stride` bytes after the first;
 *   chunks: inputs / 16, > 0 */
void kdp_mve_tile_2(const int8_t *weights, const int8_t *x, int stride, int chunks, int32_t *sums);

/* The same for one candidate: sums [4]. */
void kdp_mve_tile_1(const int8_t *weights, const int8_t *x, int chunks, int32_t *sums);

#endif
