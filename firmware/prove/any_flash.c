/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Two slots of flash that hold anything, refuse anything, and may lose their power at any time.
 */
#include "any.h"
#include "kdp_slots.h"

static uint8_t flash[KDP_SLOTS][SLOT_BYTES];
static const kdp_slot_area area = {{flash[0], flash[1]}, SLOT_BYTES};

const kdp_slot_area *kdp_port_slots(void *context)
{
    (void)context;
    return &area;
}

int kdp_port_slot_erase(void *context, uint32_t slot)
{
    (void)context;
    //@ assert a_slot: slot < KDP_SLOTS;
    any_bytes(flash[slot], SLOT_BYTES);
    return (int)any_between(-1, 0);
}

int kdp_port_slot_program(void *context, uint32_t slot, uint32_t offset,
                          const uint8_t word[KDP_FLASH_WORD])
{
    (void)context;
    //@ assert a_slot: slot < KDP_SLOTS;
    //@ assert inside: offset <= SLOT_BYTES - KDP_FLASH_WORD && offset % KDP_FLASH_WORD == 0;
    //@ assert a_word: \valid_read(word + (0 .. KDP_FLASH_WORD - 1));
    any_bytes(flash[slot], SLOT_BYTES);
    return (int)any_between(-1, 0);
}
