/* Runs every case over every call; prints one line a case:
 *     case NAME ticks-min ticks-max equal calls stack
 * With arguments "NAME COUNT" it runs call 0 of that case COUNT times and prints nothing, for
 * counting instructions from outside. */
#include "bench.h"

#include <string.h>

#include "bench_net.h"

static KDP_ALIGNED uint8_t scratch[NET_SCRATCH(BENCH_K)];
static int8_t out[BENCH_K * NET_OUTPUTS];

static const int8_t *shared_of(int call)
{
    return bench_shared + call * NET_SHARED;
}

static const int8_t *columns_of(int call)
{
    return bench_columns + call * BENCH_K * NET_COLUMNS;
}

void bench_kernel(int call, int8_t *to)
{
    kdp_net_run(&net, shared_of(call), columns_of(call), BENCH_K, to, scratch, sizeof scratch);
}

void bench_one_by_one(int call, int8_t *to)
{
    for (int j = 0; j < BENCH_K; j++) {
        kdp_net_run(&net, shared_of(call), columns_of(call) + j * NET_COLUMNS, 1, to + j * NET_OUTPUTS, scratch,
                    sizeof scratch);
    }
}

static const bench_case cases[] = {
    {"kernel", bench_kernel, 1},
    {"one_by_one", bench_one_by_one, 1},
#ifdef BENCH_REFERENCE
    {"reference", bench_reference, 1},
#endif
#ifdef BENCH_FLOAT
    {"float32", bench_float, 0},
#endif
};
enum { CASES = sizeof cases / sizeof cases[0] };

/* What the counter itself costs is taken off. */
static uint32_t ticks_of(const bench_case *which, int call)
{
    uint32_t start = bench_ticks();
    const uint32_t overhead = bench_elapsed(start);
    start = bench_ticks();
    which->run(call, out);
    return bench_elapsed(start) - overhead;
}

static void run_case(const bench_case *which)
{
    uint32_t shortest = UINT32_MAX, longest = 0;
    int equal = 0;
    bench_stack_paint();
    for (int call = 0; call < bench_calls; call++) {
        memset(out, 0x55, sizeof out);
        const uint32_t ticks = ticks_of(which, call);
        shortest = ticks < shortest ? ticks : shortest;
        longest = ticks > longest ? ticks : longest;
        equal += !which->comparable || memcmp(out, bench_expected + call * (int)sizeof out, sizeof out) == 0;
    }
    const uint32_t stack = bench_stack_used();
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
    for (int i = 0; i < CASES; i++) {
        const size_t length = strlen(cases[i].name);
        if (strncmp(text, cases[i].name, length) == 0 && text[length] == ' ') {
            for (int count = text[length + 1] - '0'; count > 0; count--) {
                cases[i].run(0, out);
            }
            return 1;
        }
    }
    return 0;
}

int main(void)
{
    bench_counter_start();
    if (!run_argument(bench_arguments())) {
        for (int i = 0; i < CASES; i++) {
            run_case(&cases[i]);
        }
    }
    return 0;
}
