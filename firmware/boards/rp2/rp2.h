/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* What rp2.c needs of its core: a Cortex-M, or the RP2350's Hazard3 (hazard3.c). board.h comes before it. */
#ifndef RP2_H
#define RP2_H

#ifdef __riscv
#include "kdp_riscv.h"

/* Let interrupt `number` through. */
void rp2_irq_enable(uint32_t number);
#else
#include "kdp_cortex_m.h"
#define rp2_irq_enable kdp_irq_enable
#endif

#define SET 0x2000u   /* alias that sets the bits written */
#define CLEAR 0x3000u /* and one that clears them */

#define SCRATCH (WATCHDOG + 0x0Cu) /* its first, which outlives a restart */

#endif
