/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* STM32H743/753, reference manual RM0433. Build options: KDP_UART, KDP_BAUD, KDP_WATCHDOG. */
#ifndef BOARD_H
#define BOARD_H

#define KDP_BOARD_NAME "stm32h743"
#define KDP_HSE_CLOCK 0 /* nothing is asked of a board that is not known */
#ifndef KDP_UART
#define KDP_UART 3 /* 1: USART1 on PA9/PA10 · 3: USART3 on PD8/PD9, a Nucleo-144's virtual COM port */
#endif
#ifndef KDP_BAUD
#define KDP_BAUD 921600
#endif
#ifndef KDP_WATCHDOG
#define KDP_WATCHDOG 1 /* independent watchdog, 0.5 s; 0: none */
#endif

#define KDP_IWDG 0x58004800u
#if KDP_UART == 1
#define KDP_UART_IRQ 37
#elif KDP_UART == 3
#define KDP_UART_IRQ 39
#else
#error "KDP_UART must be 1 or 3"
#endif

#endif
