/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Arm MPS2, AN505 (Cortex-M33, 20 MHz); secure addresses */
#ifndef BOARD_H
#define BOARD_H

#define KDP_BOARD_NAME "mps2-an505"
#define KDP_CLOCK_HZ 20000000u
#define KDP_UART_BASE 0x50200000u
#define KDP_UART_IRQ 32
#define KDP_SLOTS_START 0x10380000u
#define KDP_SLOT_BYTES 0x40000u
#ifndef KDP_BAUD
#define KDP_BAUD 921600u
#endif

#endif
