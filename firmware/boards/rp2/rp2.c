/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * RP2040 and RP2350, register by register from their datasheets; board.h names the chip's header. Ticks are
 * microseconds of the system timer.
 */
#include "board.h"
#include "kdp_port.h"
#include "rp2.h"

enum { FR_RX_EMPTY = 1 << 4, FR_TX_FULL = 1 << 5, DR_OVERRUN = 1 << 11 };

/*
 * The boot ROM restarts by the watchdog, too, after a UF2 file: what tells a program of ours that hung is this
 * in the watchdog's first scratch register, which outlives a restart.
 */
#define WATCHDOG_RUNS 0x4B445057u

static kdp_port_info_t info = {KDP_BOARD_NAME, RING_OSCILLATOR_HZ, 1000000u, KDP_CLOCK_INTERNAL};
static bool watchdog;

static void release(uint32_t blocks)
{
    KDP_REGISTER(RESETS + CLEAR) = blocks;
    kdp_wait(RESETS + 0x08u, blocks, blocks, KDP_START_PATIENCE);
}

/* Crystal 12 MHz, PLL 1500 MHz; the ring oscillator goes on where one does not come up. */
static void start_clock(void)
{
    KDP_REGISTER(XOSC + 0x0Cu) = 47; /* 1 ms to settle */
    KDP_REGISTER(XOSC) = 0xFABAA0u;
    if (!kdp_wait(XOSC + 0x04u, 1u << 31, 1u << 31, KDP_START_PATIENCE)) {
        return;
    }
    KDP_REGISTER(CLOCKS + 0x30u) = 2; /* reference clock from the crystal */
    if (!kdp_wait(CLOCKS + 0x38u, 4, 4, KDP_START_PATIENCE)) {
        return;
    }
    KDP_REGISTER(CLOCKS + 0x3Cu + CLEAR) = 1; /* system clock from the reference */
    if (!kdp_wait(CLOCKS + 0x44u, 1, 1, KDP_START_PATIENCE)) {
        return;
    }
    info.clock_source = KDP_CLOCK_CRYSTAL;
    info.clock_hz = 12000000u;
    for (uint32_t i = 0; i < TICK_GENERATORS; i++) { /* 1 MHz for timer and watchdog */
        KDP_REGISTER(TICK_CYCLES(i)) = 12;
        KDP_REGISTER(TICK_ENABLE(i)) = TICK_ENABLED(12u);
    }
    KDP_REGISTER(CLOCKS + 0x3Cu) = 0; /* and the PLL as the other choice, now that nobody uses it */
    KDP_REGISTER(PLL_SYS) = 1;
    KDP_REGISTER(PLL_SYS + 0x08u) = 125;
    KDP_REGISTER(PLL_SYS + 0x04u + CLEAR) = (1u << 0) | (1u << 5); /* power for PLL and VCO */
    if (!kdp_wait(PLL_SYS, 1u << 31, 1u << 31, KDP_START_PATIENCE)) {
        return;
    }
    KDP_REGISTER(PLL_SYS + 0x0Cu) = PLL_DIVIDERS;
    KDP_REGISTER(PLL_SYS + 0x04u + CLEAR) = 1u << 3; /* power for the dividers */
    KDP_REGISTER(CLOCKS + 0x3Cu) = 1;
    if (kdp_wait(CLOCKS + 0x44u, 2, 2, KDP_START_PATIENCE)) {
        info.clock_hz = SYSTEM_HZ;
    }
}

static void start_serial(void)
{
    uint32_t divider = (4u * info.clock_hz + KDP_BAUD / 2u) / KDP_BAUD; /* in 1/64 */
    KDP_REGISTER(CLOCKS + 0x48u) = 1u << 11;                            /* peripherals run at the system clock */
    KDP_REGISTER(IO_BANK0 + 0x04u) = 2;                                 /* GP0 and GP1 belong to the UART */
    KDP_REGISTER(IO_BANK0 + 0x0Cu) = 2;
    KDP_REGISTER(PADS_BANK0 + 0x04u) = 0x52; /* 4 mA, Schmitt trigger, input; an RP2350's no longer isolated */
    KDP_REGISTER(PADS_BANK0 + 0x08u) = 0x5A; /* and a pull-up: no noise from an open wire */
    KDP_REGISTER(UART0 + 0x24u) = divider / 64u;
    KDP_REGISTER(UART0 + 0x28u) = divider % 64u;
    KDP_REGISTER(UART0 + 0x2Cu) = (3u << 5) | (1u << 4); /* 8 bits, FIFO */
    KDP_REGISTER(UART0 + 0x34u) = 0;                     /* interrupt as early as it can */
    KDP_REGISTER(UART0 + 0x38u) = (1u << 4) | (1u << 6); /* receive, and receive time-out */
    KDP_REGISTER(UART0 + 0x30u) = 1u | (1u << 8) | (1u << 9);
    rp2_irq_enable(KDP_UART_IRQ);
}

void kdp_port_init(void *context)
{
    (void)context;
    KDP_REGISTER(RESETS + CLEAR) = RESET_TIMER; /* first: a wait may read it */
    if ((KDP_REGISTER(WATCHDOG + 0x08u) & 1u) != 0 && KDP_REGISTER(SCRATCH) == WATCHDOG_RUNS) {
        kdp_count_fault(); /* the last start was the watchdog's */
    }
    KDP_REGISTER(SCRATCH) = 0;
    KDP_REGISTER(WATCHDOG + CLEAR) = 1u << 30; /* a restart of the core alone leaves it running */
    release(RESET_IO_BANK0 | RESET_PADS_BANK0 | RESET_PLL_SYS | RESET_TIMER);
    start_clock();
    release(RESET_UART0); /* once its clock runs */
    start_serial();
}

const kdp_port_info_t *kdp_port_info(void *context)
{
    (void)context;
    return &info;
}

void kdp_uart_irq(void)
{
    while (!(KDP_REGISTER(UART0 + 0x18u) & FR_RX_EMPTY)) {
        uint32_t data = KDP_REGISTER(UART0);
        kdp_receive((uint8_t)data);
        if (data & DR_OVERRUN) {
            kdp_receive_lost();
        }
    }
    KDP_REGISTER(UART0 + 0x44u) = (1u << 4) | (1u << 6);
}

bool kdp_port_write(void *context, const uint8_t *data, size_t size)
{
    size_t sent = 0;
    (void)context;
    while (sent < size && kdp_wait(UART0 + 0x18u, FR_TX_FULL, 0, KDP_LINE_PATIENCE)) {
        KDP_REGISTER(UART0) = data[sent];
        sent++;
    }
    return sent == size;
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    return KDP_REGISTER(TIMER + 0x28u);
}

void kdp_port_watchdog_start(void *context)
{
    (void)context;
    if (KDP_WATCHDOG && !watchdog) {
        KDP_REGISTER(PSM_WDSEL) = WDSEL_ALL_BUT_OSCILLATORS;
        KDP_REGISTER(SCRATCH) = WATCHDOG_RUNS;
        watchdog = true;
        kdp_port_watchdog_feed(context);
        KDP_REGISTER(WATCHDOG) = 1u << 30;
    }
}

void kdp_port_watchdog_feed(void *context)
{
    (void)context;
    if (watchdog) {
        KDP_REGISTER(WATCHDOG + 0x04u) = 500000u * WATCHDOG_COUNTS; /* 0.5 s */
    }
}

bool kdp_port_watchdog_running(void *context)
{
    (void)context;
    return watchdog;
}
