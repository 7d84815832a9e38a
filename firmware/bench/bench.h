/* The kernel bench: the same calls through every implementation, counted and compared. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/* ---- generated: bench_net.h has the sizes, bench_calls.c the calls */
extern const int bench_calls;
extern const int8_t bench_shared[];   /* [calls][shared_size] */
extern const int8_t bench_columns[];  /* [calls][k][column_size] */
extern const int8_t bench_expected[]; /* [calls][k][output_size], from the integer reference */

/* ---- one implementation */
typedef struct {
    const char *name;
    /* evaluate call `call` for BENCH_K candidates; out [k][output_size], or null where it is not int8 */
    void (*run)(int call, int8_t *out);
    int comparable; /* whether `out` must equal bench_expected */
} bench_case;

void bench_kernel(int call, int8_t *out);      /* the kernel, K candidates as a batch */
void bench_one_by_one(int call, int8_t *out);  /* the kernel, K times one candidate */
void bench_reference(int call, int8_t *out);   /* the reference loop of TFLite-Micro */
void bench_float(int call, int8_t *out);       /* float32 */

/* ---- board (bench_start.c) */
void bench_counter_start(void);
uint32_t bench_ticks(void);
uint32_t bench_elapsed(uint32_t since); /* ticks since bench_ticks() returned `since` */
void bench_stack_paint(void);
uint32_t bench_stack_used(void); /* bytes below the caller since bench_stack_paint */

/* ---- semihosting (bench_start.c) */
void bench_print(const char *text);
void bench_print_number(int32_t value);
const char *bench_arguments(void);
void bench_exit(void) __attribute__((noreturn));

#endif
