/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Teensy 4.1: LPUART6 on pin 1 (out) and pin 0 (in), the Teensy's Serial1. Build options: KDP_BAUD, KDP_WATCHDOG. */
#ifndef BOARD_H
#define BOARD_H

#define KDP_UART_IRQ 25
#ifndef KDP_BAUD
#define KDP_BAUD 921600
#endif
#ifndef KDP_WATCHDOG
#define KDP_WATCHDOG 1 /* watchdog, 0.5 s; 0: none */
#endif

#endif
