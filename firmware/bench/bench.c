/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Runs every case over every call; prints one line a case:
 *     case NAME ticks-min ticks-max equal calls stack
 * With arguments "NAME COUNT" it runs call 0 of that case COUNT times (0 to 9) and prints nothing, for
 * counting instructions from outside. */
#include "bench.h"

#include <string.h>

/* What the counter itself costs is taken off. */
static uint32_t ticks_of(const bench_case *which, int call)
{
    uint32_t start = bench_ticks();
    const uint32_t overhead = bench_elapsed(start);
    start = bench_ticks();
    which->run(call);
    return bench_elapsed(start) - overhead;
}

static void run_case(const bench_case *which)
{
    uint32_t shortest = UINT32_MAX, longest = 0, stack = 0;
    int equal = 0;
    for (int call = 0; call < bench_calls; call++) {
        bench_stack_paint();
        const uint32_t ticks = ticks_of(which, call), used = bench_stack_used();
        shortest = ticks < shortest ? ticks : shortest;
        longest = ticks > longest ? ticks : longest;
        stack = used > stack ? used : stack;
        equal += which->equal == 0 || which->equal(call);
    }
    const int32_t numbers[] = {(int32_t)shortest, (int32_t)longest, equal, bench_calls, (int32_t)stack};
    bench_print("case ");
    bench_print(which->name);
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        bench_print(" ");
        bench_print_number(numbers[i]);
    }
    bench_print("\n");
}

/* "NAME COUNT": returns whether there were arguments. */
static int run_argument(const char *text)
{
    for (int i = 0; i < bench_case_count; i++) {
        const size_t length = strlen(bench_cases[i].name);
        if (memcmp(text, bench_cases[i].name, length) == 0 && text[length] == ' ') {
            for (int count = text[length + 1] - '0'; count > 0; count--) {
                bench_cases[i].run(0);
            }
            return 1;
        }
    }
    return 0;
}

int main(void)
{
    bench_counter_start();
    bench_prepare();
    if (!run_argument(bench_arguments())) {
        for (int i = 0; i < bench_case_count; i++) {
            run_case(&bench_cases[i]);
        }
    }
    return 0;
}
