/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* STM32F405/407, register by register from RM0090. The same image runs on silicon and under QEMU. */
#include "board.h"
#include "kdp_cortex_m.h"
#include "kdp_port.h"
#include "stm32.h"

#define RCC 0x40023800u
#define RCC_CR KDP_REGISTER(RCC)
#define RCC_PLLCFGR KDP_REGISTER(RCC + 0x04u)
#define RCC_CFGR KDP_REGISTER(RCC + 0x08u)
#define RCC_AHB1ENR KDP_REGISTER(RCC + 0x30u)
#define RCC_APB1ENR KDP_REGISTER(RCC + 0x40u)
#define RCC_APB2ENR KDP_REGISTER(RCC + 0x44u)
#define RCC_CSR KDP_REGISTER(RCC + 0x74u)
#define FLASH_ACR KDP_REGISTER(0x40023C00u)
#define GPIOA 0x40020000u
#define TIM2 0x40000000u
/* An emulator's only: the last word of RAM, where it may say how many ticks make a second; else it is 0. */
#define TOLD_TICK_HZ KDP_REGISTER(0x2001FFFCu)

#define USART (KDP_UART == 1 ? 0x40011000u : 0x40004400u)
#define USART_SR KDP_REGISTER(USART)
#define USART_DR KDP_REGISTER(USART + 0x04u)
#define USART_BRR KDP_REGISTER(USART + 0x08u)
#define USART_CR1 KDP_REGISTER(USART + 0x0Cu)

enum { SR_ORE = 1 << 3, SR_RXNE = 1 << 5, SR_TXE = 1 << 7 };

static kdp_port_info_t info = {"stm32f405", 16000000u, 16000000u, KDP_CLOCK_INTERNAL};
static bool count_cycles;

/* Crystal and PLL to 168 MHz; whatever does not come up leaves the 16 MHz oscillator running. */
static void start_clock(void)
{
    RCC_CR |= 1u << 16; /* HSEON */
    if (!kdp_wait(RCC, 1u << 17, 1u << 17, KDP_START_PATIENCE)) {
        return;
    }
    RCC_PLLCFGR = KDP_HSE_MHZ | (336u << 6) | (1u << 22) | (7u << 24); /* 1 MHz * 336 / 2, from HSE */
    FLASH_ACR = 5u | (7u << 8);                                       /* 5 wait states, prefetch, caches */
    RCC_CFGR = (5u << 10) | (4u << 13);                               /* APB1 / 4, APB2 / 2 */
    RCC_CR |= 1u << 24;                                               /* PLLON */
    if (!kdp_wait(RCC, 1u << 25, 1u << 25, KDP_START_PATIENCE)) {
        RCC_CFGR = 0;
        return;
    }
    RCC_CFGR |= 2u;
    if (!kdp_wait(RCC + 0x08u, 3u << 2, 2u << 2, KDP_START_PATIENCE)) {
        RCC_CFGR = 0;
        return;
    }
    info.clock_source = KDP_CLOCK_CRYSTAL;
    info.clock_hz = 168000000u;
}

static void start_serial(void)
{
    uint32_t divider = info.clock_source == KDP_CLOCK_INTERNAL ? 1u : KDP_UART == 1 ? 2u : 4u;
    uint32_t bus = info.clock_hz / divider;
    RCC_AHB1ENR |= 1u;
    if (KDP_UART == 1) {
        RCC_APB2ENR |= 1u << 4;
    } else {
        RCC_APB1ENR |= 1u << 17;
    }
    stm32_serial_pins(GPIOA, KDP_UART == 1 ? 9 : 2);
    USART_BRR = (bus + KDP_BAUD / 2u) / KDP_BAUD;
    USART_CR1 = (1u << 13) | (1u << 5) | (1u << 3) | (1u << 2); /* UE RXNEIE TE RE */
    kdp_irq_enable(KDP_UART_IRQ);
}

static void start_ticks(void)
{
    RCC_APB1ENR |= 1u;
    (void)RCC_APB1ENR; /* errata: a peripheral answers two cycles after its clock came */
    KDP_REGISTER(TIM2 + 0x28u) = 0;           /* PSC */
    KDP_REGISTER(TIM2 + 0x2Cu) = 0xFFFFFFFFu; /* ARR */
    KDP_REGISTER(TIM2 + 0x14u) = 1;           /* UG */
    KDP_REGISTER(TIM2) = 1;                   /* CEN */
    count_cycles = kdp_cycles_start();
    info.tick_hz = info.clock_source == KDP_CLOCK_CRYSTAL && !count_cycles ? info.clock_hz / 2u : info.clock_hz;
    if (info.clock_source == KDP_CLOCK_EMULATOR) {
        info.tick_hz = TOLD_TICK_HZ != 0 ? TOLD_TICK_HZ : 1000000000u; /* QEMU's TIM2 counts virtual nanoseconds */
    }
}

void kdp_port_init(void *context)
{
    (void)context;
    if (RCC_CR == 0) { /* never on silicon, where the running oscillator shows */
        info.clock_source = KDP_CLOCK_EMULATOR;
        info.clock_hz = 168000000u;
    } else {
        if (RCC_CSR & (1u << 29)) { /* IWDGRSTF */
            kdp_count_fault();
        }
        RCC_CSR |= 1u << 24; /* RMVF: forget the cause of this start */
        start_clock();
    }
    start_serial();
    start_ticks();
}

const kdp_port_info_t *kdp_port_info(void *context)
{
    (void)context;
    return &info;
}

void kdp_uart_irq(void)
{
    uint32_t status = USART_SR;
    if (status & (SR_RXNE | SR_ORE)) {
        uint8_t byte = (uint8_t)USART_DR; /* also clears the overrun */
        if (status & SR_RXNE) {
            kdp_receive(byte);
        }
    }
    if (status & SR_ORE) {
        kdp_receive_lost();
    }
}

bool kdp_port_write(void *context, const uint8_t *data, size_t size)
{
    size_t sent = 0;
    (void)context;
    while (sent < size && kdp_wait(USART, SR_TXE, SR_TXE, KDP_LINE_PATIENCE)) {
        USART_DR = data[sent];
        sent++;
    }
    return sent == size;
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    return count_cycles ? kdp_cycles_now() : KDP_REGISTER(TIM2 + 0x24u);
}
