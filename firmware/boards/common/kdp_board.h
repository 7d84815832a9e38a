/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * What every board shares, whatever its core: faults, latch, receive buffer, stack, image.
 *
 * A board folder holds
 *   board.h      KDP_UART_IRQ, the interrupt number of its serial receiver
 *   board.toml   core, compiler flags, memory and build options for `kdp-edge build`
 *   board.c      clocks, serial port, tick counter: the rest of kdp_port.h
 *
 * What a family of cores adds is in cortex_m/.
 */
#ifndef KDP_BOARD_H
#define KDP_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the start-up code fills the stack with. */
#define KDP_STACK_PAINT 0xA5A5A5A5

#define KDP_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/*
 * Wait until (register & mask) == wanted, at most `microseconds`, up to 8 s. Returns whether it came true. The
 * core's family provides it.
 */
bool kdp_wait(uint32_t address, uint32_t mask, uint32_t wanted, uint32_t microseconds);

#define KDP_START_PATIENCE 100000u                       /* for a crystal, a PLL, a regulator */
#define KDP_LINE_PATIENCE (200000000u / KDP_BAUD + 1000u) /* for room for a byte: 20 of them, and a millisecond */

/* The serial receiver's interrupt handler: the board defines it, the family's start-up code leads to it. */
void kdp_uart_irq(void);

/* From the interrupt handler: a received byte, or one that was lost in the UART. */
void kdp_receive(uint8_t byte);
void kdp_receive_lost(void);

/* Whether a byte waits to be read. */
bool kdp_received(void);

/* A restart that was no wish of anybody (a fault, the watchdog); survives restarts. */
void kdp_count_fault(void);

#ifdef __cplusplus
}
#endif

#endif
