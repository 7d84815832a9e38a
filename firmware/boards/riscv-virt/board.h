/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* QEMU's virt machine with an RV32IMC core. It exists in QEMU only, and has the clock that it is told. */
#ifndef BOARD_H
#define BOARD_H

#define KDP_BOARD_NAME "riscv-virt"
#define KDP_CLOCK_HZ 500000000u
#define KDP_TICK_HZ 1000000000u /* virtual nanoseconds, unless it is told another rate */
#define KDP_TOLD_TICK_HZ 0x807FFFFCu /* the last word of RAM: a loader of QEMU's may put one there */
#define KDP_UART_BASE 0x10000000u
#define KDP_UART_IRQ 10
#define KDP_SLOTS_START 0x80800000u
#define KDP_SLOT_BYTES 0x40000u
#ifndef KDP_BAUD
#define KDP_BAUD 921600u
#endif

#endif
