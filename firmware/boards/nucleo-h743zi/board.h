/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Nucleo-H743ZI and -H743ZI2 (UM1974, UM2407): USART3 on PD8/PD9 is the ST-LINK's virtual COM port, and the ST-LINK
 * gives the chip its 8 MHz. Chip: RM0433. Build options: KDP_BAUD, KDP_WATCHDOG.
 */
#ifndef BOARD_H
#define BOARD_H

#define KDP_BOARD_NAME "nucleo-h743zi"
#define KDP_HSE_CLOCK 1
#define KDP_UART 3
#ifndef KDP_BAUD
#define KDP_BAUD 921600
#endif
#ifndef KDP_WATCHDOG
#define KDP_WATCHDOG 1 /* independent watchdog, 0.5 s; 0: none */
#endif

#define KDP_IWDG 0x58004800u
#define KDP_UART_IRQ 39

#endif
