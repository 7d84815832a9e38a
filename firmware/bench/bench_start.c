/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Start-up, instruction counter and semihosting of the bench: runs under QEMU only. */
#include "bench.h"

#include <stddef.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

extern uint32_t bench_stack_bottom[], bench_stack_top[];
extern uint32_t bench_data_start[], bench_data_end[], bench_bss_start[], bench_bss_end[];
extern const uint32_t bench_data_load[];

int main(void);
void bench_reset(void);
void bench_start(void);
void bench_fault(void);

__attribute__((used)) void bench_start(void)
{
    const uint32_t *from = bench_data_load;
    for (uint32_t *to = bench_data_start; to < bench_data_end; to++, from++) {
        *to = *from;
    }
    for (uint32_t *to = bench_bss_start; to < bench_bss_end; to++) {
        *to = 0;
    }
    main();
    bench_exit();
}

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

void bench_fault(void)
{
    bench_print("fault\n");
    bench_exit();
}

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

/* ---- stack: painted below the caller, searched from the bottom */

#define PAINT 0xA5A5A5A5u
#define OWN_FRAME 64u /* bytes that these two functions may use themselves */

static uint32_t *below(void)
{
    uintptr_t sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return (uint32_t *)(sp - OWN_FRAME);
}

__attribute__((noinline)) void bench_stack_paint(void)
{
    for (uint32_t *word = below(); word > bench_stack_bottom;) {
        *--word = PAINT;
    }
}

__attribute__((noinline)) uint32_t bench_stack_used(void)
{
    const uint32_t *word = bench_stack_bottom, *const top = below();
    while (word < top && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)top - (uintptr_t)word) + OWN_FRAME;
}

/* ---- semihosting */

static intptr_t call(intptr_t operation, const void *argument)
{
    register intptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void bench_print(const char *text)
{
    call(0x04, text); /* SYS_WRITE0 */
}

void bench_print_number(int32_t value)
{
    char text[12], *at = text + sizeof text;
    uint32_t left = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    *--at = '\0';
    do {
        *--at = (char)('0' + left % 10u);
        left /= 10u;
    } while (left > 0);
    if (value < 0) {
        *--at = '-';
    }
    bench_print(at);
}

const char *bench_arguments(void)
{
    static char text[80];
    struct {
        char *text;
        size_t size;
    } block = {text, sizeof text - 1};
    return call(0x15, &block) == 0 ? text : ""; /* SYS_GET_CMDLINE */
}

void bench_exit(void)
{
    call(0x18, (const void *)0x20026); /* SYS_EXIT, application exit */
    for (;;) {
    }
}
