/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* What the bench's start-up and each family of cores give each other. */
#ifndef BENCH_CORE_H
#define BENCH_CORE_H

#include <stdint.h>

void bench_start(void); /* from a stack to main */
void bench_fault(void);

/* bench_cortex_m.c, bench_riscv32.c: one call of the debugger that QEMU pretends to be */
intptr_t bench_semihosting(intptr_t operation, const void *argument);

#endif
