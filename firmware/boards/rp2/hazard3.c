/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The RP2350's RISC-V core: its interrupt controller, which is registers of the core (RP2350 datasheet, 3.8.6.1),
 * and how it restarts.
 */
#include "board.h"
#include "rp2.h"

/*
 * meiea enables external interrupts, 16 at a time: which 16 say the lowest bits of what is written. There is one
 * interrupt, so nobody asks meinext which it was; it is over when the UART withdraws it.
 */
void rp2_irq_enable(uint32_t number)
{
    KDP_CSR("csrs 0xBE0, %0", (1u << (16u + number % 16u)) | (number / 16u));
    kdp_irq_enable();
}

/*
 * There is no request for a reset as Arm cores have it: the watchdog is told to bite at once. The boot ROM may
 * switch the architecture back on the way, by the watchdog's timer, so what tells a bite from a wish goes first.
 */
void kdp_restart(void)
{
    KDP_REGISTER(SCRATCH) = 0;
    KDP_REGISTER(PSM_WDSEL) = WDSEL_ALL_BUT_OSCILLATORS;
    KDP_REGISTER(WATCHDOG + SET) = 1u << 31;
}
