/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Reset, counter and semihosting of the bench on a 32-bit RISC-V core. */
#include "bench.h"
#include "bench_core.h"

void bench_reset(void);

__attribute__((naked, section(".vectors"))) void bench_reset(void)
{
    __asm__ volatile(".option arch, +zicsr\n"
                     "la t0, bench_fault\n"
                     "csrw mtvec, t0\n"
                     "la sp, bench_stack_top\n"
                     "call bench_start\n");
}

/* ---- counter: under QEMU the cycles are virtual nanoseconds, with a fixed -icount shift a fixed number of them
 * an instruction */

void bench_counter_start(void) {}

uint32_t bench_ticks(void)
{
    uint32_t now;
    __asm__ volatile(".option push\n.option arch, +zicsr\ncsrr %0, mcycle\n.option pop" : "=r"(now));
    return now;
}

uint32_t bench_elapsed(uint32_t since)
{
    return bench_ticks() - since;
}

/* ---- semihosting: RISC-V's, whose operations are Arm's */

intptr_t bench_semihosting(intptr_t operation, const void *argument)
{
    register intptr_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".option push\n"
                     ".option norvc\n"
                     ".balign 16\n" /* the three lie in one page */
                     "slli x0, x0, 0x1f\n"
                     "ebreak\n"
                     "srai x0, x0, 7\n"
                     ".option pop\n"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return a0;
}
