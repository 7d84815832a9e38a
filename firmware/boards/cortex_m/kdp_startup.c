/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * From reset to main, and the vector table. The stack lies at the bottom of RAM: one that grows
 * too deep runs into a bus fault, not into the variables.
 */
#include <stddef.h>

#include "board.h"
#include "kdp_cortex_m.h"
#include "kdp_port.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

int main(void);

extern uint32_t kdp_stack_bottom[], kdp_stack_top[];
extern uint32_t kdp_data_start[], kdp_data_end[], kdp_bss_start[], kdp_bss_end[];
extern const uint32_t kdp_data_load[];

typedef void (*handler_t)(void);
extern const handler_t kdp_vectors[];

void kdp_reset_handler(void);
void kdp_fault_handler(void);
void kdp_start(void);
void kdp_fault(void);

__attribute__((used)) void kdp_start(void)
{
    const uint32_t *from = kdp_data_load;
    KDP_REGISTER(0xE000ED08u) = (uint32_t)(uintptr_t)kdp_vectors; /* VTOR */
    for (uint32_t *to = kdp_data_start; to < kdp_data_end; to++, from++) {
        *to = *from;
    }
    for (uint32_t *to = kdp_bss_start; to < kdp_bss_end; to++) {
        *to = 0;
    }
    kdp_systick_start(); /* kdp_wait's clock */
    main();
    kdp_port_reboot(NULL);
}

/*
 * Stack pointer, FPU and Helium first (compiled loops may use them), then paint the stack while
 * nothing is on it.
 */
__attribute__((naked)) void kdp_reset_handler(void)
{
    __asm__ volatile(".syntax unified\n"
                     "cpsid i\n"
                     "ldr r0, =kdp_stack_top\n"
                     "msr msp, r0\n"
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
                     "ldr r1, =0xE000ED88\n" /* CPACR: CP10 and CP11 */
                     "ldr r2, [r1]\n"
                     "ldr r3, =0x00F00000\n"
                     "orr r2, r2, r3\n"
                     "str r2, [r1]\n"
                     "dsb\n"
                     "isb\n"
#endif
                     "ldr r1, =kdp_stack_bottom\n"
                     "ldr r2, =" TEXT(KDP_STACK_PAINT) "\n"
                     "1: str r2, [r1]\n"
                     "adds r1, r1, #4\n"
                     "cmp r1, r0\n"
                     "blo 1b\n"
                     "cpsie i\n"
                     "bl kdp_start\n"
                     ".ltorg\n");
}

__attribute__((used)) void kdp_fault(void)
{
    kdp_count_fault();
    kdp_port_reboot(NULL);
}

/* Whatever broke may have been the stack: start with an empty one. */
__attribute__((naked)) void kdp_fault_handler(void)
{
    __asm__ volatile(".syntax unified\n"
                     "ldr r0, =kdp_stack_top\n"
                     "msr msp, r0\n"
                     "bl kdp_fault\n"
                     ".ltorg\n");
}

/* Up to the one interrupt that is ever enabled; every other exception is a fault. */
__attribute__((section(".vectors"), used)) const handler_t kdp_vectors[16 + KDP_UART_IRQ + 1] = {
    (handler_t)(uintptr_t)kdp_stack_top,
    kdp_reset_handler,
    [2 ... 15 + KDP_UART_IRQ] = kdp_fault_handler,
    [16 + KDP_UART_IRQ] = kdp_uart_irq,
};
