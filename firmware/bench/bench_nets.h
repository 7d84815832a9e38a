/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* One net for bench_nets.c. Generated beside it: bench_net.h with the sizes, bench_calls.c with this. */
#ifndef BENCH_NETS_H
#define BENCH_NETS_H

#include <stdint.h>

extern const int8_t bench_shared[];   /* [calls][NET_SHARED] */
extern const int8_t bench_columns[];  /* [calls][BENCH_K][NET_COLUMNS] */
extern const int8_t bench_expected[]; /* [calls][BENCH_K][NET_OUTPUTS], from the integer reference */

#endif
