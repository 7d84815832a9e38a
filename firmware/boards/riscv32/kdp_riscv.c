/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_riscv.h"

#include <stddef.h>

#include "kdp_port.h"

#define MSTATUS_MIE (1u << 3)
#define MIE_EXTERNAL (1u << 11)

void kdp_port_reboot(void *context)
{
    (void)context;
    kdp_restart();
    for (;;) {
    }
}

/* for a board without a receive interrupt to replace */
__attribute__((weak)) void kdp_port_idle(void *context, bool timed)
{
    (void)context;
    if (timed) {
        return; /* asleep, nothing would wake it when the host fell silent */
    }
    /* with interrupts masked a byte that comes between the check and the sleep still wakes it */
    KDP_CSR("csrc mstatus, %0", MSTATUS_MIE);
    if (!kdp_received()) {
        __asm__ volatile("wfi" ::: "memory");
    }
    KDP_CSR("csrs mstatus, %0", MSTATUS_MIE);
}

void kdp_irq_enable(void)
{
    KDP_CSR("csrw mie, %0", MIE_EXTERNAL);
    KDP_CSR("csrs mstatus, %0", MSTATUS_MIE);
}

/* Two bounds: a look takes a cycle at least, so that the wait ends as well where nothing counts. */
bool kdp_wait(uint32_t address, uint32_t mask, uint32_t wanted, uint32_t microseconds)
{
    const kdp_port_info_t *const info = kdp_port_info(NULL);
    const uint32_t ticks = microseconds * (info->tick_hz / 1000000u), start = kdp_port_now(NULL);
    uint32_t looks = microseconds * (info->clock_hz / 1000000u);
    while ((KDP_REGISTER(address) & mask) != wanted) {
        if (looks == 0 || kdp_port_now(NULL) - start > ticks) {
            return false;
        }
        looks--;
    }
    return true;
}
