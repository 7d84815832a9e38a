/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Model slots in the upper half of the flash, 256 KiB each: 64 pages of 4 KiB (nRF52840 Product Specification,
 * NVMC). The core stands still while a page is erased, up to 85 ms, and while a word is written: only ever in IDLE.
 */
#include "kdp_bytes.h"
#include "kdp_cortex_m.h"
#include "kdp_port.h"
#include "kdp_slots.h"
#include "nrf52840.h"

#define SLOTS_START 0x80000u
#define SLOT_BYTES 0x40000u
#define PAGE_BYTES 0x1000u
#define PATIENCE 200000u /* microseconds: twice the longest operation */

enum { READ_ONLY = 0, WRITE = 1, ERASE = 2 };

static kdp_slot_area area;

static uint32_t slot_start(uint32_t slot)
{
    return SLOTS_START + slot * SLOT_BYTES;
}

const kdp_slot_area *kdp_port_slots(void *context)
{
    (void)context;
    area.start[0] = (const uint8_t *)(uintptr_t)slot_start(0);
    area.start[1] = (const uint8_t *)(uintptr_t)slot_start(1);
    area.size = SLOT_BYTES;
    return &area;
}

static bool ready(void)
{
    return kdp_wait(NVMC_READY, 1, 1, PATIENCE);
}

/* The cache does not notice that flash changed: it is off, and with it empty, meanwhile. */
static void allow(uint32_t what)
{
    KDP_REGISTER(NVMC_ICACHECNF) = what == READ_ONLY ? 1u : 0u;
    KDP_REGISTER(NVMC_CONFIG) = what;
}

int kdp_port_slot_erase(void *context, uint32_t slot)
{
    bool well = ready();
    allow(ERASE);
    for (uint32_t page = 0; page < SLOT_BYTES && well; page += PAGE_BYTES) {
        KDP_REGISTER(NVMC_ERASEPAGE) = slot_start(slot) + page;
        well = ready();
        kdp_port_watchdog_feed(context); /* 64 pages are longer than it waits */
    }
    allow(READ_ONLY);
    return well ? 0 : KDP_ERROR_FLASH_FAILED;
}

int kdp_port_slot_program(void *context, uint32_t slot, uint32_t offset, const uint8_t word[KDP_FLASH_WORD])
{
    uint32_t at = slot_start(slot) + offset;
    bool well = ready();
    (void)context;
    allow(WRITE);
    for (uint32_t i = 0; i < KDP_FLASH_WORD && well; i += 4) {
        KDP_REGISTER(at + i) = kdp_get_u32(word + i);
        well = ready();
    }
    allow(READ_ONLY);
    return well ? 0 : KDP_ERROR_FLASH_FAILED;
}
