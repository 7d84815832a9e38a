/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Where the RP2350 (RP2350 datasheet, section in brackets) has what rp2.c drives. */
#ifndef RP2_CHIP_H
#define RP2_CHIP_H

#define CLOCKS 0x40010000u     /* [8.1] */
#define PSM_WDSEL 0x40018008u  /* [7.4] */
#define RESETS 0x40020000u     /* [7.5] */
#define IO_BANK0 0x40028000u   /* [9.11] */
#define PADS_BANK0 0x40038000u /* [9.11] */
#define XOSC 0x40048000u       /* [8.2] */
#define PLL_SYS 0x40050000u    /* [8.6] */
#define UART0 0x40070000u      /* [12.1] */
#define TIMER 0x400B0000u      /* TIMER0 [12.8] */
#define WATCHDOG 0x400D8000u   /* [12.9] */
#define TICKS 0x40108000u      /* [8.5] */

#define RESET_IO_BANK0 (1u << 6)
#define RESET_PADS_BANK0 (1u << 9)
#define RESET_PLL_SYS (1u << 14)
#define RESET_TIMER (1u << 23)
#define RESET_UART0 (1u << 26)

#define WDSEL_ALL_BUT_OSCILLATORS 0x1FFFFF3u
#define WATCHDOG_COUNTS 1u /* a microsecond */

/* generators of 1 MHz: of TIMER0, and of the watchdog */
#define TICK_GENERATORS 2u
#define TICK_CYCLES(i) (TICKS + 0x1Cu + 0x18u * (i))
#define TICK_ENABLE(i) (TICKS + 0x18u + 0x18u * (i))
#define TICK_ENABLED(cycles) 1u

#define RING_OSCILLATOR_HZ 11000000u
#define SYSTEM_HZ 150000000u
#define PLL_DIVIDERS ((5u << 16) | (2u << 12)) /* 1500 MHz / 5 / 2 */

#endif
