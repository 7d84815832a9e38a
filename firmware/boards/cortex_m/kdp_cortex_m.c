/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_cortex_m.h"

#include <stddef.h>

#include "kdp_port.h"

#define SCB_AIRCR 0xE000ED0Cu
#define NVIC_ISER 0xE000E100u
#define DEMCR 0xE000EDFCu
#define DWT_CTRL 0xE0001000u
#define DWT_CYCCNT 0xE0001004u
#define DWT_LAR 0xE0001FB0u
#define SYSTICK 0xE000E010u
#define SCB_CCR 0xE000ED14u
#define CCSIDR 0xE000ED80u
#define CSSELR 0xE000ED84u
#define ICIALLU 0xE000EF50u
#define DCISW 0xE000EF60u

void kdp_port_reboot(void *context)
{
    (void)context;
    __asm__ volatile("dsb" ::: "memory");
    KDP_REGISTER(SCB_AIRCR) = 0x05FA0004u; /* SYSRESETREQ */
    for (;;) {
    }
}

void kdp_port_idle(void *context, bool timed)
{
    (void)context;
    if (timed) {
        return; /* asleep, some cores stop the counter that silence is measured with */
    }
    /* with interrupts masked a byte that comes between the check and the sleep still wakes it */
    __asm__ volatile("cpsid i" ::: "memory");
    if (!kdp_received()) {
        __asm__ volatile("wfi" ::: "memory");
    }
    __asm__ volatile("cpsie i" ::: "memory");
}

bool kdp_wait(uint32_t address, uint32_t mask, uint32_t wanted, uint32_t microseconds)
{
    uint32_t left = microseconds * (kdp_port_info(NULL)->clock_hz / 1000000u);
    uint32_t last = KDP_REGISTER(SYSTICK + 8u);
    while ((KDP_REGISTER(address) & mask) != wanted) {
        uint32_t value = KDP_REGISTER(SYSTICK + 8u); /* counts down, 24 bits */
        uint32_t passed = (last - value) & 0xFFFFFFu;
        passed = passed > 0 ? passed : 1; /* a read takes a cycle, where nothing counts */
        if (passed >= left) {
            return false;
        }
        left -= passed;
        last = value;
    }
    return true;
}

void kdp_irq_enable(uint32_t number)
{
    KDP_REGISTER(NVIC_ISER + 4u * (number / 32u)) = 1u << (number % 32u);
}

bool kdp_cycles_start(void)
{
#if __ARM_ARCH >= 7
    KDP_REGISTER(DEMCR) |= 1u << 24;
    KDP_REGISTER(DWT_LAR) = 0xC5ACCE55u; /* a lock that only some cores have */
    KDP_REGISTER(DWT_CYCCNT) = 0;
    KDP_REGISTER(DWT_CTRL) |= 1u;
    uint32_t before = kdp_cycles_now();
    for (volatile int i = 0; i < 16; i++) {
    }
    return kdp_cycles_now() != before;
#else
    return false;
#endif
}

uint32_t kdp_cycles_now(void)
{
    return KDP_REGISTER(DWT_CYCCNT);
}

void kdp_systick_start(void)
{
    KDP_REGISTER(SYSTICK + 4u) = 0xFFFFFFu; /* reload */
    KDP_REGISTER(SYSTICK + 8u) = 0;
    KDP_REGISTER(SYSTICK) = 5; /* run, core clock, no interrupt */
}

uint32_t kdp_systick_now(void)
{
    static uint32_t ticks, last;
    uint32_t value = KDP_REGISTER(SYSTICK + 8u); /* counts down */
    ticks += (last - value) & 0xFFFFFFu;
    last = value;
    return ticks;
}

void kdp_caches_start(void)
{
    KDP_REGISTER(ICIALLU) = 0;
    KDP_REGISTER(CSSELR) = 0; /* level 1, data */
    uint32_t size = KDP_REGISTER(CCSIDR);
    for (uint32_t set = 0; set <= ((size >> 13) & 0x7FFFu); set++) {
        for (uint32_t way = 0; way <= ((size >> 3) & 0x3FFu); way++) {
            KDP_REGISTER(DCISW) = (set << 5) | (way << 30); /* lines of 32 bytes, four ways */
        }
    }
    __asm__ volatile("dsb\n isb" ::: "memory");
    KDP_REGISTER(SCB_CCR) |= (1u << 16) | (1u << 17);
    __asm__ volatile("dsb\n isb" ::: "memory");
}
