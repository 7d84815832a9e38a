/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* What the STM32 families have in common: pin registers, independent watchdog. */
#ifndef STM32_H
#define STM32_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Give pin `transmit` of the port at `gpio`, and the next one, to alternate function 7 (USART1 to 3),
 * the receiver with a pull-up: no noise from an open wire. Both pins lie in one half of the port.
 */
void stm32_serial_pins(uint32_t gpio, uint32_t transmit);

/* Whether the watchdog, once started, waits for half a minute: for a flash operation that stops the core. */
void stm32_watchdog_patient(bool patient);

#endif
