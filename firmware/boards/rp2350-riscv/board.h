/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* RP2350 on its RISC-V cores, wired as the rp2350. Build options: KDP_BAUD, KDP_WATCHDOG. */
#ifndef BOARD_H
#define BOARD_H

#include "rp2350.h"

#define KDP_BOARD_NAME "rp2350-riscv"
#define KDP_UART_IRQ 33
#ifndef KDP_BAUD
#define KDP_BAUD 921600
#endif
#ifndef KDP_WATCHDOG
#define KDP_WATCHDOG 1 /* watchdog, 0.5 s; 0: none */
#endif

#endif
