/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_board.h"

#include <stddef.h>

#include "kdp_frame.h"
#include "kdp_port.h"

/* ---- faults: counted in memory that a restart leaves alone */

#define FAULT_MAGIC 0x4B445046u
#define FAULTS_TOLERATED 3u

static struct {
    uint32_t magic, count;
} faults __attribute__((section(".noinit")));

#define LATCH_MAGIC 0x4B44504Cu

static uint32_t latch[2] __attribute__((section(".noinit"))); /* magic, and its complement */

void kdp_port_keep_latch(void *context, bool latched)
{
    (void)context;
    latch[0] = latched ? LATCH_MAGIC : 0u;
    latch[1] = latched ? ~LATCH_MAGIC : 0u;
}

bool kdp_port_latch_kept(void *context)
{
    (void)context;
    return latch[0] == LATCH_MAGIC && latch[1] == ~LATCH_MAGIC;
}

/* for a board that drives its actuators itself to replace */
__attribute__((weak)) void kdp_port_actuate(void *context, const float *values, uint32_t count)
{
    (void)context;
    (void)values;
    (void)count;
}

void kdp_count_fault(void)
{
    if (faults.magic != FAULT_MAGIC) {
        faults.magic = FAULT_MAGIC;
        faults.count = 0;
    }
    faults.count++;
}

uint32_t kdp_port_faults(void *context)
{
    (void)context;
    return faults.magic == FAULT_MAGIC ? faults.count : 0;
}

/* ---- image: the trailer that `kdp-edge build` fills in (export/build.py has the same layout) */

typedef struct {
    char magic[8];
    char board[24];
    uint8_t model[32];
    uint32_t size; /* of the image, trailer included */
    uint32_t crc;  /* of everything before this field */
} trailer_t;

extern const uint8_t kdp_image_start[];
const volatile trailer_t kdp_trailer __attribute__((section(".trailer"), used)) = {.size = 0};

bool kdp_port_image_ok(void *context)
{
    (void)context;
    size_t size = (size_t)((uintptr_t)&kdp_trailer.crc - (uintptr_t)kdp_image_start);
    if (kdp_trailer.size != size + sizeof kdp_trailer.crc) {
        return false;
    }
    if (kdp_port_faults(context) >= FAULTS_TOLERATED) {
        return false; /* a device that keeps failing must not act: until power is cycled */
    }
    return kdp_crc32(0, kdp_image_start, size) == kdp_trailer.crc;
}

/*
 * ---- receive buffer: the interrupt handler writes head, the main loop writes tail. The bytes are volatile like
 * the two indices, or the compiler could move a byte past the index that gives it away.
 */

#define RING 2048u /* a power of two; two of the longest frames */

static volatile uint8_t ring[RING];
static volatile uint32_t head, tail, drops, overruns;

void kdp_receive(uint8_t byte)
{
    uint32_t at = head;
    if (at - tail < RING) {
        ring[at % RING] = byte;
        head = at + 1;
    } else {
        drops++;
    }
}

void kdp_receive_lost(void)
{
    overruns++;
}

bool kdp_port_read(void *context, uint8_t *byte)
{
    uint32_t at = tail;
    (void)context;
    if (at == head) {
        return false;
    }
    *byte = ring[at % RING];
    tail = at + 1;
    return true;
}

bool kdp_received(void)
{
    return tail != head;
}

uint32_t kdp_port_receive_overruns(void *context)
{
    (void)context;
    return overruns;
}

uint32_t kdp_port_receive_drops(void *context)
{
    (void)context;
    return drops;
}

/* ---- stack: painted by the start-up code, read from below */

extern uint32_t kdp_stack_bottom[], kdp_stack_top[];

uint32_t kdp_port_stack_size(void *context)
{
    (void)context;
    return (uint32_t)((uintptr_t)kdp_stack_top - (uintptr_t)kdp_stack_bottom);
}

uint32_t kdp_port_stack_high_water(void *context)
{
    (void)context;
    const uint32_t *word = kdp_stack_bottom;
    while (word < kdp_stack_top && *word == KDP_STACK_PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)kdp_stack_top - (uintptr_t)word);
}
