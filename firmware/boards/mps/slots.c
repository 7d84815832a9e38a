/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Model slots in the memory behind the image. On these boards that is RAM: what was pushed survives a
 * restart, not the power switch.
 */
#include <string.h>

#include "board.h"
#include "kdp_slots.h"

static kdp_slot_area area;

static uint8_t *slot_start(uint32_t slot)
{
    return (uint8_t *)(uintptr_t)(KDP_SLOTS_START + slot * KDP_SLOT_BYTES);
}

const kdp_slot_area *kdp_port_slots(void *context)
{
    (void)context;
    area.start[0] = slot_start(0);
    area.start[1] = slot_start(1);
    area.size = KDP_SLOT_BYTES;
    return &area;
}

int kdp_port_slot_erase(void *context, uint32_t slot)
{
    (void)context;
    memset(slot_start(slot), 0xFF, KDP_SLOT_BYTES);
    return 0;
}

int kdp_port_slot_program(void *context, uint32_t slot, uint32_t offset,
                          const uint8_t word[KDP_FLASH_WORD])
{
    (void)context;
    uint8_t *to = slot_start(slot) + offset;
    for (size_t i = 0; i < KDP_FLASH_WORD; i++) {
        to[i] &= word[i]; /* as flash does */
    }
    return 0;
}
