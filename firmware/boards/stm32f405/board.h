/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* STM32F405/407, reference manual RM0090. Build options: KDP_UART, KDP_BAUD, KDP_HSE_MHZ, KDP_WATCHDOG. */
#ifndef BOARD_H
#define BOARD_H

#ifndef KDP_UART
#define KDP_UART 1 /* 1: USART1 on PA9/PA10 · 2: USART2 on PA2/PA3, a Nucleo's virtual COM port */
#endif
#ifndef KDP_BAUD
#define KDP_BAUD 921600
#endif
#ifndef KDP_HSE_MHZ
#define KDP_HSE_MHZ 8 /* crystal, 4 to 26 */
#endif
#ifndef KDP_WATCHDOG
#define KDP_WATCHDOG 1 /* independent watchdog, 0.5 s; 0: none */
#endif

#define KDP_IWDG 0x40003000u
#if KDP_UART == 1
#define KDP_UART_IRQ 37
#elif KDP_UART == 2
#define KDP_UART_IRQ 38
#else
#error "KDP_UART must be 1 or 2"
#endif

#endif
