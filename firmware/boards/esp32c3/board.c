/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * ESP32-C3, register by register from its Technical Reference Manual. The boot ROM copies the image from flash to SRAM
 * and jumps there; no second bootloader, no flash afterwards. The link is the chip's own USB-serial bridge, asked and
 * not interrupted: while nobody takes what lies in its 64 bytes, USB holds the host back, so that nothing is lost.
 * Ticks are the system timer's, 16 MHz from the crystal, whatever the core runs at.
 */
#include "board.h"

#include "esp32c3.h"
#include "kdp_port.h"
#include "kdp_riscv.h"

#define USB_PATIENCE 20000u /* microseconds for the host to fetch a packet; it asks every millisecond at most */
#define PACKET 63u          /* bytes: one that is full, 64, is not yet the end for the host */
#define RECEIVED_AT_ONCE 64u
#define LOOKS 64u

#define PMP_READ_UP_TO 0x89u         /* locked, so that it binds machine mode; top of a range; R */
#define PMP_READ_EXECUTE_UP_TO 0x8Du /* the same; X and R */

extern const uint8_t kdp_image_start[], kdp_flash_end[], kdp_code_start[], kdp_code_end[];

static kdp_port_info_t info = {"esp32c3", 40000000u, 16000000u, KDP_CLOCK_CRYSTAL};
static bool watchdog;

static void change(uint32_t address, uint32_t mask, uint32_t bits)
{
    KDP_REGISTER(address) = (KDP_REGISTER(address) & ~mask) | bits;
}

/* The image is in RAM, at two addresses: what runs must not write there, and a stack that is too deep ends there. */
static void protect_image(void)
{
    KDP_CSR("csrw pmpaddr0, %0", (uintptr_t)kdp_image_start >> 2);
    KDP_CSR("csrw pmpaddr1, %0", (uintptr_t)kdp_flash_end >> 2);
    KDP_CSR("csrw pmpaddr2, %0", (uintptr_t)kdp_code_start >> 2);
    KDP_CSR("csrw pmpaddr3, %0", (uintptr_t)kdp_code_end >> 2);
    KDP_CSR("csrw pmpcfg0, %0", (PMP_READ_UP_TO << 8) | (PMP_READ_EXECUTE_UP_TO << 24));
}

static void set_group_watchdog(uint32_t group, uint32_t bits)
{
    KDP_REGISTER(TIMG_WDTWPROTECT(group)) = WDT_KEY;
    KDP_REGISTER(TIMG_WDTCONFIG1(group)) = 40000u << 16; /* milliseconds of the crystal's 40 MHz */
    KDP_REGISTER(TIMG_WDTCONFIG2(group)) = 500;
    KDP_REGISTER(TIMG_WDTCONFIG0(group)) = bits;
    KDP_REGISTER(TIMG_WDTCONFIG0(group)) = bits | MWDT_UPDATE;
    KDP_REGISTER(TIMG_WDTFEED(group)) = 1;
    KDP_REGISTER(TIMG_WDTWPROTECT(group)) = 0;
}

/* The boot ROM leaves watchdogs that wait for a second bootloader. */
static void stop_boot_watchdogs(void)
{
    set_group_watchdog(TIMG0, 0);
    set_group_watchdog(TIMG1, 0);
    KDP_REGISTER(RTC_WDTWPROTECT) = WDT_KEY;
    KDP_REGISTER(RTC_WDTCONFIG0) = 0;
    KDP_REGISTER(RTC_WDTWPROTECT) = 0;
    KDP_REGISTER(RTC_SWD_WPROTECT) = SWD_KEY;
    KDP_REGISTER(RTC_SWD_CONF) |= SWD_AUTO_FEED; /* of the analog part; it cannot be stopped */
    KDP_REGISTER(RTC_SWD_WPROTECT) = 0;
}

/* The PLL's 480 MHz / 3, if the boot ROM left it on, as it does for USB; else the crystal's 40 MHz. */
static void start_clock(void)
{
    if (KDP_REGISTER(RTC_OPTIONS0) & OPTIONS0_PLL_DOWN) {
        change(SYSTEM_SYSCLK_CONF, SYSCLK_MASK, SYSCLK_FROM_CRYSTAL);
        return;
    }
    change(SYSTEM_CPU_PER_CONF, CPU_PER_MASK, CPU_PER_480_BY_3);
    change(SYSTEM_SYSCLK_CONF, SYSCLK_MASK, SYSCLK_FROM_PLL);
    info.clock_hz = 160000000u;
}

void kdp_port_init(void *context)
{
    (void)context;
    stop_boot_watchdogs();
    if ((KDP_REGISTER(RTC_RESET_STATE) & RESET_CAUSE) == RESET_BY_MWDT0) {
        kdp_count_fault();
    }
    protect_image();
    start_clock();
    KDP_REGISTER(SYSTIMER_CONF) |= SYSTIMER_UNIT0_WORKS;
}

const kdp_port_info_t *kdp_port_info(void *context)
{
    (void)context;
    return &info;
}

/* Called when the receive buffer is empty, so that a packet always fits. */
void kdp_uart_irq(void)
{
    for (uint32_t i = 0; i < RECEIVED_AT_ONCE && (KDP_REGISTER(USB_EP1_CONF) & EP1_RECEIVED); i++) {
        kdp_receive((uint8_t)KDP_REGISTER(USB_EP1));
    }
}

void kdp_port_idle(void *context, bool timed)
{
    (void)context;
    (void)timed;
    kdp_uart_irq();
}

bool kdp_port_write(void *context, const uint8_t *data, size_t size)
{
    size_t sent = 0;
    (void)context;
    while (sent < size) {
        if (!kdp_wait(USB_EP1_CONF, EP1_ROOM, EP1_ROOM, USB_PATIENCE)) {
            return false;
        }
        const size_t end = size - sent > PACKET ? sent + PACKET : size;
        for (; sent < end; sent++) {
            KDP_REGISTER(USB_EP1) = data[sent];
        }
        KDP_REGISTER(USB_EP1_CONF) = EP1_WRITTEN;
    }
    return true;
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    KDP_REGISTER(SYSTIMER_UNIT0_OP) = UNIT0_UPDATE;
    for (uint32_t i = 0; i < LOOKS && (KDP_REGISTER(SYSTIMER_UNIT0_OP) & UNIT0_VALID) == 0; i++) {
    }
    return KDP_REGISTER(SYSTIMER_UNIT0_VALUE_LO);
}

void kdp_restart(void)
{
    KDP_REGISTER(RTC_OPTIONS0) |= OPTIONS0_SW_SYS_RST;
}

void kdp_port_watchdog_start(void *context)
{
    (void)context;
    if (KDP_WATCHDOG && !watchdog) {
        set_group_watchdog(
            TIMG0, MWDT_ENABLE | MWDT_STAGE0_RESETS_SYSTEM | MWDT_FROM_CRYSTAL | MWDT_RESETS_3200_NS);
        watchdog = true;
    }
}

void kdp_port_watchdog_feed(void *context)
{
    (void)context;
    if (watchdog) {
        KDP_REGISTER(TIMG_WDTWPROTECT(TIMG0)) = WDT_KEY;
        KDP_REGISTER(TIMG_WDTFEED(TIMG0)) = 1;
        KDP_REGISTER(TIMG_WDTWPROTECT(TIMG0)) = 0;
    }
}

bool kdp_port_watchdog_running(void *context)
{
    (void)context;
    return watchdog;
}
