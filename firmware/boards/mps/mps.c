/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Arm MPS2 and MPS3 prototyping boards: CMSDK serial port (DDI 0479), SysTick. QEMU emulates them.
 * The clocks are fixed by the FPGA image.
 */
#include "board.h"
#include "kdp_cortex_m.h"
#include "kdp_port.h"

#define UART_DATA KDP_REGISTER(KDP_UART_BASE)
#define UART_STATE (KDP_UART_BASE + 0x04u)
#define UART_CTRL KDP_REGISTER(KDP_UART_BASE + 0x08u)
#define UART_INTERRUPT KDP_REGISTER(KDP_UART_BASE + 0x0Cu)
#define UART_BAUDDIV KDP_REGISTER(KDP_UART_BASE + 0x10u)

enum { STATE_TX_FULL = 1, STATE_RX_FULL = 2, STATE_RX_OVERRUN = 8 };

static const kdp_port_info_t info = {KDP_BOARD_NAME, KDP_CLOCK_HZ, KDP_CLOCK_HZ, KDP_CLOCK_BOARD};

void kdp_port_init(void *context)
{
    (void)context;
    UART_BAUDDIV = (KDP_CLOCK_HZ + KDP_BAUD / 2u) / KDP_BAUD;
    UART_CTRL = (1u << 0) | (1u << 1) | (1u << 3); /* transmitter, receiver, receive interrupt */
    kdp_systick_start();
    kdp_irq_enable(KDP_UART_IRQ);
}

const kdp_port_info_t *kdp_port_info(void *context)
{
    (void)context;
    return &info;
}

void kdp_uart_irq(void)
{
    UART_INTERRUPT = 2; /* receive interrupt taken; before reading, so that the next byte raises it */
    while (KDP_REGISTER(UART_STATE) & STATE_RX_FULL) {
        kdp_receive((uint8_t)UART_DATA);
    }
    if (KDP_REGISTER(UART_STATE) & STATE_RX_OVERRUN) {
        KDP_REGISTER(UART_STATE) = STATE_RX_OVERRUN;
        kdp_receive_lost();
    }
}

bool kdp_port_write(void *context, const uint8_t *data, size_t size)
{
    size_t sent = 0;
    (void)context;
    while (sent < size && kdp_wait(UART_STATE, STATE_TX_FULL, 0, KDP_LINE_PATIENCE)) {
        UART_DATA = data[sent];
        sent++;
    }
    return sent == size;
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    return kdp_systick_now();
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
