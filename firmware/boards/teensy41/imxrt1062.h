/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Registers of the i.MX RT1062 that this board drives (IMXRT1060RM, chapter in brackets). */
#ifndef IMXRT1062_H
#define IMXRT1062_H

#define CCM 0x400FC000u /* [CCM] */
#define CCM_CACRR (CCM + 0x10u)
#define CCM_CBCDR (CCM + 0x14u)
#define CCM_CBCMR (CCM + 0x18u)
#define CCM_CSCDR1 (CCM + 0x24u)
#define CCM_CDHIPR (CCM + 0x48u)
#define CCM_CCGR3 (CCM + 0x74u)
#define CCM_CCGR4 (CCM + 0x78u)
#define CCM_CCGR6 (CCM + 0x80u)
#define CBCDR_PERIPH_CLK2 (1u << 25) /* the core runs from PERIPH_CLK2 */
#define CDHIPR_PERIPH2_CLK_SEL (1u << 3)
#define CDHIPR_PERIPH_CLK_SEL (1u << 5)
#define CDHIPR_AHB_PODF (1u << 1)
#define CDHIPR_ARM_PODF (1u << 16)

#define PLL_ARM 0x400D8000u /* [CCM_ANALOG] */
#define PLL_LOCKED (1u << 31)
#define PLL_ENABLED (1u << 13)
#define PLL_OFF (1u << 12)

#define DCDC_REG0 0x40080000u /* [DCDC] */
#define DCDC_REG3 0x4008000Cu
#define DCDC_STABLE (1u << 31)

#define IOMUXC 0x401F8000u                /* [IOMUXC] */
#define MUX_AD_B0_02 (IOMUXC + 0x0C4u)    /* pin 1 of the Teensy */
#define MUX_AD_B0_03 (IOMUXC + 0x0C8u)    /* pin 0 */
#define PAD_AD_B0_02 (IOMUXC + 0x2B4u)
#define PAD_AD_B0_03 (IOMUXC + 0x2B8u)
#define LPUART6_RX_INPUT (IOMUXC + 0x550u)

#define LPUART6 0x40198000u /* [LPUART] */
#define UART_BAUD (LPUART6 + 0x10u)
#define UART_STAT (LPUART6 + 0x14u)
#define UART_CTRL (LPUART6 + 0x18u)
#define UART_DATA (LPUART6 + 0x1Cu)
#define UART_FIFO (LPUART6 + 0x28u)
#define STAT_TDRE (1u << 23)
#define STAT_RDRF (1u << 21)
#define STAT_OR (1u << 19)

#define SRC_SRSR 0x400F8008u /* [SRC] why the chip restarted; cleared by writing ones */
#define RESET_BY_WATCHDOG (1u << 4)

#define WDOG1 0x400B8000u /* [WDOG]; registers of 16 bits */
#define WDOG_WCR (WDOG1 + 0u)
#define WDOG_WSR (WDOG1 + 2u)
#define WDOG_WMCR (WDOG1 + 8u)
#define REGISTER_16(address) (*(volatile uint16_t *)(uintptr_t)(address))

#define MPU_CTRL 0xE000ED94u /* Armv7-M, B3.5 */
#define MPU_RBAR 0xE000ED9Cu
#define MPU_RASR 0xE000EDA0u

#endif
