/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Arm MPS2, AN386 (Cortex-M4 without FPU, 25 MHz) */
#ifndef BOARD_H
#define BOARD_H

#define KDP_BOARD_NAME "mps2-an386"
#define KDP_CLOCK_HZ 25000000u
#define KDP_UART_BASE 0x40004000u
#define KDP_UART_IRQ 0
#define KDP_SLOTS_START 0x380000u
#define KDP_SLOT_BYTES 0x40000u
#ifndef KDP_BAUD
#define KDP_BAUD 921600u
#endif

#endif
