/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * What every Cortex-M board shares beyond kdp_board.h: start-up, vector table, interrupts, counters.
 * kdp_wait's time is SysTick's at the clock of kdp_port_info.
 */
#ifndef KDP_CORTEX_M_H
#define KDP_CORTEX_M_H

#include "kdp_board.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Let interrupt `number` through. */
void kdp_irq_enable(uint32_t number);

/*
 * Start the core's cycle counter (DWT CYCCNT). Returns whether it counts: not on Cortex-M0 and
 * not under QEMU, where it reads 0.
 */
bool kdp_cycles_start(void);
uint32_t kdp_cycles_now(void);

/*
 * SysTick as a tick counter at the core's clock. It has 24 bits and is widened when it is read:
 * what is timed must take less than 2^24 ticks (0.5 s at 32 MHz).
 */
void kdp_systick_start(void);
uint32_t kdp_systick_now(void);

/* A Cortex-M7's caches, both: the data cache is emptied line by line before. */
void kdp_caches_start(void);

#ifdef __cplusplus
}
#endif

#endif
