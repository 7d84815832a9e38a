/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * nRF52840, register by register from its Product Specification. The serial port is the UART without DMA: it hands
 * over each byte when it came, as kdp_receive wants it. Ticks are those of TIMER0, 16 MHz.
 */
#include "board.h"
#include "kdp_cortex_m.h"
#include "kdp_port.h"
#include "nrf52840.h"

/* the chip's divider is coarse: at 115,200 and more the line is up to 2.1 % faster than its name, but at 1,000,000 */
#if KDP_BAUD == 9600
#define BAUDRATE 0x00275000u
#elif KDP_BAUD == 115200
#define BAUDRATE 0x01D7E000u
#elif KDP_BAUD == 230400
#define BAUDRATE 0x03AFB000u
#elif KDP_BAUD == 460800
#define BAUDRATE 0x075F7000u
#elif KDP_BAUD == 921600
#define BAUDRATE 0x0EBED000u
#elif KDP_BAUD == 1000000
#define BAUDRATE 0x10000000u
#else
#error "baud must be 9600, 115200, 230400, 460800, 921600 or 1000000"
#endif

enum { ERROR_OVERRUN = 1, ENABLED = 4 };

static kdp_port_info_t info = {"nrf52840", 64000000u, 16000000u, KDP_CLOCK_INTERNAL};
static bool watchdog;

static void start_serial(void)
{
    KDP_REGISTER(GPIO_OUTSET) = 1u << KDP_UART_OUT; /* an idle line is high */
    KDP_REGISTER(GPIO_PIN_CNF(KDP_UART_OUT)) = PIN_OUTPUT;
    KDP_REGISTER(GPIO_PIN_CNF(KDP_UART_IN)) = PIN_INPUT_PULLED_UP; /* no noise from an open wire */
    KDP_REGISTER(UART_PSEL_TXD) = KDP_UART_OUT;
    KDP_REGISTER(UART_PSEL_RXD) = KDP_UART_IN;
    KDP_REGISTER(UART_BAUDRATE) = BAUDRATE;
    KDP_REGISTER(UART_ENABLE) = ENABLED;
    KDP_REGISTER(UART_INTENSET) = (1u << 2) | (1u << 9); /* RXDRDY, ERROR */
    KDP_REGISTER(UART_STARTRX) = 1;
    KDP_REGISTER(UART_STARTTX) = 1;
    kdp_irq_enable(KDP_UART_IRQ);
}

void kdp_port_init(void *context)
{
    (void)context;
    KDP_REGISTER(APPROTECT_DISABLE) = KDP_REGISTER(UICR_APPROTECT); /* the debug port stays as UICR says */
    if (KDP_REGISTER(RESETREAS) & RESET_BY_WATCHDOG) {
        kdp_count_fault();
    }
    KDP_REGISTER(RESETREAS) = 0xFFFFFFFFu;              /* forget the cause of this start */
    watchdog = (KDP_REGISTER(WDT_RUNSTATUS) & 1u) != 0; /* a restart by software leaves it running */
    kdp_port_watchdog_feed(context);
    KDP_REGISTER(NVMC_ICACHECNF) = 1;
    KDP_REGISTER(HFCLKSTART) = 1;
    if (kdp_wait(HFCLKSTAT, HFCLK_CRYSTAL_RUNS, HFCLK_CRYSTAL_RUNS, KDP_START_PATIENCE)) {
        info.clock_source = KDP_CLOCK_CRYSTAL;
    }
    KDP_REGISTER(TIMER_BITMODE) = 3; /* 32 bits */
    KDP_REGISTER(TIMER_PRESCALER) = 0;
    KDP_REGISTER(TIMER_START) = 1;
    start_serial();
}

const kdp_port_info_t *kdp_port_info(void *context)
{
    (void)context;
    return &info;
}

void kdp_uart_irq(void)
{
    if (KDP_REGISTER(UART_ERROR)) {
        KDP_REGISTER(UART_ERROR) = 0;
        uint32_t source = KDP_REGISTER(UART_ERRORSRC);
        KDP_REGISTER(UART_ERRORSRC) = source;
        if (source & ERROR_OVERRUN) {
            kdp_receive_lost();
        }
    }
    while (KDP_REGISTER(UART_RXDRDY)) {
        KDP_REGISTER(UART_RXDRDY) = 0; /* before reading: the next byte in the FIFO sets it again */
        (void)KDP_REGISTER(UART_RXDRDY); /* and it arrived, or the interrupt would come twice */
        kdp_receive((uint8_t)KDP_REGISTER(UART_RXD));
    }
}

bool kdp_port_write(void *context, const uint8_t *data, size_t size)
{
    size_t sent = 0;
    bool went = true;
    (void)context;
    while (sent < size && went) {
        KDP_REGISTER(UART_TXDRDY) = 0;
        KDP_REGISTER(UART_TXD) = data[sent];
        went = kdp_wait(UART_TXDRDY, 1, 1, KDP_LINE_PATIENCE);
        sent += went ? 1u : 0u;
    }
    return sent == size;
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    KDP_REGISTER(TIMER_CAPTURE) = 1;
    return KDP_REGISTER(TIMER_CC);
}

/*
 * 2 s: a restart by software does not stop it, so it must be longer than the checks of image and slots at the next
 * start, a signature among them.
 */
void kdp_port_watchdog_start(void *context)
{
    (void)context;
    if (KDP_WATCHDOG && !watchdog) {
        KDP_REGISTER(WDT_CONFIG) = 1; /* runs while the core sleeps, not while a debugger holds it */
        KDP_REGISTER(WDT_CRV) = 2u * 32768u - 1u;
        KDP_REGISTER(WDT_START) = 1;
        watchdog = true;
    }
}

void kdp_port_watchdog_feed(void *context)
{
    (void)context;
    if (watchdog) {
        KDP_REGISTER(WDT_RR0) = WDT_RELOAD;
    }
}

bool kdp_port_watchdog_running(void *context)
{
    (void)context;
    return watchdog;
}
