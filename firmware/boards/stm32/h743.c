/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * STM32H743/753, register by register from RM0433. KDP_HSE_CLOCK: 1 where 8 MHz come from outside,
 * 0 where nothing is known to come, so that the image suits any board.
 */
#include "board.h"
#include "kdp_cortex_m.h"
#include "kdp_port.h"
#include "stm32.h"

#define RCC 0x58024400u
#define PWR 0x58024800u
#define FLASH_ACR KDP_REGISTER(0x52002000u)
#define GPIO (KDP_UART == 1 ? 0x58020000u : 0x58020C00u) /* port A or D */
#define USART (KDP_UART == 1 ? 0x40011000u : 0x40004800u)
#define USART_ISR (USART + 0x1Cu)

enum { ISR_ORE = 1 << 3, ISR_RXNE = 1 << 5, ISR_TXE = 1 << 7 };

static kdp_port_info_t info = {KDP_BOARD_NAME, 64000000u, 64000000u, KDP_CLOCK_INTERNAL};

/* PLL1's input from outside, or from the internal 64 MHz where nothing comes; its output is 800 MHz / 2. */
static void choose_input(void)
{
    uint32_t range = 2, dividers = 124u; /* 64 MHz / 10 * 125 */
    uint32_t source = 10u << 4;
    if (KDP_HSE_CLOCK) {
        KDP_REGISTER(RCC) |= (1u << 18) | (1u << 16); /* HSEBYP: a clock, not a crystal; HSEON */
        if (kdp_wait(RCC, 1u << 17, 1u << 17, KDP_START_PATIENCE)) {
            info.clock_source = KDP_CLOCK_CRYSTAL;
            source = 2u | (1u << 4); /* 8 MHz * 100 */
            range = 3;
            dividers = 99u;
        }
    }
    KDP_REGISTER(RCC + 0x28u) = source;
    KDP_REGISTER(RCC + 0x2Cu) = (KDP_REGISTER(RCC + 0x2Cu) & ~15u) | (range << 2); /* 4 to 8 MHz, 8 to 16 */
    KDP_REGISTER(RCC + 0x30u) = dividers | (1u << 9) | (7u << 16) | (7u << 24);    /* N, P 2 */
}

/* 400 MHz, buses 200 and 100 MHz; 64 MHz goes on where a step fails. */
static void start_clock(void)
{
    KDP_REGISTER(PWR + 0x0Cu) = (KDP_REGISTER(PWR + 0x0Cu) & ~7u) | 2u; /* core from the regulator */
    if (!kdp_wait(PWR + 0x04u, 1u << 13, 1u << 13, KDP_START_PATIENCE)) {
        return;
    }
    KDP_REGISTER(PWR + 0x18u) |= 3u << 14; /* voltage scale 1 */
    if (!kdp_wait(PWR + 0x18u, 1u << 13, 1u << 13, KDP_START_PATIENCE)) {
        return;
    }
    choose_input();
    KDP_REGISTER(RCC) |= 1u << 24;
    if (!kdp_wait(RCC, 1u << 25, 1u << 25, KDP_START_PATIENCE)) {
        return;
    }
    FLASH_ACR = 2u | (2u << 4);
    KDP_REGISTER(RCC + 0x18u) = 8u | (4u << 4);         /* AHB / 2, APB3 / 2 */
    KDP_REGISTER(RCC + 0x1Cu) = (4u << 4) | (4u << 8);  /* APB1 / 2, APB2 / 2 */
    KDP_REGISTER(RCC + 0x20u) = 4u << 4;                /* APB4 / 2 */
    info.clock_hz = 400000000u;
    KDP_REGISTER(RCC + 0x10u) |= 3u;
    if (!kdp_wait(RCC + 0x10u, 7u << 3, 3u << 3, KDP_START_PATIENCE)) {
        KDP_REGISTER(RCC + 0x10u) &= ~7u;
        info.clock_hz = 64000000u;
        KDP_REGISTER(RCC + 0x18u) = KDP_REGISTER(RCC + 0x1Cu) = KDP_REGISTER(RCC + 0x20u) = 0;
    }
}

static void start_serial(void)
{
    uint32_t bus = info.clock_hz == 400000000u ? 100000000u : info.clock_hz;
    KDP_REGISTER(RCC + 0xE0u) |= KDP_UART == 1 ? 1u : 1u << 3;
    if (KDP_UART == 1) {
        KDP_REGISTER(RCC + 0xF0u) |= 1u << 4;
    } else {
        KDP_REGISTER(RCC + 0xE8u) |= 1u << 18;
    }
    stm32_serial_pins(GPIO, KDP_UART == 1 ? 9 : 8);
    KDP_REGISTER(USART + 0x0Cu) = (bus + KDP_BAUD / 2u) / KDP_BAUD;
    KDP_REGISTER(USART) = 1u | (1u << 2) | (1u << 3) | (1u << 5); /* UE RE TE RXNEIE */
    kdp_irq_enable(KDP_UART_IRQ);
}

void kdp_port_init(void *context)
{
    (void)context;
    if (KDP_REGISTER(RCC + 0xD0u) & (1u << 26)) { /* IWDG1RSTF */
        kdp_count_fault();
    }
    KDP_REGISTER(RCC + 0xD0u) |= 1u << 16; /* forget the cause of this start */
    start_clock();
    kdp_caches_start(); /* weights stream from flash */
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
    uint32_t status = KDP_REGISTER(USART_ISR);
    if (status & ISR_RXNE) {
        kdp_receive((uint8_t)KDP_REGISTER(USART + 0x24u));
    }
    if (status & ISR_ORE) {
        KDP_REGISTER(USART + 0x20u) = ISR_ORE;
        kdp_receive_lost();
    }
}

bool kdp_port_write(void *context, const uint8_t *data, size_t size)
{
    size_t sent = 0;
    (void)context;
    while (sent < size && kdp_wait(USART_ISR, ISR_TXE, ISR_TXE, KDP_LINE_PATIENCE)) {
        KDP_REGISTER(USART + 0x28u) = data[sent];
        sent++;
    }
    return sent == size;
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    return kdp_cycles_now();
}
