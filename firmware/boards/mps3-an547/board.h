/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Arm MPS3, AN547 (Cortex-M55, 32 MHz) */
#ifndef BOARD_H
#define BOARD_H

#define KDP_BOARD_NAME "mps3-an547"
#define KDP_CLOCK_HZ 32000000u
#define KDP_UART_BASE 0x59303000u
#define KDP_UART_IRQ 33
#define KDP_SLOTS_START 0x10040000u
#define KDP_SLOT_BYTES 0x20000u
#ifndef KDP_BAUD
#define KDP_BAUD 921600u
#endif

#endif
