/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * QEMU's virt machine: a 16550 serial port, SiFive's interrupt controller, a "test" device that restarts it.
 * Ticks are virtual nanoseconds: what QEMU's cycle counter counts with -icount.
 */
#include "board.h"

#include "kdp_port.h"
#include "kdp_riscv.h"

#define TEST_DEVICE KDP_REGISTER(0x00100000u)
#define PLIC 0x0C000000u
#define PLIC_PRIORITY KDP_REGISTER(PLIC + 4u * KDP_UART_IRQ)
#define PLIC_ENABLE KDP_REGISTER(PLIC + 0x2000u)
#define PLIC_THRESHOLD KDP_REGISTER(PLIC + 0x200000u)
#define PLIC_CLAIM KDP_REGISTER(PLIC + 0x200004u)

#define UART(offset) (*(volatile uint8_t *)(uintptr_t)(KDP_UART_BASE + (offset)))
#define UART_DATA UART(0)
#define UART_INTERRUPTS UART(1)
#define UART_FIFO UART(2)
#define UART_LINE UART(3)
#define UART_STATE UART(5)

enum { STATE_RECEIVED = 1, STATE_OVERRUN = 2, STATE_ROOM = 0x20 };

#define PMP_READ_EXECUTE_UP_TO 0x8Du /* locked, so that it binds machine mode; top of a range; X and R */

extern const uint8_t kdp_image_start[], kdp_flash_end[];

static kdp_port_info_t info = {KDP_BOARD_NAME, KDP_CLOCK_HZ, KDP_TICK_HZ, KDP_CLOCK_EMULATOR};

/* The image lies in RAM: what runs must not write there, and a stack that is too deep ends there. */
static void protect_image(void)
{
    KDP_CSR("csrw pmpaddr0, %0", (uintptr_t)kdp_image_start >> 2);
    KDP_CSR("csrw pmpaddr1, %0", (uintptr_t)kdp_flash_end >> 2);
    KDP_CSR("csrw pmpcfg0, %0", PMP_READ_EXECUTE_UP_TO << 8);
}

void kdp_port_init(void *context)
{
    (void)context;
    protect_image();
    if (KDP_REGISTER(KDP_TOLD_TICK_HZ) != 0) {
        info.tick_hz = KDP_REGISTER(KDP_TOLD_TICK_HZ);
    }
    PLIC_ENABLE = 1u << KDP_UART_IRQ;
    PLIC_THRESHOLD = 0;
    PLIC_PRIORITY = 1;
    UART_LINE = 3; /* 8 bits */
    UART_FIFO = 1;
    UART_INTERRUPTS = 1; /* received; last, because QEMU's controller does not look again when it is enabled */
    kdp_irq_enable();
}

const kdp_port_info_t *kdp_port_info(void *context)
{
    (void)context;
    return &info;
}

void kdp_uart_irq(void)
{
    const uint32_t claimed = PLIC_CLAIM;
    uint8_t state = UART_STATE;
    while (state & STATE_RECEIVED) {
        if (state & STATE_OVERRUN) { /* reading the state cleared it */
            kdp_receive_lost();
        }
        kdp_receive(UART_DATA);
        state = UART_STATE;
    }
    PLIC_CLAIM = claimed;
}

static bool wait_for_room(void)
{
    const uint32_t start = kdp_port_now(NULL);
    while ((UART_STATE & STATE_ROOM) == 0) {
        if (kdp_port_now(NULL) - start > KDP_LINE_PATIENCE * (info.tick_hz / 1000000u)) {
            return false;
        }
    }
    return true;
}

bool kdp_port_write(void *context, const uint8_t *data, size_t size)
{
    size_t sent = 0;
    (void)context;
    while (sent < size && wait_for_room()) {
        UART_DATA = data[sent];
        sent++;
    }
    return sent == size;
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    uint32_t now;
    __asm__ volatile(".option push\n.option arch, +zicsr\ncsrr %0, mcycle\n.option pop" : "=r"(now));
    return now;
}

void kdp_restart(void)
{
    TEST_DEVICE = 0x7777u;
}

void kdp_port_watchdog_start(void *context)
{
    (void)context;
}

void kdp_port_watchdog_feed(void *context)
{
    (void)context;
}

bool kdp_port_watchdog_running(void *context)
{
    (void)context;
    return false;
}
