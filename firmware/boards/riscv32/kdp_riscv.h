/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * What every RISC-V board shares beyond kdp_board.h: start-up, traps, waits, sleep. Machine mode, RV32IMC.
 *
 * A board enables the interrupt of its serial receiver, an external one, in its own interrupt controller, claims
 * it there in kdp_uart_irq, and lets it through with kdp_irq_enable. One whose receiver holds the host back needs no
 * interrupt: it has its own kdp_port_idle, which looks for bytes, and does not call kdp_irq_enable.
 */
#ifndef KDP_RISCV_H
#define KDP_RISCV_H

#include "kdp_board.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An instruction on a control and status register, such as KDP_CSR("csrw mie, %0", value). */
#define KDP_CSR(instruction, value) \
    __asm__ volatile(".option push\n.option arch, +zicsr\n" instruction "\n.option pop" ::"r"(value) : "memory")

/* Let machine external interrupts through, and no others. */
void kdp_irq_enable(void);

/* Restart the device, the memory as it is. The board defines it; it does not return. */
void kdp_restart(void);

#ifdef __cplusplus
}
#endif

#endif
