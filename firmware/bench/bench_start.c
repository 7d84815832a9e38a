/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Start-up, stack and semihosting of the bench: runs under QEMU only. */
#include "bench_core.h"

#include <stddef.h>

#include "bench.h"

extern uint32_t bench_stack_bottom[];
extern uint32_t bench_data_start[], bench_data_end[], bench_bss_start[], bench_bss_end[];
extern const uint32_t bench_data_load[];

int main(void);

void bench_start(void)
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

void bench_fault(void)
{
    bench_print("fault\n");
    bench_exit();
}

/* ---- stack: painted below the caller, searched from the bottom */

#define PAINT 0xA5A5A5A5u
#define OWN_FRAME 64u /* bytes that these two functions may use themselves */

register uintptr_t stack_pointer __asm__("sp");

static uint32_t *below(void)
{
    return (uint32_t *)(stack_pointer - OWN_FRAME);
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

void bench_print(const char *text)
{
    bench_semihosting(0x04, text); /* SYS_WRITE0 */
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
    static char text[80]; /* stays empty when there are none */
    struct {
        char *text;
        size_t size;
    } block = {text, sizeof text - 1};
    (void)bench_semihosting(0x15, &block); /* SYS_GET_CMDLINE */
    return text;
}

void bench_exit(void)
{
    bench_semihosting(0x18, (const void *)0x20026); /* SYS_EXIT, application exit */
    for (;;) {
    }
}
