/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Reset, vectors, counter and semihosting of the bench on a Cortex-M. */
#include "bench.h"
#include "bench_core.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

extern uint32_t bench_stack_top[];

void bench_reset(void);

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
void bench_reset(void)
{
    bench_start();
}
#else
/* Coprocessors 10 and 11 (FPU, Helium) first: compiled loops may use them. */
__attribute__((naked)) void bench_reset(void)
{
    __asm__ volatile("ldr r0, =0xE000ED88\n"
                     "ldr r1, [r0]\n"
                     "orr r1, r1, #0x00F00000\n"
                     "str r1, [r0]\n"
                     "dsb\n"
                     "isb\n"
                     "bl bench_start\n"
                     ".ltorg\n");
}
#endif

typedef void (*handler)(void);
__attribute__((section(".vectors"), used)) static const handler vectors[16] = {
    (handler)(uintptr_t)bench_stack_top,
    bench_reset,
    [2 ... 15] = bench_fault,
};

/* ---- counter: with a fixed -icount shift its ticks are a fixed number of instructions */

#ifdef BENCH_TIM2
#define TIM2 0x40000000u /* STM32F4; under QEMU 1 GHz of virtual time */

void bench_counter_start(void)
{
    REGISTER(TIM2 + 0x28u) = 0;
    REGISTER(TIM2 + 0x2Cu) = 0xFFFFFFFFu;
    REGISTER(TIM2 + 0x14u) = 1;
    REGISTER(TIM2) = 1;
}

uint32_t bench_ticks(void)
{
    return REGISTER(TIM2 + 0x24u);
}

uint32_t bench_elapsed(uint32_t since)
{
    return bench_ticks() - since;
}
#else
#define SYSTICK 0xE000E010u /* counts down, 24 bits */

void bench_counter_start(void)
{
    REGISTER(SYSTICK + 4u) = 0xFFFFFFu;
    REGISTER(SYSTICK + 8u) = 0;
    REGISTER(SYSTICK) = 5;
}

uint32_t bench_ticks(void)
{
    return REGISTER(SYSTICK + 8u);
}

uint32_t bench_elapsed(uint32_t since)
{
    return (since - bench_ticks()) & 0xFFFFFFu;
}
#endif

/* ---- semihosting */

intptr_t bench_semihosting(intptr_t operation, const void *argument)
{
    register intptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
