/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* The kernel bench: the same calls through every implementation, counted and compared. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/* ---- one implementation */
typedef struct {
    const char *name;
    void (*run)(int call);
    int (*equal)(int call); /* after run: whether all results equal the integer reference's; null: not compared */
} bench_case;

/* ---- the program: bench_nets.c or bench_plan.c */
extern const bench_case bench_cases[];
extern const int bench_case_count;
extern const int bench_calls;

void bench_prepare(void); /* once, before any case */

void bench_reference(int call, int8_t *out); /* bench_reference.c: TFLite-Micro's reference loop */
void bench_float(void);                      /* bench_float.c: float32 */

/* ---- board: bench_start.c */
void bench_counter_start(void);
uint32_t bench_ticks(void);
uint32_t bench_elapsed(uint32_t since); /* ticks since bench_ticks() returned `since` */
void bench_stack_paint(void);
uint32_t bench_stack_used(void); /* bytes below the caller since bench_stack_paint */

/* ---- semihosting: bench_start.c */
void bench_print(const char *text);
void bench_print_number(int32_t value);
const char *bench_arguments(void); /* 80 bytes, behind the text zeros */
void bench_exit(void) __attribute__((noreturn));

#endif
