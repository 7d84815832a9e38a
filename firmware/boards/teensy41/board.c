/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Teensy 4.1, i.MX RT1062, register by register from IMXRT1060RM. The program runs where it lies in flash, with both
 * caches on; variables and stack are in the 128 KiB of DTCM that the chip starts with. Ticks are the core's cycles.
 */
#include "board.h"
#include "imxrt1062.h"
#include "kdp_cortex_m.h"
#include "kdp_port.h"

static kdp_port_info_t info = {"teensy41", 396000000u, 396000000u, KDP_CLOCK_CRYSTAL};
static bool watchdog;

static bool settled(uint32_t handshake)
{
    return kdp_wait(CCM_CDHIPR, handshake, 0, KDP_START_PATIENCE);
}

static void change(uint32_t address, uint32_t mask, uint32_t bits)
{
    KDP_REGISTER(address) = (KDP_REGISTER(address) & ~mask) | bits;
}

/*
 * 24 MHz * 100 / 2 / 2 = 600 MHz at 1.25 V, peripherals at 150 MHz, by way of the crystal's 24 MHz. A step that fails
 * leaves the clock that ran: the boot ROM's 396 MHz, or 24 MHz.
 */
static void start_clock(void)
{
    KDP_REGISTER(CCM_CCGR6) |= 3u << 6; /* clock of the DCDC's registers */
    change(DCDC_REG3, 0x1Fu, (1250u - 800u) / 25u);
    if (!kdp_wait(DCDC_REG0, DCDC_STABLE, DCDC_STABLE, KDP_START_PATIENCE)) {
        return;
    }
    change(CCM_CBCDR, 7u << 27, 0);        /* PERIPH_CLK2 / 1 */
    change(CCM_CBCMR, 3u << 12, 1u << 12); /* PERIPH_CLK2 from the crystal */
    if (!settled(CDHIPR_PERIPH2_CLK_SEL)) {
        return;
    }
    change(CCM_CBCDR, CBCDR_PERIPH_CLK2, CBCDR_PERIPH_CLK2);
    if (!settled(CDHIPR_PERIPH_CLK_SEL)) {
        return;
    }
    info.clock_hz = 24000000u;
    KDP_REGISTER(PLL_ARM) = PLL_OFF;
    KDP_REGISTER(PLL_ARM) = PLL_ENABLED | 100u; /* 24 MHz * 100 / 2 */
    if (!kdp_wait(PLL_ARM, PLL_LOCKED, PLL_LOCKED, KDP_START_PATIENCE)) {
        return;
    }
    KDP_REGISTER(CCM_CACRR) = 1;                     /* / 2 */
    change(CCM_CBCDR, (7u << 10) | (3u << 8), 3u << 8); /* AHB / 1, IPG / 4 */
    change(CCM_CBCMR, 3u << 18, 3u << 18);           /* PRE_PERIPH_CLK from the ARM PLL */
    if (!settled(CDHIPR_ARM_PODF | CDHIPR_AHB_PODF)) {
        return;
    }
    change(CCM_CBCDR, CBCDR_PERIPH_CLK2, 0);
    if (settled(CDHIPR_PERIPH_CLK_SEL)) {
        info.clock_hz = 600000000u;
    }
}

/* A core that looks ahead must not touch external memory that is not there: nothing but the flash may be read. */
static void close_external_memory(void)
{
    static const struct {
        uint32_t start, attributes; /* size as its logarithm - 1 in bits 5..1 */
    } regions[] = {
        {0x60000000u, (1u << 28) | (1u << 16) | (28u << 1) | 1u}, /* 512 MiB, device, no access */
        {0x80000000u, (1u << 28) | (1u << 16) | (28u << 1) | 1u},
        {0x60000000u, (6u << 24) | (1u << 17) | (22u << 1) | 1u}, /* 8 MiB, read only, write-through */
    };
    for (uint32_t i = 0; i < sizeof regions / sizeof regions[0]; i++) {
        KDP_REGISTER(MPU_RBAR) = regions[i].start | (1u << 4) | i;
        KDP_REGISTER(MPU_RASR) = regions[i].attributes;
    }
    KDP_REGISTER(MPU_CTRL) = (1u << 2) | 1u; /* elsewhere as without an MPU */
    __asm__ volatile("dsb\n isb" ::: "memory");
}

