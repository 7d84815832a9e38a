/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* One net: the kernel with K candidates as a batch, the same one by one, and what it is measured against. */
#include "bench_nets.h"

#include <string.h>

#include "bench.h"
#include "bench_net.h"

static KDP_ALIGNED uint8_t scratch[NET_SCRATCH(BENCH_K)];
static int8_t out[BENCH_K * NET_OUTPUTS];

void bench_prepare(void)
{
}

static int as_expected(int call)
{
    const int equal = memcmp(out, bench_expected + call * (int)sizeof out, sizeof out) == 0;
    memset(out, 0x55, sizeof out); /* a case that does nothing must not inherit the answer */
    return equal;
}

static void run_batch(int call)
{
    kdp_net_run(&net, bench_shared + call * NET_SHARED, bench_columns + call * BENCH_K * NET_COLUMNS, BENCH_K,
                out, scratch, sizeof scratch);
}

static void run_one_by_one(int call)
{
    const int8_t *const columns = bench_columns + call * BENCH_K * NET_COLUMNS;
    for (int j = 0; j < BENCH_K; j++) {
        kdp_net_run(&net, bench_shared + call * NET_SHARED, columns + j * NET_COLUMNS, 1, out + j * NET_OUTPUTS,
                    scratch, sizeof scratch);
    }
}

#ifdef BENCH_REFERENCE
static void run_reference(int call)
{
    bench_reference(call, out);
}
#endif

#ifdef BENCH_FLOAT32
static void run_float(int call)
{
    (void)call;
    bench_float();
}
#endif

const bench_case bench_cases[] = {
    {"batch", run_batch, as_expected},
    {"one_by_one", run_one_by_one, as_expected},
#ifdef BENCH_REFERENCE
    {"reference", run_reference, as_expected},
#endif
#ifdef BENCH_FLOAT32
    {"float32", run_float, 0},
#endif
};
const int bench_case_count = sizeof bench_cases / sizeof bench_cases[0];
