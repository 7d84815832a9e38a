/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * What every Cortex-M board shares: start-up, vector table, faults, receive buffer, stack, image.
 *
 * A board folder holds
 *   board.h      KDP_UART_IRQ, the interrupt number of its serial receiver
 *   board.toml   compiler flags, memory and build options for `kdp-edge build`
 *   board.c      clocks, serial port, tick counter: the rest of kdp_port.h
 */
#ifndef KDP_CORTEX_M_H
#define KDP_CORTEX_M_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the start-up code fills the stack with. */
#define KDP_STACK_PAINT 0xA5A5A5A5

#define KDP_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/*
 * Wait until (register & mask) == wanted, at most `microseconds`, up to 8 s. Returns whether it came true. The time
 * is SysTick's at the clock of kdp_port_info.
 */
bool kdp_wait(uint32_t address, uint32_t mask, uint32_t wanted, uint32_t microseconds);

#define KDP_START_PATIENCE 100000u                       /* for a crystal, a PLL, a regulator */
#define KDP_LINE_PATIENCE (200000000u / KDP_BAUD + 1000u) /* for room for a byte: 20 of them, and a millisecond */

/* Let interrupt `number` through. */
void kdp_irq_enable(uint32_t number);

/* The serial receiver's interrupt handler: the board defines it, the vector table points to it. */
void kdp_uart_irq(void);

/* From the interrupt handler: a received byte, or one that was lost in the UART. */
void kdp_receive(uint8_t byte);
void kdp_receive_lost(void);

/*
 * Start the core's cycle counter (DWT CYCCNT). Returns whether it counts: not on Cortex-M0 and
 * not under QEMU, where it reads 0.
 */
bool kdp_cycles_start(void);
uint32_t kdp_cycles_now(void);

/*
 * SysTick as a tick counter at the core's clock. It has 24 bits and is widened when it is read:
 * what is timed must take less than 2^24 ticks (0.5 s at 32 MHz).
 */
void kdp_systick_start(void);
uint32_t kdp_systick_now(void);

/* A restart that was no wish of anybody (a fault, the watchdog); survives restarts. */
void kdp_count_fault(void);

#ifdef __cplusplus
}
#endif

#endif