/* From the crystal's 24 MHz, whatever the PLLs do: baud = 24 MHz / samples of a bit, 8 to 32, / divider. */
static void start_serial(void)
{
    const uint32_t clock = 24000000u;
    uint32_t divider = (clock / 32u + KDP_BAUD - 1u) / KDP_BAUD;
    uint32_t samples = (clock + KDP_BAUD * divider / 2u) / (KDP_BAUD * divider);
    change(CCM_CSCDR1, 0x3Fu, 1u << 6); /* UART_CLK_SEL: crystal, / 1 */
    KDP_REGISTER(CCM_CCGR3) |= 3u << 6; /* LPUART6 */
    KDP_REGISTER(CCM_CCGR4) |= 3u << 2; /* IOMUXC */
    KDP_REGISTER(MUX_AD_B0_02) = 2;
    KDP_REGISTER(MUX_AD_B0_03) = 2;
    KDP_REGISTER(PAD_AD_B0_02) = (2u << 6) | (6u << 3); /* 100 MHz, 43 ohm */
    KDP_REGISTER(PAD_AD_B0_03) = 0x1F000u; /* Schmitt trigger, pull-up of 22 kohm: no noise from an open wire */
    KDP_REGISTER(LPUART6_RX_INPUT) = 1;
    KDP_REGISTER(UART_CTRL) = 0;
    KDP_REGISTER(UART_BAUD) = ((samples - 1u) << 24) | divider;
    KDP_REGISTER(UART_FIFO) = (1u << 3) | (1u << 7);                                  /* both FIFOs, of four */
    KDP_REGISTER(UART_CTRL) = (1u << 18) | (1u << 19) | (1u << 21) | (1u << 27); /* RE TE RIE ORIE */
    kdp_irq_enable(KDP_UART_IRQ);
}

void kdp_port_init(void *context)
{
    (void)context;
    if (KDP_REGISTER(SRC_SRSR) & RESET_BY_WATCHDOG) {
        kdp_count_fault();
    }
    KDP_REGISTER(SRC_SRSR) = KDP_REGISTER(SRC_SRSR); /* forget the cause of this start */
    REGISTER_16(WDOG_WMCR) = 0;                      /* no power-down of boards that are not fed within 16 s */
    start_clock();
    close_external_memory();
    kdp_caches_start();
    start_serial();
    kdp_cycles_start();
    info.tick_hz = info.clock_hz;
}

const kdp_port_info_t *kdp_port_info(void *context)
{
    (void)context;
    return &info;
}

void kdp_uart_irq(void)
{
    while (KDP_REGISTER(UART_STAT) & STAT_RDRF) {
        kdp_receive((uint8_t)KDP_REGISTER(UART_DATA));
    }
    if (KDP_REGISTER(UART_STAT) & STAT_OR) {
        KDP_REGISTER(UART_STAT) = STAT_OR;
        kdp_receive_lost();
    }
}

bool kdp_port_write(void *context, const uint8_t *data, size_t size)
{
    size_t sent = 0;
    (void)context;
    while (sent < size && kdp_wait(UART_STAT, STAT_TDRE, STAT_TDRE, KDP_LINE_PATIENCE)) {
        KDP_REGISTER(UART_DATA) = data[sent];
        sent++;
    }
    return sent == size;
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    return kdp_cycles_now();
}

void kdp_port_watchdog_start(void *context)
{
    (void)context;
    if (KDP_WATCHDOG && !watchdog) {
        KDP_REGISTER(CCM_CCGR3) |= 3u << 16;
        REGISTER_16(WDOG_WCR) = (1u << 5) | (1u << 4) | (1u << 2) | (1u << 1); /* 0.5 s; not under a debugger */
        watchdog = true;
    }
}

void kdp_port_watchdog_feed(void *context)
{
    (void)context;
    if (watchdog) {
        REGISTER_16(WDOG_WSR) = 0x5555u;
        REGISTER_16(WDOG_WSR) = 0xAAAAu;
    }
}

bool kdp_port_watchdog_running(void *context)
{
    (void)context;
    return watchdog;
}
