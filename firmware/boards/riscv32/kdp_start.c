/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * From reset to main, and traps. The stack lies at the bottom of RAM: one that grows too deep runs into a fault,
 * not into the variables.
 */
#include <stddef.h>

#include "kdp_port.h"
#include "kdp_riscv.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define CSR_INSTRUCTIONS ".option arch, +zicsr\n"
#define EMPTY_STACK "la t0, kdp_initial_stack\nlw sp, 0(t0)\n"

int main(void);

extern uint32_t kdp_stack_top[];
extern uint32_t kdp_data_start[], kdp_data_end[], kdp_bss_start[], kdp_bss_end[];
extern const uint32_t kdp_data_load[];

void kdp_reset_handler(void);
void kdp_trap_handler(void);
void kdp_fault_handler(void);
void kdp_start(void);
void kdp_fault(void);

extern const uint32_t *const kdp_initial_stack;
__attribute__((used)) const uint32_t *const kdp_initial_stack = kdp_stack_top;

__attribute__((used)) void kdp_start(void)
{
    const uint32_t *from = kdp_data_load;
    for (uint32_t *to = kdp_data_start; to < kdp_data_end; to++, from++) {
        *to = *from;
    }
    for (uint32_t *to = kdp_bss_start; to < kdp_bss_end; to++) {
        *to = 0;
    }
    main();
    kdp_port_reboot(NULL);
}

/* Paints the stack while nothing is on it. */
__attribute__((naked, section(".vectors"))) void kdp_reset_handler(void)
{
    __asm__ volatile(CSR_INSTRUCTIONS
                     "csrci mstatus, 8\n"
                     "la t0, kdp_trap_handler\n"
                     "csrw mtvec, t0\n" EMPTY_STACK
                     "la t1, kdp_stack_bottom\n"
                     "li t2, " TEXT(KDP_STACK_PAINT) "\n"
                     "1: sw t2, 0(t1)\n"
                     "addi t1, t1, 4\n"
                     "bltu t1, sp, 1b\n"
                     "call kdp_start\n");
}

__attribute__((used)) void kdp_fault(void)
{
    kdp_count_fault();
    kdp_port_reboot(NULL);
}

/* Whatever broke may have been the stack: start with an empty one. */
__attribute__((naked, used)) void kdp_fault_handler(void)
{
    __asm__ volatile(EMPTY_STACK "call kdp_fault\n");
}

/*
 * The serial receiver's interrupt. Every exception is a fault, and nothing is stacked before that is known. Aligned as
 * cores want it that have a vector for each interrupt, of which the first is taken by exceptions.
 */
__attribute__((naked, used, aligned(256))) void kdp_trap_handler(void)
{
    __asm__ volatile(CSR_INSTRUCTIONS
                     "csrw mscratch, t0\n"
                     "csrr t0, mcause\n"
                     "bgez t0, kdp_fault_handler\n"
                     "csrr t0, mscratch\n"
                     "addi sp, sp, -64\n"
                     "sw ra, 0(sp)\n" "sw t0, 4(sp)\n" "sw t1, 8(sp)\n" "sw t2, 12(sp)\n"
                     "sw t3, 16(sp)\n" "sw t4, 20(sp)\n" "sw t5, 24(sp)\n" "sw t6, 28(sp)\n"
                     "sw a0, 32(sp)\n" "sw a1, 36(sp)\n" "sw a2, 40(sp)\n" "sw a3, 44(sp)\n"
                     "sw a4, 48(sp)\n" "sw a5, 52(sp)\n" "sw a6, 56(sp)\n" "sw a7, 60(sp)\n"
                     "call kdp_uart_irq\n"
                     "lw ra, 0(sp)\n" "lw t0, 4(sp)\n" "lw t1, 8(sp)\n" "lw t2, 12(sp)\n"
                     "lw t3, 16(sp)\n" "lw t4, 20(sp)\n" "lw t5, 24(sp)\n" "lw t6, 28(sp)\n"
                     "lw a0, 32(sp)\n" "lw a1, 36(sp)\n" "lw a2, 40(sp)\n" "lw a3, 44(sp)\n"
                     "lw a4, 48(sp)\n" "lw a5, 52(sp)\n" "lw a6, 56(sp)\n" "lw a7, 60(sp)\n"
                     "addi sp, sp, 64\n"
                     "mret\n");
}
