/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Registers of the ESP32-C3 that this board drives (ESP32-C3 Technical Reference Manual, chapter in brackets). */
#ifndef ESP32C3_H
#define ESP32C3_H

#define RTC_CNTL 0x60008000u /* [Low-power Management] */
#define RTC_OPTIONS0 (RTC_CNTL + 0x00u)
#define RTC_RESET_STATE (RTC_CNTL + 0x38u)
#define OPTIONS0_SW_SYS_RST (1u << 31)
#define OPTIONS0_PLL_DOWN ((1u << 10) | (1u << 8) | (1u << 6)) /* the PLL's, its registers', their bus' power */
#define RESET_CAUSE 0x3Fu
#define RESET_BY_MWDT0 0x07u

#define RTC_WDTCONFIG0 (RTC_CNTL + 0x90u) /* [Watchdog Timers] */
#define RTC_WDTWPROTECT (RTC_CNTL + 0xA8u)
#define RTC_SWD_CONF (RTC_CNTL + 0xACu)
#define RTC_SWD_WPROTECT (RTC_CNTL + 0xB0u)
#define SWD_AUTO_FEED (1u << 31)
#define SWD_KEY 0x8F1D312Au
#define WDT_KEY 0x50D83AA1u

#define TIMG0 0x6001F000u
#define TIMG1 0x60020000u
#define TIMG_WDTCONFIG0(group) ((group) + 0x48u)
#define TIMG_WDTCONFIG1(group) ((group) + 0x4Cu)
#define TIMG_WDTCONFIG2(group) ((group) + 0x50u)
#define TIMG_WDTFEED(group) ((group) + 0x60u)
#define TIMG_WDTWPROTECT(group) ((group) + 0x64u)
#define MWDT_ENABLE (1u << 31)
#define MWDT_STAGE0_RESETS_SYSTEM (3u << 29)
#define MWDT_UPDATE (1u << 22)
#define MWDT_FROM_CRYSTAL (1u << 21)
#define MWDT_RESETS_3200_NS ((7u << 18) | (7u << 15))

#define SYSTEM_CPU_PER_CONF 0x600C0008u /* [Reset and Clock] */
#define SYSTEM_SYSCLK_CONF 0x600C0058u
#define CPU_PER_480_BY_3 ((1u << 2) | 1u)
#define CPU_PER_MASK 7u
#define SYSCLK_FROM_CRYSTAL 0u /* / 1 */
#define SYSCLK_FROM_PLL (1u << 10)
#define SYSCLK_MASK 0xFFFu

#define SYSTIMER 0x60023000u /* [System Timer] */
#define SYSTIMER_CONF (SYSTIMER + 0x00u)
#define SYSTIMER_UNIT0_OP (SYSTIMER + 0x04u)
#define SYSTIMER_UNIT0_VALUE_LO (SYSTIMER + 0x44u)
#define SYSTIMER_UNIT0_WORKS (1u << 30)
#define UNIT0_UPDATE (1u << 30)
#define UNIT0_VALID (1u << 29)

#define USB_EP1 0x60043000u /* [USB Serial/JTAG Controller] */
#define USB_EP1_CONF 0x60043004u
#define EP1_WRITTEN (1u << 0)
#define EP1_ROOM (1u << 1)
#define EP1_RECEIVED (1u << 2)

#endif
