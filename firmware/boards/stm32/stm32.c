/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "stm32.h"

#include "board.h"
#include "kdp_cortex_m.h"
#include "kdp_port.h"

static bool watchdog;

void stm32_serial_pins(uint32_t gpio, uint32_t transmit)
{
    uint32_t function = gpio + (transmit < 8u ? 0x20u : 0x24u); /* AFRL, AFRH */
    uint32_t at = 4u * (transmit % 8u);
    KDP_REGISTER(gpio) = (KDP_REGISTER(gpio) & ~(0xFu << (2u * transmit))) | (0xAu << (2u * transmit));
    KDP_REGISTER(gpio + 0x0Cu) |= 1u << (2u * (transmit + 1u));
    KDP_REGISTER(function) = (KDP_REGISTER(function) & ~(0xFFu << at)) | (0x77u << at);
}

void kdp_port_watchdog_start(void *context)
{
    (void)context;
    bool exists = kdp_port_info(context)->clock_source != KDP_CLOCK_EMULATOR;
    if (KDP_WATCHDOG && exists && !watchdog) {
        KDP_REGISTER(KDP_IWDG) = 0xCCCCu; /* start first: its registers run on its own clock */
        watchdog = true;
        stm32_watchdog_patient(false);
    }
}

void stm32_watchdog_patient(bool patient)
{
    if (watchdog) {
        KDP_REGISTER(KDP_IWDG) = 0x5555u;
        KDP_REGISTER(KDP_IWDG + 0x04u) = patient ? 6 : 2;       /* 32 kHz / 256 or / 16 */
        KDP_REGISTER(KDP_IWDG + 0x08u) = patient ? 4000 : 1000; /* 32 s or 0.5 s */
        kdp_wait(KDP_IWDG + 0x0Cu, 3, 0, KDP_START_PATIENCE); /* until both have arrived */
        kdp_port_watchdog_feed(NULL);
    }
}

void kdp_port_watchdog_feed(void *context)
{
    (void)context;
    if (watchdog) {
        KDP_REGISTER(KDP_IWDG) = 0xAAAAu;
    }
}

bool kdp_port_watchdog_running(void *context)
{
    (void)context;
    return watchdog;
}
