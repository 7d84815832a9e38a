/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_cortex_m.h"

#include <stddef.h>

#include "kdp_frame.h"
#include "kdp_port.h"

#define SCB_VTOR 0xE000ED08u
#define SCB_AIRCR 0xE000ED0Cu
#define NVIC_ISER 0xE000E100u
#define DEMCR 0xE000EDFCu
#define DWT_CTRL 0xE0001000u
#define DWT_CYCCNT 0xE0001004u
#define DWT_LAR 0xE0001FB0u
#define SYSTICK 0xE000E010u

/* ---- faults: counted in memory that a restart leaves alone */

#define FAULT_MAGIC 0x4B445046u
#define FAULTS_TOLERATED 3u

static struct {
    uint32_t magic, count;
} faults __attribute__((section(".noinit")));

#define LATCH_MAGIC 0x4B44504Cu

static uint32_t latch[2] __attribute__((section(".noinit"))); /* magic, and its complement */

void kdp_port_keep_latch(void *context, bool latched)
{
    (void)context;
    latch[0] = latched ? LATCH_MAGIC : 0u;
    latch[1] = latched ? ~LATCH_MAGIC : 0u;
}

bool kdp_port_latch_kept(void *context)
{
    (void)context;
    return latch[0] == LATCH_MAGIC && latch[1] == ~LATCH_MAGIC;
}

/* for a board that drives its actuators itself to replace */
__attribute__((weak)) void kdp_port_actuate(void *context, const float *values, uint32_t count)
{
    (void)context;
    (void)values;
    (void)count;
}

void kdp_count_fault(void)
{
    if (faults.magic != FAULT_MAGIC) {
        faults.magic = FAULT_MAGIC;
        faults.count = 0;
    }
    faults.count++;
}

uint32_t kdp_port_faults(void *context)
{
    (void)context;
    return faults.magic == FAULT_MAGIC ? faults.count : 0;
}

void kdp_port_reboot(void *context)
{
    (void)context;
    __asm__ volatile("dsb" ::: "memory");
    KDP_REGISTER(SCB_AIRCR) = 0x05FA0004u; /* SYSRESETREQ */
    for (;;) {
    }
}

/* ---- image: the trailer that `kdp-edge build` fills in (export/build.py has the same layout) */

typedef struct {
    char magic[8];
    char board[24];
    uint8_t model[32];
    uint32_t size; /* of the image, trailer included */
    uint32_t crc;  /* of everything before this field */
} trailer_t;

extern const uint8_t kdp_image_start[];
const volatile trailer_t kdp_trailer __attribute__((section(".trailer"), used)) = {.size = 0};

bool kdp_port_image_ok(void *context)
{
    (void)context;
    size_t size = (size_t)((uintptr_t)&kdp_trailer.crc - (uintptr_t)kdp_image_start);
    if (kdp_trailer.size != size + sizeof kdp_trailer.crc) {
        return false;
    }
    if (kdp_port_faults(context) >= FAULTS_TOLERATED) {
        return false; /* a device that keeps failing must not act: until power is cycled */
    }
    return kdp_crc32(0, kdp_image_start, size) == kdp_trailer.crc;
}

/*
 * ---- receive buffer: the interrupt handler writes head, the main loop writes tail. The bytes are volatile like
 * the two indices, or the compiler could move a byte past the index that gives it away.
 */

#define RING 2048u /* a power of two; two of the longest frames */

static volatile uint8_t ring[RING];
static volatile uint32_t head, tail, drops, overruns;

void kdp_receive(uint8_t byte)
{
    uint32_t at = head;
    if (at - tail < RING) {
        ring[at % RING] = byte;
        head = at + 1;
    } else {
        drops++;
    }
}

void kdp_receive_lost(void)
{
    overruns++;
}

bool kdp_port_read(void *context, uint8_t *byte)
{
    uint32_t at = tail;
    (void)context;
    if (at == head) {
        return false;
    }
    *byte = ring[at % RING];
    tail = at + 1;
    return true;
}

void kdp_port_idle(void *context, bool timed)
{
    (void)context;
    if (timed) {
        return; /* asleep, some cores stop the counter that silence is measured with */
    }
    /* with interrupts masked a byte that comes between the check and the sleep still wakes it */
    __asm__ volatile("cpsid i" ::: "memory");
    if (tail == head) {
        __asm__ volatile("wfi" ::: "memory");
    }
    __asm__ volatile("cpsie i" ::: "memory");
}

uint32_t kdp_port_receive_overruns(void *context)
{
    (void)context;
    return overruns;
}

uint32_t kdp_port_receive_drops(void *context)
{
    (void)context;
    return drops;
}

/* ---- stack: painted by the start-up code, read from below */

extern uint32_t kdp_stack_bottom[], kdp_stack_top[];

uint32_t kdp_port_stack_size(void *context)
{
    (void)context;
    return (uint32_t)((uintptr_t)kdp_stack_top - (uintptr_t)kdp_stack_bottom);
}

uint32_t kdp_port_stack_high_water(void *context)
{
    (void)context;
    const uint32_t *word = kdp_stack_bottom;
    while (word < kdp_stack_top && *word == KDP_STACK_PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)kdp_stack_top - (uintptr_t)word);
}

/* ---- small things */

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
