/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Registers of the nRF52840 that this board drives (nRF52840 Product Specification, chapter in brackets). */
#ifndef NRF52840_H
#define NRF52840_H

#define CLOCK 0x40000000u /* [CLOCK] */
#define HFCLKSTART (CLOCK + 0x000u)
#define HFCLKSTAT (CLOCK + 0x40Cu)
#define HFCLK_CRYSTAL_RUNS ((1u << 16) | 1u)

#define RESETREAS 0x40000400u /* [POWER]; cleared by writing ones */
#define RESET_BY_WATCHDOG (1u << 1)
#define APPROTECT_DISABLE 0x40000558u /* [CTRL-AP]; of later revisions, ignored by earlier ones */
#define UICR_APPROTECT 0x10001208u    /* [UICR] */

#define GPIO_OUTSET 0x50000508u /* [GPIO], port 0 */
#define GPIO_PIN_CNF(pin) (0x50000700u + 4u * (pin))
#define PIN_OUTPUT 3u               /* input buffer disconnected */
#define PIN_INPUT_PULLED_UP (3u << 2)

#define UART 0x40002000u /* [UART]: one byte at a time, a FIFO of six */
#define UART_STARTRX (UART + 0x000u)
#define UART_STARTTX (UART + 0x008u)
#define UART_RXDRDY (UART + 0x108u)
#define UART_TXDRDY (UART + 0x11Cu)
#define UART_ERROR (UART + 0x124u)
#define UART_INTENSET (UART + 0x304u)
#define UART_ERRORSRC (UART + 0x480u)
#define UART_ENABLE (UART + 0x500u)
#define UART_PSEL_TXD (UART + 0x50Cu)
#define UART_PSEL_RXD (UART + 0x514u)
#define UART_RXD (UART + 0x518u)
#define UART_TXD (UART + 0x51Cu)
#define UART_BAUDRATE (UART + 0x524u)

#define TIMER 0x40008000u /* [TIMER], TIMER0 */
#define TIMER_START (TIMER + 0x000u)
#define TIMER_CAPTURE (TIMER + 0x040u)
#define TIMER_BITMODE (TIMER + 0x508u)
#define TIMER_PRESCALER (TIMER + 0x510u)
#define TIMER_CC (TIMER + 0x540u)

#define WDT 0x40010000u /* [WDT] */
#define WDT_START (WDT + 0x000u)
#define WDT_RUNSTATUS (WDT + 0x400u)
#define WDT_CRV (WDT + 0x504u)
#define WDT_CONFIG (WDT + 0x50Cu)
#define WDT_RR0 (WDT + 0x600u)
#define WDT_RELOAD 0x6E524635u

#define NVMC 0x4001E000u /* [NVMC] */
#define NVMC_READY (NVMC + 0x400u)
#define NVMC_CONFIG (NVMC + 0x504u)
#define NVMC_ERASEPAGE (NVMC + 0x508u)
#define NVMC_ICACHECNF (NVMC + 0x540u)

#endif
