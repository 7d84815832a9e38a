/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Where the RP2040 (RP2040 datasheet, section in brackets) has what rp2.c drives. */
#ifndef RP2_CHIP_H
#define RP2_CHIP_H

#define CLOCKS 0x40008000u     /* [2.15] */
#define RESETS 0x4000C000u     /* [2.14] */
#define PSM_WDSEL 0x40010008u  /* [2.13] */
#define IO_BANK0 0x40014000u   /* [2.19] */
#define PADS_BANK0 0x4001C000u /* [2.19] */
#define XOSC 0x40024000u       /* [2.16] */
#define PLL_SYS 0x40028000u    /* [2.18] */
#define UART0 0x40034000u      /* [4.2] */
#define TIMER 0x40054000u      /* [4.6] */
#define WATCHDOG 0x40058000u   /* [4.7] */

#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)
#define RESET_PLL_SYS (1u << 12)
#define RESET_TIMER (1u << 21)
#define RESET_UART0 (1u << 22)

#define WDSEL_ALL_BUT_OSCILLATORS 0x1FFFCu
#define WATCHDOG_COUNTS 2u /* a microsecond: erratum RP2040-E1 */

/* one generator of 1 MHz, of timer and watchdog [4.7] */
#define TICK_GENERATORS 1u
#define TICK_CYCLES(i) (WATCHDOG + 0x2Cu)
#define TICK_ENABLE(i) (WATCHDOG + 0x2Cu)
#define TICK_ENABLED(cycles) ((1u << 9) | (cycles))

#define RING_OSCILLATOR_HZ 6500000u
#define SYSTEM_HZ 125000000u
#define PLL_DIVIDERS ((6u << 16) | (2u << 12)) /* 1500 MHz / 6 / 2 */

#endif
