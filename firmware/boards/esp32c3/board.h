/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* ESP32-C3: the chip's own USB-serial bridge, on GPIO18 (D-) and GPIO19 (D+). Build option: KDP_WATCHDOG. */
#ifndef BOARD_H
#define BOARD_H

#ifndef KDP_WATCHDOG
#define KDP_WATCHDOG 1 /* watchdog, 0.5 s; 0: none */
#endif

#endif
