/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * A port that may do anything: any clock, any fault, any flash.
 */
#include "kdp_port.h"

#include "any.h"

static char board[33];
static kdp_port_info_t info;

const kdp_port_info_t *kdp_port_info(void *context)
{
    (void)context;
    any_bytes(board, sizeof board - 1); /* at most 32 bytes, says kdp_port.h */
    info.board = board;
    info.clock_hz = any_u32();
    info.tick_hz = any_u32();
    info.clock_source = KDP_CLOCK_INTERNAL;
    return &info;
}

/*@ requires \valid(byte);
    assigns \result, *byte \from \nothing;
    ensures \initialized(byte);
    ensures \result == 0 || \result == 1; */
bool kdp_port_read(void *context, uint8_t *byte);

/* Reads all that it was given. */
/*@ requires \valid_read(data + (0 .. size - 1));
    requires \initialized(data + (0 .. size - 1));
    assigns \result \from \nothing;
    ensures \result == 0 || \result == 1; */
bool kdp_port_write(void *context, const uint8_t *data, size_t size);

void kdp_port_idle(void *context, bool timed)
{
    (void)context;
    (void)timed;
}

/* Reads all that it was given. */
/*@ requires \valid_read(values + (0 .. count - 1));
    requires \initialized(values + (0 .. count - 1));
    assigns \nothing; */
void kdp_port_actuate(void *context, const float *values, uint32_t count);

void kdp_port_keep_latch(void *context, bool latched)
{
    (void)context;
    (void)latched;
}

bool kdp_port_latch_kept(void *context)
{
    (void)context;
    return any_between(0, 1) != 0;
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    return any_u32();
}

void kdp_port_reboot(void *context)
{
    (void)context;
}

void kdp_port_watchdog_start(void *context)
{
    (void)context;
}

void kdp_port_watchdog_feed(void *context)
{
    (void)context;
}

bool kdp_port_watchdog_running(void *context)
{
    (void)context;
    return any_between(0, 1) != 0;
}

bool kdp_port_image_ok(void *context)
{
    (void)context;
    return any_between(0, 1) != 0;
}

uint32_t kdp_port_faults(void *context)
{
    (void)context;
    return any_u32();
}

uint32_t kdp_port_receive_overruns(void *context)
{
    (void)context;
    return any_u32();
}

uint32_t kdp_port_receive_drops(void *context)
{
    (void)context;
    return any_u32();
}

uint32_t kdp_port_stack_size(void *context)
{
    (void)context;
    return any_u32();
}

uint32_t kdp_port_stack_high_water(void *context)
{
    (void)context;
    return any_u32();
}
