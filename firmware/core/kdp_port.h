/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * What a board provides. Everything in firmware/core runs on these functions and nothing else; a
 * new board is one file that defines them (docs: "port to your board").
 *
 * `context` is what kdp_server_init was given, untouched: for a program with more than one device. A board
 * has no use for it.
 *
 * None of them may block longer than it takes to send what it was given.
 */
#ifndef KDP_PORT_H
#define KDP_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdp_clock.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where the core's clock comes from; the values travel on the link. */
typedef enum kdp_clock_source {
    KDP_CLOCK_INTERNAL = 0, /* internal oscillator, also the fall-back when the crystal did not start */
    KDP_CLOCK_CRYSTAL = 1,  /* crystal, with or without PLL */
    KDP_CLOCK_BOARD = 2,    /* fixed by the board */
    KDP_CLOCK_OS = 3,       /* an operating system's */
    KDP_CLOCK_EMULATOR = 4  /* an emulator's: ticks are no silicon's cycles */
} kdp_clock_source;

/* Fixed after kdp_port_init. */
typedef struct kdp_port_info {
    const char *board; /* at most 32 bytes */
    uint32_t clock_hz; /* of the core */
    uint32_t tick_hz;  /* of kdp_port_now */
    kdp_clock_source clock_source;
} kdp_port_info_t;

/*
 * Start clocks, the tick counter and the serial port. Every wait for hardware is bounded; what does
 * not come up is replaced (crystal by internal oscillator) and reported in kdp_port_info.
 */
void kdp_port_init(void *context);

const kdp_port_info_t *kdp_port_info(void *context);

/* Whether a byte had been received; then it is in `byte`. Never waits. */
bool kdp_port_read(void *context, uint8_t *byte);

/*
 * Send `size` bytes, and wait no longer than the line takes for them. Returns whether all of them went out:
 * a reply that was cut short is counted.
 */
bool kdp_port_write(void *context, const uint8_t *data, size_t size);

/*
 * Nothing to do: sleep until a byte may have come, a millisecond at most if `timed`. Returning at once is
 * correct, too.
 */
void kdp_port_idle(void *context, bool timed);

/*
 * An action was decided: by a control step, or by the device's own clock when the host fell silent. A board
 * that drives its actuators itself does it here; where the host does, as in a simulation, this is empty.
 * `values` are within the policy's limits, in its units.
 */
void kdp_port_actuate(void *context, const float *values, uint32_t count);

/* kdp_port_now, in kdp_clock.h: it runs in kdp_port_idle(context, true) as well. */

/* Restart the device as after power-on. Does not return on a board. */
void kdp_port_reboot(void *context);

/* Whether the stop is latched: kept over every restart but a loss of power, and asked for at boot. */
void kdp_port_keep_latch(void *context, bool latched);
bool kdp_port_latch_kept(void *context);

/*
 * Watchdog. Started by the first RESET, fed by each turn of kdp_server_poll and by nothing else: a program
 * that hangs restarts. A host that hangs is the dead man's (kdp_failsafe_watch). Boards without one do nothing.
 */
void kdp_port_watchdog_start(void *context);
void kdp_port_watchdog_feed(void *context);
bool kdp_port_watchdog_running(void *context);

/* Whether the program in memory is the one that was built (CRC-32 of the image). */
bool kdp_port_image_ok(void *context);

/*
 * Restarts that nobody asked for (faults, watchdog) since power-on. HELLO shows that there were
 * some; a board whose count reaches its limit reports kdp_port_image_ok() == false and does not
 * act until power is cycled.
 */
uint32_t kdp_port_faults(void *context);

/* Receive errors since boot: bytes lost in the UART, bytes dropped because the buffer was full. */
uint32_t kdp_port_receive_overruns(void *context);
uint32_t kdp_port_receive_drops(void *context);

/* Bytes of stack, and the most that was ever used; 0 where that is not known. */
uint32_t kdp_port_stack_size(void *context);
uint32_t kdp_port_stack_high_water(void *context);

#ifdef __cplusplus
}
#endif

#endif
