/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * nRF52840 DK: UART on P0.06 (out) and P0.08 (in), which its probe shows the computer as a serial port.
 * Build options: KDP_BAUD, KDP_WATCHDOG.
 */
#ifndef BOARD_H
#define BOARD_H

#define KDP_UART_IRQ 2
#define KDP_UART_OUT 6u
#define KDP_UART_IN 8u
#ifndef KDP_BAUD
#define KDP_BAUD 921600
#endif
#ifndef KDP_WATCHDOG
#define KDP_WATCHDOG 1 /* watchdog, 2 s; 0: none */
#endif

#endif
